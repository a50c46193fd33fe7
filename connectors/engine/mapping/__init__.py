"""How a connection's words and ours correspond: the published mapping, ready to be asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.models import Connection, FieldRule, Mapping, NoteRule, PackPlace, StatusRule, ValueRule
from hub.core.sentences import sentence
from hub.models import Leg, Phase, Publication, Stage, Ticket

Says = StatusRule.Says


class NotMapped(Exception):
    """A value has no counterpart; `field` and `value` say which."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(
            sentence(
                "%(field)s “%(value)s” has no counterpart in the mapping; add one and try again.",
                field=field,
                value=value,
            )
        )
        self.field, self.value = field, value


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """One published mapping."""

    fields: dict[str, FieldRule]
    values: tuple[ValueRule, ...]
    statuses: dict[str, StatusRule]
    notes: dict[str, NoteRule]
    pack: str = PackPlace.DESCRIPTION
    """Where the hand-off pack goes: a `PackPlace`."""

    def comes_in(self, field: str) -> bool:
        rule = self.fields.get(field)
        return rule is not None and rule.direction != FieldRule.Direction.OUT and rule.sync_when != "never"

    def goes_out(self, field: str, *, is_insert: bool) -> bool:
        rule = self.fields.get(field)
        if rule is None or rule.direction == FieldRule.Direction.IN or rule.sync_when == "never":
            return False
        return is_insert or rule.sync_when == FieldRule.SyncWhen.UPDATE

    def is_theirs(self, field: str) -> bool:
        return self.fields[field].authority == FieldRule.Authority.THEIRS

    def status(self, theirs: str) -> StatusRule:
        try:
            return self.statuses[theirs]
        except KeyError as error:
            raise NotMapped("status", theirs) from error

    def status_for(self, says: str, place: str = "") -> str | None:
        """Their status for what we have to say, of the queue the record lies in; None where the mapping says nothing.

        NotMapped where it says something of it for other queues only: a status of one queue is not valid in another.
        """
        rows = {rule.place: rule.theirs for rule in reversed(self.statuses.values()) if rule.says == says}
        if not rows:
            return None
        if not place or place in rows or "" in rows:
            return rows.get(place) or rows.get("") or next(reversed(rows.values()))
        raise NotMapped("status", f"{says} in queue {place}")

    def value_in(self, field: str, theirs: str) -> str | None:
        return next((rule.ours for rule in self.values if (rule.field, rule.theirs) == (field, theirs)), None)

    def value_out(self, field: str, ours: str) -> str:
        for rule in self.values:
            if (rule.field, rule.ours) == (field, ours):
                return rule.theirs
        raise NotMapped(field, ours)

    def label(self, field: str, theirs: str) -> str:
        """Their value as their people read it."""
        if field == "status" and theirs in self.statuses:
            return self.statuses[theirs].label or theirs
        return next((r.label or theirs for r in self.values if (r.field, r.theirs) == (field, theirs)), theirs)

    def audience(self, visibility: str) -> str:
        """Who sees a note of theirs; an unmapped visibility is held, never defaulted."""
        try:
            return self.notes[visibility].audience
        except KeyError as error:
            raise NotMapped("visibility", visibility) from error

    def visibility(self, *, is_for_requester: bool, is_for_vendor_alone: bool = False) -> str:
        """How a message of ours is marked there; held where the mapping does not say.

        What is for this vendor alone goes where nobody else reads, if there is such a place.
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
        raise NotMapped("audience", str(wanted))


def published(connection: Connection) -> Mapped:
    """The mapping in force; empty, so that everything is held, where none is published."""
    mapping = Mapping.objects.filter(connection=connection, status=Publication.PUBLISHED).first()
    return Mapped(fields={}, values=(), statuses={}, notes={}) if mapping is None else of(mapping)


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
    """What we have to say about the leg's status; empty where its end was theirs to tell."""
    if leg.stage == Stage.DONE and ticket.phase == Phase.CLOSED:
        return Says.CLOSED
    return {
        Stage.OFFERED: Says.OFFERED,
        Stage.ACCEPTED: Says.WORKING,
        Stage.WORKING: Says.WORKING,
        Stage.WAITING: Says.WAITING,
        Stage.DONE: Says.DONE,
        Stage.RECALLED: Says.RECALLED,
        Stage.EXPIRED: Says.RECALLED,  # our deadline ended it; their system does not know
    }.get(Stage(leg.stage), Says.NOTHING)


def ours(ticket: Ticket, leg: Leg, field: str) -> str:
    """Our side of a field, as it is compared with what was agreed."""
    if field == "status":
        return str(status_said(ticket, leg))
    return str(getattr(ticket, field))


def outgoing(
    mapped: Mapped, ticket: Ticket, leg: Leg, field: str, *, is_insert: bool, place: str = "", is_packed: bool = False
) -> str | None:
    """What to write there for a field; None where there is nothing to write; NotMapped where there should be.

    `place` is the queue in which their record lies, or will lie. `is_packed`: the hand-off pack goes in a note or file
    of its own, so that the description says only what is asked.
    """
    if field == "status":
        return mapped.status_for(status_said(ticket, leg), place) or None
    if field == "priority":
        return mapped.value_out(field, ticket.priority)
    if field == "description" and is_insert:
        asked = ticket.description.strip() or ticket.title
        return asked if is_packed else leg.brief or asked
    return str(getattr(ticket, field))
