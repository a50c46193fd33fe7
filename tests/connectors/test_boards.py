"""ConnectWise: each board has statuses of its own, and tickets are moved from one to the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.autotask.simulator import QuietServer
from connectors.connectwise import signing
from connectors.connectwise.simulated_tenant import Tenant, status
from connectors.connectwise.simulator import Simulator
from connectors.engine import mapping, registry, vault
from connectors.engine.mapping import NotMapped, mapping_suggestions
from connectors.models import Connection, Difference, Link, Outbound, StatusRule
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Stage
from tests import factories
from tests.conftest import SilentHandler
from tests.connectors.test_engine import now
from worker import dispatcher
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db
FIELD = "2"
"""The other board."""


@pytest.fixture
def company() -> Tenant:
    made = Tenant(
        name="Kvasny",
        domain="kvasny.test",
        company="kvasny",
        companies={"250": "Northwind"},
        people={"kada": "Ada Kvasny"},
    )
    made.boards[FIELD] = {
        "name": "On site",
        "statuses": {
            "31": status("Planned"),
            "32": status("On the way", escalation="Responded"),
            "33": status("Finished", is_closed=True, escalation="Resolved"),
            "34": status("Returned"),
        },
    }
    return made


@pytest.fixture
def desk(company: Tenant, settings: Any) -> Iterator[Simulator]:
    signing._KEYS.clear()
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    app = Simulator([company], base=f"http://127.0.0.1:{server.server_port}", now=lambda: datetime.now(UTC))
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    yield app
    server.shutdown()
    server.server_close()
    thread.join()


RULES = (
    ("16", "acknowledge", "", "offered", "1"),
    ("17", "work", "", "working", "1"),
    ("19", "done", "", "recalled", "1"),
    ("31", "acknowledge", "", "offered", FIELD),
    ("32", "work", "", "working", FIELD),
    ("33", "done", "", "", FIELD),
    ("34", "return", "", "recalled", FIELD),
)


@pytest.fixture
def connected(us: Organisation, desk: Simulator, company: Tenant) -> Connection:
    made = Connection(
        name="Kvasny",
        organisation=factories.OrganisationFactory(name="Kvasny"),
        connector="connectwise",
        state=Connection.State.ACTIVE,
        poll_seconds=0,
        share=100,
        cursor="2020-01-01T00:00:00Z",
        settings={
            "site": desk.base,
            "company": company.company,
            "public_key": company.public_key,
            "member": company.api_member,
            "company_id": "250",
            "board_id": "1",
        },
    )
    vault.seal(made, {"private_key": company.private_key, "client_id": company.client_id})
    made.save()
    vault.seal(made, {"private_key": company.private_key, "client_id": company.client_id})
    made.save()
    rules = factories.mapping(made)
    rules.statuses.all().delete()
    rules.values.all().delete()
    for theirs, verb, waits, says, place in RULES:
        rules.statuses.create(theirs=theirs, label=theirs, verb=verb, waits_on=waits, says=says, place=place)
    rules.notes.all().delete()
    rules.notes.create(theirs="discussion", audience="legs", is_written=True)
    for ours, theirs in (("P1", "1"), ("P2", "2"), ("P3", "3"), ("P4", "4")):
        rules.values.create(field="priority", ours=ours, theirs=theirs)
    return made


def work() -> None:
    Connection.objects.update(next_poll_at=None, resting_until=None)
    dispatcher.drain(most=4)


@pytest.fixture
def moved(connected: Connection, desk: Simulator, company: Tenant, agent: Actor) -> Link:
    """A ticket of ours that their dispatcher moved to the other board, where somebody is on the way."""
    work()
    ticket = tickets.open_ticket(title="Scanner", priority="P3", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connected.organisation, actor=agent, at=now())
    work()
    item = company.tickets[Link.objects.get().remote_key]
    assert item["status"]["id"] == 16  # made with the status of the board that new tickets go to
    item["board"], item["status"] = {"id": 2, "name": "On site"}, {"id": 32, "name": "On the way"}
    desk.touch(item, "kada")
    work()
    return Link.objects.select_related("leg__ticket").get()


def test_a_status_of_another_board_is_followed(moved: Link) -> None:
    assert Leg.objects.get().stage == Stage.WORKING
    assert not Difference.objects.filter(resolved_at=None).exists()


def test_what_we_write_is_the_status_of_the_board_it_lies_on(moved: Link, company: Tenant, agent: Actor) -> None:
    engagements.recall(leg=moved.leg, reason="not needed", actor=agent, at=now())
    work()

    assert company.tickets[moved.remote_key]["status"]["id"] == 34
    assert not Outbound.objects.exclude(state="done").exists()


def test_a_board_without_a_status_for_it_parks_it_with_the_reason(moved: Link, company: Tenant, agent: Actor) -> None:
    """The status of another board is not valid there: it is not even tried."""
    StatusRule.objects.filter(theirs="34").update(says="")
    engagements.recall(leg=moved.leg, reason="not needed", actor=agent, at=now())
    work()

    assert company.tickets[moved.remote_key]["status"]["id"] == 32
    assert "no counterpart for status “recalled (queue 2)”" in Outbound.objects.get(state="parked").error


def test_a_status_without_a_meaning_is_shown_by_name_and_board(moved: Link, desk: Simulator, company: Tenant) -> None:
    StatusRule.objects.filter(theirs="31").delete()
    item = company.tickets[moved.remote_key]
    item["status"] = {"id": 31, "name": "Planned"}
    desk.touch(item, "kada")
    work()

    assert Leg.objects.get().remote_status == "Planned · On site"
    why = Difference.objects.get(field="status", resolved_at=None).why
    assert why == "The vendor's status “31 (Planned · On site)” is not mapped yet."


def test_the_wizard_proposes_for_every_board_in_use_and_begins_with_ours(
    connected: Connection, company: Tenant
) -> None:
    company.boards["3"] = {"name": "Old", "statuses": {"41": status("New")}, "inactive": True}
    with registry.ready(connected) as connector:
        choices = connector.picklists()["status"]
        assert connector.check().own_user
    proposals = mapping_suggestions.statuses(choices)

    assert choices[0].place == "1"
    assert {choice.place for choice in choices} >= {"1", FIELD}
    assert "On the way · On site" in [choice.label for choice in choices]
    says = [(row.choice.place, row.says) for row in proposals if row.says]
    assert len(says) == len(set(says))  # each word once on each board


@pytest.mark.parametrize(("place", "expected"), [("1", "19"), (FIELD, "34"), ("", "19")])
def test_a_word_of_ours_is_written_by_queue(connected: Connection, place: str, expected: str) -> None:
    assert mapping.published(connected).status_for("recalled", place) == expected


def test_a_rule_for_every_queue_serves_where_there_is_none_of_its_own(connected: Connection) -> None:
    StatusRule.objects.filter(theirs="19").update(place="")
    mapped = mapping.published(connected)
    assert [mapped.status_for("recalled", place) for place in ("9", FIELD, "")] == ["19", "34", "19"]
    StatusRule.objects.filter(theirs="19").delete()
    with pytest.raises(NotMapped):
        mapping.published(connected).status_for("recalled", "9")
    assert mapping.published(connected).status_for("closed", "9") is None
