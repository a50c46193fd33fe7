"""The wizard's last page for a monitoring tool: its URL, the meaning of its severities, a preview, and going live."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from connectors.engine import hooks, registry
from connectors.engine.operations import publishing
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import Alert, AlertConnector
from connectors.kit.errors import ConnectorError
from connectors.models import Connection, Mapping, ValueRule
from connectors.wizard import drafts, pages
from connectors.wizard.forms.alerts import AlertSampleForm, SeverityForm
from hub.models import Priority, Publication
from hub.translation import localized


def alerts(request: HttpRequest, pk: int) -> HttpResponse:
    connection = get_object_or_404(Connection, pk=pk)
    form = SeverityForm(_known(connection), request.POST or None)
    sample = AlertSampleForm(request.POST or None)
    seen: list[Alert] = []
    if request.method == "POST" and sample.is_valid() and form.is_valid():
        if "look" in request.POST:
            seen = _seen(connection, sample)
        else:
            return _go_live(request, connection, form)
    address = hooks.address(connection, settings.PUBLIC_URL)
    return pages.page(
        request,
        "alerts",
        connection,
        title=_("How alerts become tickets"),
        form=form,
        sample=sample,
        seen=seen,
        address=address,
    )


def _known(connection: Connection) -> dict[str, str]:
    mapping = drafts.newest(connection)
    if mapping is None:
        return {}
    words: dict[str, list[str]] = {priority: [] for priority in Priority.values}
    for rule in mapping.values.order_by("pk"):
        words.setdefault(rule.ours, []).append(rule.theirs)
    return {priority: ", ".join(found) for priority, found in words.items()}


def _seen(connection: Connection, sample: AlertSampleForm) -> list[Alert]:
    try:
        with registry.ready(connection, AlertConnector) as connector:
            return list(connector.read_alerts(sample.cleaned_data["sample"].encode()))
    except (ConnectorError, CannotUnseal) as error:
        sample.add_error("sample", localized(str(error)))
        return []


def _go_live(request: HttpRequest, connection: Connection, form: SeverityForm) -> HttpResponse:
    publishing.publish_mapping(_written(connection, form))
    Connection.objects.filter(pk=connection.pk).update(state=Connection.State.ACTIVE, last_error="", failures=0)
    messages.success(request, _("%s is live and accepts alerts at its URL.") % connection)
    return redirect("console:connection", public_id=connection.public_id)


@transaction.atomic
def _written(connection: Connection, form: SeverityForm) -> Mapping:
    Mapping.objects.filter(connection=connection, status=Publication.DRAFT).delete()
    last = Mapping.objects.filter(connection=connection).aggregate(last=Max("version"))["last"] or 0
    draft = Mapping.objects.create(connection=connection, version=last + 1)
    ValueRule.objects.bulk_create(
        ValueRule(mapping=draft, field="priority", ours=priority, theirs=word[:100], label=word[:100])
        for priority in Priority.values
        for word in form.words(priority)
    )
    return draft
