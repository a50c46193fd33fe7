"""A transition with three guards and four actions compared with the same writes, and the transitions of a ticket list.

The floor takes the lock and directly calls what the actions do, without rules, so that the same rows and the same
events are written. Statements are counted once, time is measured in rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Team, Ticket, Workflow
from tests import factories
from tests.bench.__main__ import Counted, Measured, measure
from tests.bench.dataset import publish_workflow
from workflows.handoffs import comments
from workflows.lifecycle import transitions
from workflows.rules import execution, verbs
from workflows.rules.context import contexts

TICKETS = 60
PAGE = 50
AT = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


def entries() -> tuple[list[Measured], list[Counted]]:
    us = Organisation.objects.filter(is_us=True).first() or factories.UsFactory()
    user = factories.member("agent", us)
    actor, team = Actor.person(user, us), Team.objects.create(organisation=us, name="First line")
    service = factories.ServiceFactory(tier=1)
    Workflow.objects.get_or_create(name="Standard", defaults={"is_default": True})
    publish_workflow(team)
    numbers = count()

    def made() -> list[Ticket]:
        return [
            tickets.open_ticket(title=f"bench {next(numbers)}", service=service, actor=actor, at=AT)
            for _ in range(TICKETS)
        ]

    ready: list[Ticket] = []

    def prepare() -> None:
        ready[:] = made() + made()

    def by_rule() -> int:
        return _each(ready[:TICKETS], lambda ticket: _fire(ticket, actor))

    def by_hand() -> int:
        return _each(ready[TICKETS:], lambda ticket: _by_hand(ticket, team, actor))

    timed = measure(
        "transitions fired: 3 guards, 4 actions", by_rule, "the same writes without rules", by_hand, before=prepare
    )
    prepare()
    fired, plain = _statements(lambda: _fire(ready[0], actor)), _statements(lambda: _by_hand(ready[-1], team, actor))
    return [timed], [
        Counted(
            name="statements of a fired transition relative to the plain writes",
            value=f"{fired / plain:.2f} ({fired} / {plain})",
            goal="under 2",
            is_met=fired < 2 * plain,
        ),
        Counted(
            name="time of a fired transition relative to the plain writes",
            value=f"{timed.ratio:.2f}",
            goal="under 2",
            is_met=timed.ratio < 2,
        ),
        _page(actor),
    ]


def _each(rows: list[Ticket], work: Callable[[Ticket], object]) -> int:
    for ticket in rows:
        work(ticket)
    return len(rows)


def _fire(ticket: Ticket, actor: Actor) -> None:
    fired = execution.fire(ticket=ticket, verb="take", actor=actor, at=AT + timedelta(minutes=1))
    assert len(fired.done) == 4, fired.failed


@transaction.atomic
def _by_hand(ticket: Ticket, team: Team, actor: Actor) -> None:
    at = AT + timedelta(minutes=1)
    ticket = transitions.move(ticket=tickets.locked(ticket), name="activate", actor=actor, at=at)
    ticket = tickets.set_priority(ticket=ticket, priority="P1", actor=actor, at=at)
    tickets.assign(ticket=ticket, team=team, actor=actor, at=at)
    ticket = tickets.edit_ticket(ticket=ticket, changes={"urgency": 1}, actor=actor, at=at)
    comments.comment(ticket=ticket, body=f"{ticket.label} is ours", actor=actor, at=at)


def _statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        work()
    return len(seen)


def _page(actor: Actor) -> Counted:
    """The number of queries for the transitions of all tickets of a page: for one ticket and for fifty."""

    def asked(number: int) -> int:
        rows = list(
            Ticket.objects.select_related("status__version", "service", "requester", "holder", "owner")[:number]
        )
        with CaptureQueriesContext(connection) as seen:
            for context in contexts(rows, at=AT).values():
                verbs.available(context, roles=frozenset({"agent"}))
        return len(seen)

    asked(PAGE)  # the policy is read once and cached
    one, fifty = asked(1), asked(PAGE)
    return Counted(
        name=f"queries for the transitions of {PAGE} tickets",
        value=f"{fifty} (for one: {one})",
        goal="the same as for one",
        is_met=fifty == one,
    )
