"""Importing a vendor's export (`export`) and sharing its tickets with the new vendor.

A ticket that already exists here is shared as it is, if the former vendor worked on it; any other becomes imported
history, which nobody can change. A package that was changed or has an invalid row is rejected as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from hub.domain import files, history, history_sharing, ledger, messages, numbers, tickets
from hub.domain.actors import Actor
from hub.domain.checkpoints import Story
from hub.domain.event_loader import FOLDED, Facts
from hub.domain.organisations import Organisations
from hub.models import (
    Attachment,
    Event,
    EventKind,
    HistoryImport,
    Leg,
    Message,
    Organisation,
    Phase,
    Service,
    Ticket,
    User,
)
from workflows.vendor_change import export
from workflows.vendor_change.package import NotBrought, Package, Row

BATCH = 200


@dataclass(kw_only=True)
class Brought:
    """The result of an import, or of its preview."""

    here: list[Ticket] = field(default_factory=list)
    """Existing tickets of the former vendor: shared as they are."""
    new: list[Row] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    """Existing tickets that are still open: not shared."""
    strange: list[str] = field(default_factory=list)
    """Existing tickets on which the former vendor never worked: left alone."""
    shared: int = 0


def preview(package: Package) -> Brought:
    """What an import would do. Nothing is written."""
    there: dict[str, Ticket] = {}
    theirs: set[int] = set()
    ids = iter(row["id"] for row in package.tickets)
    while chunk := list(islice(ids, 1000)):
        known = Ticket.objects.filter(public_id__in=chunk).select_related("imported_from")
        there |= {ticket.public_id: ticket for ticket in known}
        legs = Leg.objects.filter(ticket__public_id__in=chunk, organisation__public_id=package.vendor_id)
        theirs |= set(legs.values_list("ticket_id", flat=True))
    found = Brought()
    for row in package.tickets:
        ticket = there.get(row["id"])
        if ticket is None:
            found.new.append(row)
        elif ticket.pk not in theirs and not _is_from(package, ticket):
            found.strange.append(ticket.label)
        elif ticket.is_open:
            found.open.append(ticket.label)
        else:
            found.here.append(ticket)
    return found


def _is_from(package: Package, ticket: Ticket) -> bool:
    """Whether an earlier package of the same vendor brought the ticket."""
    batch = ticket.imported_from
    return batch is not None and batch.format == export.FORMAT and ticket.raw.get("package") == package.vendor


def bring(package: Package, *, organisation: Organisation, by: User | None, at: datetime) -> Brought:
    """Import the missing tickets and share all of them with the organisation. Can be interrupted and run again.

    NotBrought where a message already belongs to another ticket here.
    """
    found = preview(package)
    if taken := _taken(package, found.new):
        raise NotBrought(
            [
                _("messages.json: %(message)s already belongs to another ticket here.") % {"message": each}
                for each in taken
            ]
        )
    why = _("%(vendor)s worked on this ticket before.") % {"vendor": package.vendor}
    found.shared = history_sharing.share(found.here, organisation=organisation, why=why, by=by, at=at)
    if not found.new:
        return found
    batch, _is_new = HistoryImport.objects.get_or_create(
        fingerprint=package.fingerprint,
        defaults={"source": str(package.folder)[-255:], "format": export.FORMAT, "imported_at": at},
    )
    bringer = _Bringer(package, batch)
    rows = iter(found.new)
    while chunk := list(islice(rows, BATCH)):
        with transaction.atomic():
            made = bringer.write(chunk)
            found.shared += history_sharing.share(made, organisation=organisation, why=why, by=by, at=at)
            batch.tickets_done += len(made)
            batch.save(update_fields=["tickets_done"])
    batch.status = HistoryImport.Status.DONE
    batch.save(update_fields=["status"])
    return found


def _taken(package: Package, rows: list[Row]) -> list[str]:
    """Ids of messages that exist here although their tickets do not."""
    ids = iter([said["id"] for row in rows for said in package.messages.get(row["number"], ())])
    found: list[str] = []
    while chunk := list(islice(ids, 1000)):
        found += Message.objects.filter(public_id__in=chunk).values_list("public_id", flat=True)
    return found


class _Fact(NamedTuple):
    """One event to write: what happened when."""

    at: datetime
    order: int
    kind: EventKind
    payload: Row
    texts: dict[str, str]
    body: str | None


class _Bringer:
    """Writes the rows of a package as imported history."""

    def __init__(self, package: Package, batch: HistoryImport) -> None:
        self.package, self.batch = package, batch
        self.us, self.actor = tickets.us(), Actor.system("import")
        self.states = {phase: tickets.first_state(phase) for phase in Phase}
        self.services = {service.name: service for service in Service.objects.all()}
        self.organisations: dict[str, Organisation] = {}

    def write(self, chunk: list[Row]) -> list[Ticket]:
        made = [
            self._ticket(row, number) for row, number in zip(chunk, numbers.take("ticket", len(chunk)), strict=True)
        ]
        Ticket.objects.bulk_create(made)
        for ticket, row in zip(made, chunk, strict=True):
            self._fill(ticket, row)
        return made

    def _ticket(self, row: Row, number: int) -> Ticket:
        phase = Phase(row["phase"])
        return Ticket(
            public_id=row["id"],
            number=number,
            kind=row["kind"],
            title=row["title"],
            description=row["description"],
            priority=row["priority"],
            phase=phase,
            status=self.states[phase],
            owner=self.us,
            holder=self.us,
            held_since=row["opened_at"],
            opened_at=row["opened_at"],
            resolved_at=row["resolved_at"],
            closed_at=row["closed_at"],
            changed_at=row["opened_at"],
            service=self.services.get(row["service"]),
            imported_from=self.batch,
            source_number=row["number"],
            raw={"package": self.package.vendor},
        )

    def _fill(self, ticket: Ticket, row: Row) -> None:
        """Write the ticket's events in order, its messages, and the ledger folded from them."""
        facts = [*self._turns(row), *self._said(ticket, row)]
        events = [
            history.build(
                ticket=ticket,
                kind=fact.kind,
                payload=fact.payload,
                texts=fact.texts,
                body=fact.body,
                actor=self.actor,
                at=max(fact.at, ticket.opened_at),
                origin=self.batch.public_id,
            )
            for fact in sorted(facts, key=lambda fact: fact[:2])
        ]
        Event.objects.bulk_create(events)
        folded = [
            Facts(int(event.occurred_at.timestamp()), event.seq, event.kind, event.payload, 0, False)
            for event in events
            if event.kind in FOLDED
        ]
        held = ledger.refold(Story(ticket, folded), Organisations())
        ticket.save(update_fields=["last_seq", "chain_head", "changed_at", *held])

    def _turns(self, row: Row) -> Iterator[_Fact]:
        """Who held the ticket when, as far as the package shows: the vendor while engaged, we at all other times."""
        theirs = [
            each
            for each in self.package.engagements.get(row["number"], ())
            if each["organisation"] == self.package.vendor
        ]
        turns = [(row["opened_at"], self.us.name, "active")]
        turns += [(each["delivered_at"] or each["offered_at"], each["organisation"], "active") for each in theirs]
        turns += [(each["ended_at"], self.us.name, "active") for each in theirs if each["ended_at"]]
        for name in ("resolved", "closed"):
            if row[f"{name}_at"]:
                turns.append((row[f"{name}_at"], self.us.name, name))
        before: tuple[str, str] | None = None
        for number, (at, name, kind) in enumerate(sorted(turns, key=lambda turn: turn[0]), 1):
            yield self._turn(row, number, at, name, kind, before)
            before = (name, kind)

    def _turn(self, row: Row, number: int, at: datetime, name: str, kind: str, before: tuple[str, str] | None) -> _Fact:
        is_now = {"organisation": name, "status": kind}
        was = dict(zip(is_now, before, strict=True)) if before else {}
        payload: Row = {
            "row": number,
            "line": number,
            "status": kind,
            "class": kind,
            "team": "",
            "party": name,
            "organisation_name": name,
            "organisation": self._organisation(name).public_id,
            "priority": row["priority"],
            "changed": [key for key, value in is_now.items() if was.get(key) != value],
        }
        if before is None:
            payload |= {"opened_at": int(row["opened_at"].timestamp()), "policy_priority": row["priority"]}
        if kind == "closed":
            payload["closed_at"] = int(at.timestamp())
        return _Fact(at, number, EventKind.HISTORY_ROW, payload, {}, None)

    def _said(self, ticket: Ticket, row: Row) -> Iterator[_Fact]:
        for number, said in enumerate(self.package.messages.get(row["number"], ()), 1000):
            author = self._organisation(said["by"])
            message = Message.objects.create(
                public_id=said["id"],
                ticket=ticket,
                author_kind=self.actor.kind,
                author_name=author.name,
                author_organisation=author,
                body=said["body"],
                is_for_later_legs=True,
                origin=self.batch.public_id,
                occurred_at=said["at"],
                recorded_at=said["at"],
            )
            payload = {
                "message": message.public_id,
                "author_kind": str(self.actor.kind),
                "organisation": author.public_id,
                "is_for_requester": 0,
                "legs": [],
                "is_for_later_legs": 1,
                "supersedes": "",
            }
            yield _Fact(said["at"], number, EventKind.MESSAGE_ADDED, payload, {}, message.body)
            for file in self.package.attachments.get(said["id"], ()):
                yield self._attached(message, file, number)

    def _attached(self, message: Message, row: Row, order: int) -> _Fact:
        attachment = Attachment(
            ticket=message.ticket,
            message=message,
            name=messages.safe_name(row["name"]),
            sha256=row["sha256"],
            size=row["size"],
            added_at=message.occurred_at,
        )
        files.keep(attachment, (self.package.folder / "files" / row["sha256"]).read_bytes())
        attachment.save()
        payload = {
            "attachment": attachment.public_id,
            "message": message.public_id,
            "sha256": attachment.sha256,
            "size": attachment.size,
        }
        return _Fact(message.occurred_at, order, EventKind.ATTACHMENT_ADDED, payload, {"name": attachment.name}, None)

    def _organisation(self, name: str) -> Organisation:
        """The organisation of that name; an unknown name becomes a new, archived organisation."""
        if name not in self.organisations:
            here = Organisation.objects.filter(Q(name=name) | Q(public_id=self._id_of(name))).first()
            self.organisations[name] = here or Organisation.objects.create(
                name=name, archived_at=self.batch.imported_at
            )
        return self.organisations[name]

    def _id_of(self, name: str) -> str:
        return self.package.vendor_id if name == self.package.vendor else ""
