"""One connection: its status, sync issues and unmapped values."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from connectors.engine.inbound import intake_limits
from connectors.engine.mapping import field_names
from connectors.engine.operations import publishing
from connectors.engine.outbound import parked_items
from connectors.models import Connection, NoteRule, Outbound, StatusRule
from connectors.queries import alerts, connections, sync_issues
from console.access import person, workers_only
from console.polling import live_cursor
from hub.domain.actors import Actor
from hub.domain.tickets import us
from hub.models import Priority, UnmappedValue
from hub.translation import localized

MEANINGS = {
    "status": StatusRule.Verb.choices,
    "priority": Priority.choices,
    "visibility": NoteRule.Audience.choices,
}


@require_safe
@workers_only
def connection(request: HttpRequest, public_id: str) -> HttpResponse:
    found = get_object_or_404(Connection.objects.select_related("organisation", "service"), public_id=public_id)
    is_admin = person(request).is_staff and person(request).has_perm("connectors.change_connection")
    context = {
        "connection": found,
        "condition": connections.condition(found),
        "held_back": intake_limits.held_back(found),
        "stuck": [item for item in sync_issues.stuck(connection=found) if item.kind != "unmapped"],
        "unmapped": [_unmapped(row) for row in connections.unmapped(found)],
        "raw": connections.raw(found) if is_admin else [],
        "is_admin": is_admin,
        "alerting": alerts.alerting(found) if found.purpose == Connection.Purpose.ALERTS else None,
        "page": "sync",
        "cursor": live_cursor(person(request)),
    }
    return render(request, "console/connection.html", context)


def _unmapped(row: UnmappedValue) -> dict[str, object]:
    field = capfirst(localized(field_names.name_of(row.field)))
    return {"row": row, "field": field, "choices": MEANINGS.get(row.field, [])}


@require_POST
@workers_only
def give_meaning(request: HttpRequest, public_id: str, row_id: int) -> HttpResponse:
    """Map one value, and process again what is held because of it."""
    if not person(request).has_perm("connectors.change_mapping"):
        raise PermissionDenied
    found = get_object_or_404(Connection, public_id=public_id)
    row = get_object_or_404(UnmappedValue, pk=row_id, source=public_id)
    meaning, _colon, waits_on = request.POST.get("meaning", "").partition(":")
    try:
        mapping = publishing.give_meaning(found, field=row.field, value=row.value, meaning=meaning, waits_on=waits_on)
    except ValueError as refused:
        messages.error(request, localized(str(refused)))
    else:
        done = _("%(mapping)s is published. Everything held for this value is processed again.")
        messages.success(request, done % {"mapping": mapping})
    return redirect("console:connection", public_id=public_id)


@require_POST
@workers_only
def say_as_comment(request: HttpRequest, row_id: int) -> HttpResponse:
    """Send a parked change as a comment instead."""
    item = get_object_or_404(Outbound.objects.select_related("link__connection"), pk=row_id)
    try:
        parked_items.say_as_comment(item, actor=Actor.person(person(request), us()))
    except ValueError as refused:
        messages.error(request, localized(str(refused)))
    else:
        messages.success(request, _("Sent as a comment. Later changes continue."))
    return redirect("console:connection", public_id=item.link.connection.public_id)
