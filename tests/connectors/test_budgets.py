"""How many statements one change of a vendor takes, from its hook to the other vendor's system.

The numbers are what the code takes now: a change that needs more has to say why, and one that needs fewer lowers them.
The limit for reading and sending a change of a field is 45; `read` includes one query of the test itself.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors.engine import rate_limits
from connectors.engine.outbound import parked_items
from connectors.models import Connection, Outbound
from hub.models import Organisation
from tests import factories
from tests.bench.vendors import TwoVendors
from workflows.handoffs import comments, engagements, stages

pytestmark = pytest.mark.django_db

STARTS = ("BEGIN", "COMMIT", "ROLLBACK")


def counted(act: Callable[[], object]) -> int:
    """Statements sent by an act; SAVEPOINT and RELEASE count, BEGIN and COMMIT do not."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return len([query for query in captured.captured_queries if not query["sql"].startswith(STARTS)])


def one_change(world: TwoVendors, change: Callable[[int], None]) -> dict[str, int]:
    found = {}
    with rate_limits.passing_slots_on():  # as in the worker
        for number in range(3):  # the first rounds read once what never changes
            change(number)
            body = world.news()
            found = {
                "hook": counted(lambda body=body: world.call(body)),  # type: ignore[misc]
                "read": counted(world.read),
                "send": counted(world.send),
            }
    return found


def test_a_change_of_a_field_keeps_its_budget(us: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.engine.rate_limits.RESERVED", 1000)
    monkeypatch.setattr("connectors.engine.rate_limits.KEPT_SECONDS", 1000)  # however slow the machine is
    with TwoVendors() as world:
        assert one_change(world, world.change_title) == {"hook": 2, "read": 26, "send": 17}


def test_a_note_keeps_its_budget(us: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.engine.rate_limits.RESERVED", 1000)
    monkeypatch.setattr("connectors.engine.rate_limits.KEPT_SECONDS", 1000)  # however slow the machine is
    with TwoVendors() as world:
        assert one_change(world, world.add_note) == {"hook": 2, "read": 38, "send": 16}


def test_no_update_finds_its_rows_through_another_table(us: Organisation) -> None:
    """PostgreSQL does not check such rows again after waiting for a lock, so a condition on them would not hold."""
    with TwoVendors() as world, CaptureQueriesContext(connection) as captured:
        one_change(world, world.change_title)
        one_change(world, world.add_note)
        item = Outbound.objects.filter(link=world.links[1], kind="note").latest("pk")
        for change in (parked_items.retry, lambda each: parked_items.skip(each, why="Done by phone.")):
            Outbound.objects.filter(pk=item.pk).update(state="parked")
            change(item)
    updates = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("UPDATE")]
    assert len(updates) > 30
    assert [sql for sql in updates if " JOIN " in sql] == []


def test_the_number_of_contracts_organisations_and_connections_does_not_matter(
    us: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.engine.rate_limits.RESERVED", 1000)
    monkeypatch.setattr("connectors.engine.rate_limits.KEPT_SECONDS", 1000)  # however slow the machine is
    with TwoVendors() as world:
        one_change(world, world.add_note)  # what a process reads only once is known from here on
        few = one_change(world, world.add_note)
        for number in range(40):
            vendor = factories.OrganisationFactory()
            factories.contract(vendor, kind="uc", goals={"resolve": {"P3": 3600}})
            Connection.objects.create(name=f"Idle {number}", organisation=vendor, connector="autotask")

        assert one_change(world, world.add_note) == few


def test_what_people_do_keeps_its_budget(us: Organisation) -> None:
    with TwoVendors() as world:
        ticket, agent = world.ticket, world.agent
        vendor = factories.OrganisationFactory()
        at = ticket.opened_at
        comments.comment(ticket=ticket, body="first", legs=[], actor=agent, at=at)

        said = counted(lambda: comments.comment(ticket=ticket, body="again", legs=[], actor=agent, at=at))
        offered: list[object] = []
        offer = counted(
            lambda: offered.append(
                engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at, is_lead=False)
            )
        )
        accept = counted(lambda: stages.accept(leg=offered[0], actor=agent, at=at))  # type: ignore[arg-type]

    assert {"comment": said, "offer": offer, "acceptance": accept} == {"comment": 18, "offer": 46, "acceptance": 31}
