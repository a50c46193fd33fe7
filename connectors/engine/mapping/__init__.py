"""The mapping of a connection: which of the vendor's values correspond to which of ours."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from connectors.engine.mapping import field_names
from connectors.models import Connection, FieldRule, Mapping, NoteRule, PackPlace, StatusRule, ValueRule
from hub.core import statements
from hub.core.read_once import read_once
from hub.core.sentences import sentence
from hub.models import Leg, Phase, Publication, Stage, Ticket

Says = StatusRule.Says


class NotMapped(Exception):
    """A value has no counterpart in the mapping. `value` may be a sentence, where it is one of ours."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(
            sentence(
                "The mapping has no counterpart for %(field)s “%(value)s”. Add one and try again.",
                field=field_names.name_of(field),
                value=value,
            )
        )
        self.field, self.value = field, value


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """One version of a mapping, in memory."""

    fields: dict[str, FieldRule]
    values: tuple[ValueRule, ...]
    statuses: dict[str, StatusRule]
    notes: dict[str, NoteRule]
    pack: str = PackPlace.DESCRIPTION
    """Where the hand-off pack goes: a `PackPlace`."""

    def comes_in(self, field: str) -> bool:
        """Whether the vendor's value of this field is followed."""
        rule = self.fields.get(field)
        return rule is not None and rule.direction != FieldRule.Direction.OUT and rule.sync_when != "never"

    def goes_out(self, field: str, *, is_insert: bool) -> bool:
        """Whether our value of this field is sent; `is_insert` when the record is created."""
        rule = self.fields.get(field)
        if rule is None or rule.direction == FieldRule.Direction.IN or rule.sync_when == "never":
            return False
        return is_insert or rule.sync_when == FieldRule.SyncWhen.UPDATE

    def is_theirs(self, field: str) -> bool:
        """Whether the vendor's value of this field wins."""
        return self.fields[field].authority == FieldRule.Authority.THEIRS

    def status(self, theirs: str) -> StatusRule:
        """The rule for one of the vendor's statuses; NotMapped if there is none."""
        try:
            return self.statuses[theirs]
        except KeyError as error:
            raise NotMapped("status", theirs) from error

    def status_for(self, says: str, place: str = "") -> str | None:
        """The vendor's status for a state of ours, in the record's queue; None if the mapping has no status for it.

        NotMapped if it has one for other queues only: a status of one queue is not valid in another.
        """
        rows = {rule.place: rule.theirs for rule in reversed(self.statuses.values()) if rule.says == says}
        if not rows:
            return None
        if not place or place in rows or "" in rows:
            return rows.get(place) or rows.get("") or next(reversed(rows.values()))
        label = field_names.label_of(Says(says).label)
        raise NotMapped("status", sentence("%(status)s (queue %(queue)s)", status=label, queue=place))

    def value_in(self, field: str, theirs: str) -> str | None:
        """Our value for one of the vendor's; None if it is not mapped."""
        return next((rule.ours for rule in self.values if (rule.field, rule.theirs) == (field, theirs)), None)

    def value_out(self, field: str, ours: str) -> str:
        """The vendor's value for one of ours; NotMapped if there is none."""
        for rule in self.values:
            if (rule.field, rule.ours) == (field, ours):
                return rule.theirs
        raise NotMapped(field, ours)

    def label(self, field: str, theirs: str) -> str:
        """The vendor's label for one of the vendor's values."""
        if field == "status" and theirs in self.statuses:
            return self.statuses[theirs].label or theirs
        return next((r.label or theirs for r in self.values if (r.field, r.theirs) == (field, theirs)), theirs)

    def audience(self, visibility: str) -> str:
        """Who reads a vendor's note with this visibility; NotMapped if it is not mapped: there is no default."""
        try:
            return self.notes[visibility].audience
        except KeyError as error:
            raise NotMapped("visibility", visibility) from error

    def visibility(self, *, is_for_requester: bool, is_for_vendor_alone: bool = False) -> str:
        """The visibility of a message of ours in the vendor's system; NotMapped if the mapping has none.

        A message for this vendor only gets the visibility that nobody else can read, if there is one.
        """
        if is_for_vendor_alone and not is_for_requester:
            for rule in self.notes.values():
                if rule.is_written_for_vendor:
                    return rule.theirs
        wanted = NoteRule.Audience.REQUESTER if is_for_requester else NoteRule.Audience.LEGS
        for rule in self.notes.values():
            if rule.is_written and rule.audience == wanted:
                return rule.theirs
        for rule in self.notes.values():
            if rule.is_written_for_legs and not is_for_requester:
                return rule.theirs
        raise NotMapped("audience", field_names.label_of(wanted.label))


def published(connection: Connection) -> Mapped:
    """The published mapping; an empty one, with which nothing is synchronised, if none is published."""
    pk = _published.first(connection.pk)
    return Mapped(fields={}, values=(), statuses={}, notes={}) if pk is None else _loaded(connection.public_id, pk)


@statements.select
def _published(connection_id: int) -> QuerySet[Mapping, int]:
    rows = Mapping.objects.filter(connection=connection_id, status=Publication.PUBLISHED)
    return rows.values_list("pk", flat=True)


@read_once(maxsize=1024)
def _loaded(_connection: str, pk: int) -> Mapped:
    """A published version never changes, so it is read once."""
    return of(Mapping.objects.get(pk=pk))


def of(mapping: Mapping) -> Mapped:
    """One version of a mapping, draft or not."""
    return Mapped(
        fields={rule.field: rule for rule in mapping.fields.order_by("pk")},
        values=tuple(mapping.values.order_by("pk")),
        statuses={rule.theirs: rule for rule in mapping.statuses.order_by("pk")},
        notes={rule.theirs: rule for rule in mapping.notes.order_by("pk")},
        pack=mapping.pack,
    )


def status_said(ticket: Ticket, leg: Leg) -> str:
    """The state of the engagement that we report to the vendor (`Says`); empty if the vendor ended it."""
    if leg.stage == Stage.DONE and ticket.phase == Phase.CLOSED:
        return Says.CLOSED
    return {
        Stage.OFFERED: Says.OFFERED,
        Stage.ACCEPTED: Says.WORKING,
        Stage.WORKING: Says.WORKING,
        Stage.WAITING: Says.WAITING,
        Stage.DONE: Says.DONE,
        Stage.RECALLED: Says.RECALLED,
        Stage.EXPIRED: Says.RECALLED,  # our deadline ended it, which the vendor's system cannot know
    }.get(Stage(leg.stage), Says.NOTHING)


def ours(ticket: Ticket, leg: Leg, field: str) -> str:
    """Our value of a field, as it is compared with what was agreed."""
    if field == "status":
        return str(status_said(ticket, leg))
    return str(getattr(ticket, field))


def shown_value(field: str, ours: str) -> str:
    """Our value of a field as people read it, in the active language."""
    return str(Says(ours).label) if field == "status" and ours in Says.values else ours


def outgoing(
    mapped: Mapped, ticket: Ticket, leg: Leg, field: str, *, is_insert: bool, place: str = "", is_packed: bool = False
) -> str | None:
    """The value to write for a field; None if there is nothing to write; NotMapped if our value has no counterpart.

    `place` is the queue in which the record lies or will be created. `is_packed` says that the hand-off pack goes in
    a separate note or file, so that the description is only that of the ticket.
    """
    if field == "status":
        return mapped.status_for(status_said(ticket, leg), place) or None
    if field == "priority":
        return mapped.value_out(field, ticket.priority)
    if field == "description" and is_insert:
        asked = ticket.description.strip() or ticket.title
        return asked if is_packed else leg.brief or asked
    return str(getattr(ticket, field))
