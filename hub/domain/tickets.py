"""Operations on the fields of a ticket. Only `workflows.lifecycle.transitions` changes its phase."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from hub.core import statements
from hub.core.sentences import sentence
from hub.domain import absences, history, numbers
from hub.domain.actors import Actor
from hub.models import (
    Asset,
    EventKind,
    Organisation,
    Person,
    Phase,
    Priority,
    Relation,
    Service,
    Site,
    State,
    Team,
    Ticket,
    User,
    WorkflowVersion,
)
from hub.translation import Refusal

EDITABLE = frozenset({"title", "description", "service", "asset", "site", "requester", "impact", "urgency"})
TEXTS = ("title", "description")


class NotEditable(Refusal):
    """The ticket or the field cannot be changed; the message says why."""


def us() -> Organisation:
    """Our own organisation. Raises Organisation.DoesNotExist before the first run."""
    return Organisation.objects.get(is_us=True)


def first_state(phase: Phase, *, service: Service | None = None) -> State:
    """The initial status of a phase in the published workflow of the service, or else in the default workflow."""
    begins = State.objects.filter(version__status=WorkflowVersion.Status.PUBLISHED, phase=phase, is_default=True)
    if service is not None and service.workflow_id is not None:
        own = begins.filter(version__workflow=service.workflow_id).first()
        if own is not None:
            return own
    return begins.get(version__workflow__is_default=True)


def state_of(ticket: Ticket, phase: Phase) -> State:
    """The initial status of a phase in the ticket's own workflow version."""
    return _default_status.one(ticket.status_id, phase)


@statements.select
def _default_status(status_id: int, phase: str) -> QuerySet[State]:
    """The initial status of a phase in the version of this status."""
    return State.objects.filter(version__states=status_id, phase=phase, is_default=True)


def locked(ticket: Ticket) -> Ticket:
    """The ticket, read again with a row lock. Must be called in a transaction."""
    found = _locked.first(ticket.pk)
    if found is None:
        raise Ticket.DoesNotExist(f"The ticket with the key {ticket.pk} does not exist any more.")
    return found


@statements.select
def _locked(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.select_for_update().filter(pk=ticket_id)


@transaction.atomic
def open_ticket(
    *,
    title: str,
    description: str = "",
    priority: str = Priority.P3,
    kind: str = Ticket.Kind.INCIDENT,
    service: Service | None = None,
    requester: Person | None = None,
    asset: Asset | None = None,
    site: Site | None = None,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    raw: Mapping[str, Any] | None = None,
) -> Ticket:
    """Open a ticket, owned and held by us until another organisation is engaged.

    `at` is when the hub records it, `occurred_at` when it was opened in another system; `origin` is the public id of
    that connection, and `raw` keeps the values as they came.
    """
    at = at.replace(microsecond=0)
    # A vendor's clock that runs ahead of ours cannot open a ticket in the future.
    opened_at = min((occurred_at or at).replace(microsecond=0), at)
    ticket = _new_row(
        title=title[:255],
        description=description,
        priority=priority,
        kind=kind,
        service=service,
        requester=requester,
        asset=asset,
        site=site,
        opened_at=opened_at,
        changed_at=at,
        raw=dict(raw or {}),
    )
    _record_opening(ticket, actor=actor, at=at, origin=origin)
    return ticket


def _new_row(*, service: Service | None, opened_at: datetime, **fields: Any) -> Ticket:
    """A new ticket of ours, with the next number and the initial status of its service's workflow."""
    owner = us()
    return Ticket.objects.create(
        number=numbers.take("ticket")[0],
        status=first_state(Phase.NEW, service=service),
        owner=owner,
        holder=owner,
        held_since=opened_at,
        hold_reason="to_assign",
        service=service,
        opened_at=opened_at,
        **fields,
    )


def _record_opening(ticket: Ticket, *, actor: Actor, at: datetime, origin: str) -> None:
    history.record(
        ticket=ticket,
        kind=EventKind.TICKET_OPENED,
        payload=_opening(ticket),
        texts={"title": ticket.title, "description": ticket.description},
        actor=actor,
        at=at,
        occurred_at=ticket.opened_at,
        origin=origin,
    )


def _opening(ticket: Ticket) -> dict[str, Any]:
    """The payload of a ticket's first event."""
    return {
        "number": ticket.number,
        "kind": str(ticket.kind),
        "priority": str(ticket.priority),
        "service": ticket.service.public_id if ticket.service else "",
        "owner": ticket.owner.public_id,
        "requester_organisation": ticket.requester.organisation.public_id if ticket.requester else "",
        "status": ticket.status.slug,
    }


@transaction.atomic
def edit_ticket(
    *,
    ticket: Ticket,
    changes: Mapping[str, Any],
    at: datetime,
    actor: Actor,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> Ticket:
    """Change fields of the ticket; only actual changes are saved and recorded.

    Writing the current value again is no change and leaves no event, so two synchronised systems do not echo each
    other endlessly. Raises NotEditable for a field that is not in EDITABLE, or for a cancelled ticket.
    """
    ticket = locked(ticket)
    changed = _changed(ticket, changes)
    if not changed:
        return ticket
    for name, (_before, after) in changed.items():
        setattr(ticket, name, after)
    history.record(
        ticket=ticket,
        saving=list(changed),
        kind=EventKind.TICKET_EDITED,
        payload={
            "changed": {name: [_named(b), _named(a)] for name, (b, a) in changed.items() if name not in TEXTS},
            "fields": sorted(changed),
        },
        texts={name: str(after) for name, (_before, after) in changed.items() if name in TEXTS},
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
    )
    return ticket


def _changed(ticket: Ticket, changes: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Old and new value by field name, for fields that change. Raises NotEditable if a change is not allowed."""
    refused = set(changes) - EDITABLE
    if refused:
        raise NotEditable(sentence("The field “%(field)s” cannot be edited here.", field=min(refused)))
    if ticket.phase == Phase.CANCELLED:
        raise NotEditable(sentence("%(label)s is cancelled and can no longer be edited.", label=ticket.label))
    pairs = {name: (getattr(ticket, name), value) for name, value in changes.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@transaction.atomic
def set_priority(
    *,
    ticket: Ticket,
    priority: str,
    reason: str = "",
    at: datetime,
    actor: Actor,
    occurred_at: datetime | None = None,
    origin: str = "",
) -> Ticket:
    """Change the priority; the current one is no change. Raises NotEditable for a closed ticket or unknown value."""
    ticket = locked(ticket)
    if priority not in Priority.values:
        choices = ", ".join(Priority.values)
        raise NotEditable(sentence("“%(value)s” is not a priority. Use %(choices)s.", value=priority, choices=choices))
    if not ticket.is_open:
        raise NotEditable(sentence("%(label)s is not open. Its priority can no longer be changed.", label=ticket.label))
    if ticket.priority == priority:
        return ticket
    before, ticket.priority = ticket.priority, priority
    history.record(
        ticket=ticket,
        kind=EventKind.PRIORITY_CHANGED,
        payload={"before": str(before), "after": str(priority), "reason": reason},
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
        saving=["priority"],
    )
    return ticket


@transaction.atomic
def set_status(
    *, ticket: Ticket, status: State, verb: str, reason: str = "", actor: Actor, at: datetime, origin: str = ""
) -> Ticket:
    """Change the status within the current phase. Raises NotEditable for a status of another phase."""
    ticket = locked(ticket)
    if status.phase != ticket.phase:
        raise NotEditable(
            sentence("The status “%(status)s” is not in the phase of %(label)s.", status=status, label=ticket.label)
        )
    before, ticket.status = ticket.status.slug, status
    history.record(
        ticket=ticket,
        kind=EventKind.STATUS_CHANGED,
        payload={"verb": verb, "before": before, "after": status.slug, "reason": reason},
        actor=actor,
        at=at,
        origin=origin,
        saving=["status"],
    )
    return ticket


@transaction.atomic
def assign(
    *,
    ticket: Ticket,
    actor: Actor,
    at: datetime,
    team: Team | None = None,
    assignee: User | None = None,
    origin: str = "",
) -> Ticket:
    """Assign the ticket to one of our teams or people; the current assignment is no change.

    Whoever is absent is assigned nothing: the substitute is, unless an absent person takes the ticket.
    """
    ticket = locked(ticket)
    if assignee is not None and assignee.public_id != actor.id:
        assignee = absences.acting_for(assignee, at=at)
    before = (ticket.team_id, ticket.assignee_id)
    ticket.team = team or ticket.team
    ticket.assignee = assignee or ticket.assignee
    if before == (ticket.team_id, ticket.assignee_id):
        return ticket
    history.record(
        ticket=ticket,
        kind=EventKind.TICKET_ASSIGNED,
        payload={
            "team": team.public_id if team else "",
            "assignee": assignee.public_id if assignee else "",
            "to": str(assignee or team),
        },
        actor=actor,
        at=at,
        origin=origin,
        saving=["team", "assignee"],
    )
    return ticket


@transaction.atomic
def relate(*, ticket: Ticket, other: Ticket, kind: str, actor: Actor, at: datetime, origin: str = "") -> Relation:
    """Relate `ticket` to `other`, and record that on both. An existing relation is returned unchanged."""
    first, second = sorted((ticket.pk, other.pk))
    locks = {pk: Ticket.objects.select_for_update().get(pk=pk) for pk in (first, second)}
    relation, is_new = Relation.objects.get_or_create(from_ticket=ticket, to_ticket=other, kind=kind)
    if not is_new:
        return relation
    _record_relation(relation, locks, EventKind.TICKET_RELATED, actor=actor, at=at, origin=origin)
    return relation


@transaction.atomic
def unrelate(*, relation: Relation, actor: Actor, at: datetime) -> None:
    """Take a relation back, and record that on both tickets. No change if it is gone already."""
    pair = sorted((relation.from_ticket_id, relation.to_ticket_id))
    locks = {pk: Ticket.objects.select_for_update().get(pk=pk) for pk in pair}
    if Relation.objects.filter(pk=relation.pk).delete()[0]:
        _record_relation(relation, locks, EventKind.TICKET_UNRELATED, actor=actor, at=at)


def _record_relation(
    relation: Relation, locks: Mapping[int, Ticket], kind: EventKind, *, actor: Actor, at: datetime, origin: str = ""
) -> None:
    """Record on both tickets that they are related, or no longer are."""
    first, second = locks[relation.from_ticket_id], locks[relation.to_ticket_id]
    for mine, theirs in ((first, second), (second, first)):
        history.record(
            ticket=mine,
            kind=kind,
            payload={
                "kind": str(relation.kind),
                "from": first.public_id,
                "to": second.public_id,
                "other": theirs.label,
                "is_from": int(mine.pk == first.pk),
            },
            actor=actor,
            at=at,
            origin=origin,
        )


def _named(value: Any) -> str:
    return str(getattr(value, "public_id", value) or "")
