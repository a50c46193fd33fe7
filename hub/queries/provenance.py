"""Where the value of each field of a ticket comes from: every change, by whom, in which system, with both values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from hub.models import Asset, Event, EventKind, Person, Service, Site, State, Team, Ticket, User
from hub.models.event import undone_by
from hub.models.fields import label_of

KINDS = (
    EventKind.TICKET_OPENED,
    EventKind.TICKET_EDITED,
    EventKind.PRIORITY_CHANGED,
    EventKind.TICKET_ASSIGNED,
    EventKind.STATUS_CHANGED,
    EventKind.TICKET_MOVED,
    EventKind.ACTION_UNDONE,
)
NAMED: dict[str, type[Model]] = {
    "service": Service,
    "requester": Person,
    "asset": Asset,
    "site": Site,
    "team": Team,
    "assignee": User,
}
"""The fields whose values are stored in events as public ids."""
ERASED = "…"


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """One change of one field. Values are shown as names, in the reader's language where they have one."""

    field: str
    label: str
    before: str
    after: str
    at: datetime
    recorded_at: datetime
    by: str
    organisation: str
    origin: str
    """The public id of the connection that the change came through; empty for our own pages and rules."""


def changes(ticket: Ticket) -> list[FieldChange]:
    """All changes of the ticket's fields that were not undone, oldest first.

    Two queries, and one per kind of row that is named.
    """
    rows = Event.objects.filter(ticket=ticket, kind__in=KINDS).select_related("actor_organisation").order_by("seq")
    undone = undone_by(rows)
    values: dict[str, str] = {}
    found: list[FieldChange] = []
    for event in (row for row in rows if row.seq not in undone):
        for field, after in _set_by(event):
            change = FieldChange(
                field=field,
                label=label_of(Ticket, field),
                before=values.get(field, ""),
                after=after,
                at=event.occurred_at,
                recorded_at=event.recorded_at,
                by=event.actor_name,
                organisation=event.actor_organisation.name if event.actor_organisation else "",
                origin=event.origin,
            )
            values[field] = after
            if change.after != change.before:
                found.append(change)
    return _with_names(ticket, found)


def latest(found: list[FieldChange]) -> list[FieldChange]:
    """The last change of each field, in the order in which the fields were first set."""
    return list({change.field: change for change in found}.values())


def _set_by(event: Event) -> Iterator[tuple[str, str]]:
    """The fields that the event sets, with their values as stored."""
    payload: dict[str, Any] = event.payload
    if event.kind == EventKind.TICKET_OPENED:
        yield from ((name, _text(event, name)) for name in ("title", "description"))
        yield from ((name, str(payload.get(name, ""))) for name in ("kind", "priority", "service", "status"))
    elif event.kind == EventKind.TICKET_EDITED:
        yield from ((name, _text(event, name)) for name in payload["fields"] if name in ("title", "description"))
        yield from ((name, str(pair[1])) for name, pair in payload["changed"].items())
    elif event.kind == EventKind.PRIORITY_CHANGED:
        yield "priority", str(payload["after"])
    elif event.kind == EventKind.STATUS_CHANGED:
        yield "status", str(payload["after"])
    elif event.kind == EventKind.TICKET_MOVED:
        yield "status", str(payload.get("status", ""))
    else:
        yield from ((name, str(payload[name])) for name in ("team", "assignee") if payload.get(name))


def _text(event: Event, name: str) -> str:
    """A text of the event; a sign in its place if the text has been erased."""
    return str(event.texts.get(name, "")) if name in event.texts else ERASED if name in event.digests else ""


def _with_names(ticket: Ticket, found: list[FieldChange]) -> list[FieldChange]:
    names = {field: _names(model, field, found) for field, model in NAMED.items()}
    states = State.objects.filter(version=ticket.status.version_id).values_list("slug", "name")
    names["status"] = dict(states) if any(change.field == "status" for change in found) else {}
    names["kind"] = {str(value): str(label) for value, label in Ticket.Kind.choices}
    return [
        replace(
            change, before=_shown(names, change.field, change.before), after=_shown(names, change.field, change.after)
        )
        for change in found
    ]


def _names(model: type[Model], field: str, found: list[FieldChange]) -> dict[str, str]:
    """The names of rows by public id."""
    ids = {value for change in found if change.field == field for value in (change.before, change.after) if value}
    rows = model._default_manager.filter(public_id__in=ids) if ids else []
    return {getattr(row, "public_id"): str(row) for row in rows}  # noqa: B009


def _shown(names: dict[str, dict[str, str]], field: str, value: str) -> str:
    if not value or field not in names:
        return value
    return names[field].get(value, value if field in ("status", "kind") else _("(deleted)"))
