"""The wizard's pages. Every page can be opened again; nothing is written to the vendor's system before the last one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.translation import gettext as _

from connectors.engine import hooks, mapping, registry
from connectors.engine.inbound import polling
from connectors.engine.mapping import dry_run, mapping_suggestions, preview
from connectors.engine.operations import publishing
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import AlertConnector, TicketConnector
from connectors.kit.errors import ConnectorError
from connectors.models import Connection
from connectors.wizard import alerting, audit, drafts, pages
from connectors.wizard.forms.choosing import ChooseForm
from connectors.wizard.forms.intake import IntakeForm
from connectors.wizard.forms.mapping import WordsForm
from connectors.wizard.forms.settings import Picklists, SettingsForm, access_settings, place_settings
from hub.models import Publication
from hub.translation import localized

View = Callable[..., HttpResponse]

DRAFTS = "connection_drafts"
"""Session key: the drafts whose credentials the logged-in user has entered."""
ACCESS = ("settings", "sealed", "memory")
PLACE = ("settings", "memory", "intake", "intake_queues", "service", "acceptance", "sensitive_data", "own_user")
"""The columns that each page writes; workers write the other ones at the same time."""


def urls() -> list[Any]:
    """The wizard's pages, below the admin's list of connections."""
    return [
        path("connect/", _for_admins(choose), name="connectors_connect"),
        path("<int:pk>/access/", _for_admins(access), name="connectors_access"),
        path("<int:pk>/place/", _for_admins(place), name="connectors_place"),
        path("<int:pk>/words/", _for_admins(words), name="connectors_words"),
        path("<int:pk>/look/", _for_admins(look), name="connectors_look"),
        path("<int:pk>/alerts/", _for_admins(alerting.alerts), name="connectors_alerts"),
    ]


def _for_admins(view: View) -> View:
    def guarded(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if not request.user.has_perm("connectors.change_connection"):
            raise PermissionDenied
        return view(request, *args, **more)

    return admin.site.admin_view(guarded)


def choose(request: HttpRequest) -> HttpResponse:
    """Page 1: the vendor, and the kind of system."""
    form = ChooseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(pages.url("access", form.save()))
    return pages.page(request, "choose", None, title=_("Connect a system"), form=form)


def access(request: HttpRequest, pk: int) -> HttpResponse:
    """Page 2: credentials. They are checked at once, and an error is shown at the setting that is wrong.

    A failed check changes nothing. Only a new draft keeps what was entered, so that only the wrong values have to be
    entered again: for the user who entered them, and until the first check succeeds.
    """
    connection = get_object_or_404(Connection, pk=pk)
    kind = registry.kind_of(connection)
    form = SettingsForm(connection, access_settings(kind), {}, request.POST or None)
    is_new = connection.state == Connection.State.DRAFT and not connection.own_user
    form.is_own_draft = is_new and pk in request.session.get(DRAFTS, [])
    if request.method == "POST" and form.is_valid():
        changes = form.changes()
        form.keep()
        if is_new and (form.is_own_draft or not form.kept):
            request.session[DRAFTS] = [*request.session.get(DRAFTS, []), pk]
            connection.save(update_fields=ACCESS)
        if _tried(connection, form, lambda connector: connector.picklists()) is not None:
            connection.save(update_fields=ACCESS)
            audit.changed(request, connection, changes)
            if issubclass(kind, AlertConnector):
                connection.own_user = kind.slug
                connection.save(update_fields=["own_user"])
                return redirect(pages.url("alerts", connection))
            messages.success(request, _("Access works."))
            _go_on(request, connection, form)
            return redirect(pages.url("place", connection))
    return pages.page(
        request, "access", connection, title=_("Access to %s") % localized(kind.label), form=form, kind=kind
    )


def place(request: HttpRequest, pk: int) -> HttpResponse:
    """Page 3: our user, company and queue in the vendor's system, and which of the vendor's tickets are imported."""
    connection = get_object_or_404(Connection, pk=pk)
    kind = registry.kind_of(connection)
    picklists = _read(request, connection)
    if picklists is None:
        return redirect(pages.url("access", connection))
    form = SettingsForm(connection, place_settings(kind), picklists, request.POST or None)
    intake = IntakeForm(connection, picklists, request.POST or None)
    if request.method == "POST" and form.is_valid() and intake.is_valid():
        changes = form.changes()
        form.keep()
        intake.keep(connection)
        checked = _tried(connection, form, lambda connector: connector.check())
        if checked is not None:
            connection.own_user = checked.own_user
            connection.save(update_fields=PLACE)
            audit.changed(request, connection, changes)
            facts = [
                _("%(name)s: %(value)s") % {"name": localized(name), "value": localized(value)}
                for name, value in checked.facts.items()
                if value
            ]
            messages.success(request, _("The check succeeded. %s") % ", ".join(facts))
            if connection.state == Connection.State.LOCKED_OUT:
                publishing.resume(connection)
            return redirect(pages.url("words", connection))
    counts = {name: sum(1 for choice in picklists.get(name, ()) if choice.is_active) for name in ("company", "queue")}
    return pages.page(
        request, "place", connection, title=_("Company and queue"), form=form, intake=intake, counts=counts
    )


def words(request: HttpRequest, pk: int) -> HttpResponse:
    """Page 4: the vendor's statuses, priorities and visibilities, each with a suggested meaning."""
    connection = get_object_or_404(Connection, pk=pk)
    picklists = _read(request, connection)
    if picklists is None:
        return redirect(pages.url("access", connection))
    statuses, priorities, notes = drafts.proposals(connection, picklists)
    form = WordsForm(statuses, priorities, picklists, notes, request.POST or None, pack=drafts.pack(connection, notes))
    if request.method == "POST" and form.is_valid():
        drafts.write(connection, form)
        return redirect(pages.url("look", connection))
    held = mapping_suggestions.complaints(statuses, priorities, notes)
    return pages.page(request, "words", connection, title=_("Value mapping"), form=form, held=held)


def look(request: HttpRequest, pk: int) -> HttpResponse:
    """Page 5: a preview of what both sides would see, a dry run of the last week, and going live."""
    connection = get_object_or_404(Connection, pk=pk)
    draft = drafts.newest(connection)
    if draft is None:
        return redirect(pages.url("words", connection))
    if request.method == "POST":
        return _go_live(request, connection)
    mapped = mapping.of(draft)
    context: Mapping[str, Any] = {}
    try:
        with registry.ready(connection, TicketConnector) as connector:
            context = {
                "seen": preview.seen_there(connector, mapped, to=connection.organisation),
                "dry_run": dry_run.dry_run(connection, connector, mapped),
            }
    except (ConnectorError, CannotUnseal) as error:
        messages.error(request, _("The dry run could not read the vendor's tickets: %s") % localized(str(error)))
    return pages.page(
        request,
        "look",
        connection,
        title=_("Preview"),
        draft=draft,
        packed=preview.packed(mapped),
        canaries=preview.canaries(mapped),
        heard=preview.heard_here(mapped),
        other=_other(connection),
        is_public=settings.PUBLIC_URL.startswith("https://"),
        **context,
    )


def _other(connection: Connection) -> Connection | None:
    """The live connection of the same organisation, which has to be paused before this one can go live."""
    rows = Connection.objects.filter(
        organisation=connection.organisation, purpose=Connection.Purpose.TICKETS, state=Connection.State.ACTIVE
    )
    return rows.exclude(pk=connection.pk).first()


def _go_live(request: HttpRequest, connection: Connection) -> HttpResponse:
    other = _other(connection)
    if other is not None:
        messages.error(request, _("%s is live for this organisation. Pause or archive that connection first.") % other)
        return redirect(pages.url("look", connection))
    try:
        polling.begin(connection)
    except (ConnectorError, CannotUnseal) as error:
        messages.error(
            request, _("The connection could not go live, because reading failed: %s") % localized(str(error))
        )
        return redirect(pages.url("look", connection))
    draft = drafts.newest(connection)
    if draft is not None and draft.status == Publication.DRAFT:
        publishing.publish_mapping(draft)
    Connection.objects.filter(pk=connection.pk).update(state=Connection.State.ACTIVE, last_error="", failures=0)
    connection.refresh_from_db()
    messages.success(
        request,
        _("%(connection)s is live. Open a ticket and hand it over to %(organisation)s.")
        % {"connection": connection, "organisation": connection.organisation},
    )
    if request.POST.get("hook"):
        try:
            hooks.register(connection, hub_url=settings.PUBLIC_URL)
        except ConnectorError as error:
            messages.warning(
                request,
                _("The webhook could not be registered: %s Polling still fetches everything.") % localized(str(error)),
            )
    return redirect("console:connection", public_id=connection.public_id)


def _read(request: HttpRequest, connection: Connection) -> Picklists | None:
    """The vendor's current picklists; None, with a message on the page, if they cannot be read."""
    try:
        with registry.ready(connection) as connector:
            return connector.picklists()
    except (ConnectorError, CannotUnseal, KeyError) as error:
        messages.error(request, _("The vendor's values could not be read: %s") % localized(str(error)))
        return None


def _go_on(request: HttpRequest, connection: Connection, form: SettingsForm) -> None:
    """Resume a locked-out connection if the check succeeds with what was entered."""
    if connection.state != Connection.State.LOCKED_OUT:
        return
    if _tried(connection, form, lambda connector: connector.check()) is None:
        messages.warning(
            request,
            _("The connection is still locked out, because the check failed. %s")
            % " ".join(map(str, form.non_field_errors())),
        )
        return
    publishing.resume(connection)
    messages.success(request, _("%s was resumed; pending changes are sent now.") % connection)


def _tried(connection: Connection, form: SettingsForm, call: Callable[[Any], Any]) -> Any:
    """The result of `call` with these settings; None if it failed, and the form shows the error."""
    try:
        with registry.ready(connection) as connector:
            return call(connector)
    except (ConnectorError, CannotUnseal) as error:
        field = getattr(error, "field", "")
        elsewhere = {setting.name: localized(setting.label) for setting in registry.kind_of(connection).settings}
        if field in elsewhere and field not in form.fields:
            form.add_error(
                None,
                _("%(error)s Correct “%(setting)s” on the page Access.")
                % {"error": localized(str(error)), "setting": elsewhere[field]},
            )
        else:
            form.add_error(field if field in form.fields else None, localized(str(error)))
    except ValueError:
        form.add_error(None, _("A setting has the wrong format. Check IDs and addresses."))
    return None
