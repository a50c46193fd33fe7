"""Rights that are too few: of one record, or of our user; and records that are not found, one or many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.autotask import errors as autotask
from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.connectwise import errors as connectwise
from connectors.engine.inbound import absences
from connectors.engine.operations import publishing
from connectors.engine.outbound import parked_items
from connectors.kit.errors import Forbidden, LockedOut
from connectors.models import Attempt, Connection, Link, Outbound
from connectors.queries import sync_issues
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation
from tests import factories
from tests.connectors.test_engine import DOMAIN, now
from tests.console.test_pages import log_in
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db
NO = b'{"errors":["Your security level does not permit this."]}'


def work(rounds: int = 6) -> None:
    Connection.objects.update(next_poll_at=None, resting_until=None)
    dispatcher.drain(most=rounds)


def linked(connection: Connection, agent: Actor, number: int) -> list[Link]:
    """Tickets that were offered and made there."""
    for n in range(number):
        ticket = tickets.open_ticket(title=f"No {n}", priority="P3", actor=agent, at=now())
        engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    return list(Link.objects.select_related("leg__ticket").order_by("pk"))


def say(link: Link, text: str, agent: Actor) -> None:
    comments.comment(ticket=link.leg.ticket, body=text, actor=agent, at=now(), legs=[link.leg])


def forbid(simulator: Simulator, is_forbidden: Callable[[str, str], bool]) -> None:
    def fault(method: str, path: str) -> Injected | None:
        return Injected(method, path, status=403, body=NO) if is_forbidden(method, path) else None

    simulator._fault = fault  # type: ignore[method-assign]


def allow(simulator: Simulator) -> None:
    forbid(simulator, lambda _method, _path: False)


def parked() -> list[str]:
    return list(Outbound.objects.filter(state="parked").values_list("error", flat=True))


# -- one record


def test_a_refusal_of_one_record_parks_what_was_said_with_their_words(
    connection: Connection, simulator: Simulator, tenant: Tenant, agent: Actor
) -> None:
    first, second = linked(connection, agent, 2)
    forbid(simulator, lambda method, path: method == "POST" and path.endswith(f"/Tickets/{first.remote_key}/Notes"))
    say(first, "refused", agent)
    say(second, "taken", agent)
    work()

    assert parked() == ["Autotask denied access to the API user: Your security level does not permit this."]
    assert [note["description"] for note in tenant.notes.values()] == ["taken"]
    assert Connection.objects.get().state == Connection.State.ACTIVE

    allow(simulator)
    parked_items.retry(Outbound.objects.get(state="parked"))
    work()
    assert [note["description"] for note in tenant.notes.values()] == ["taken", "refused"]


@pytest.mark.parametrize(
    ("records", "refusals_", "between", "is_locked"),
    [
        (3, 5, "", True),
        (5, 5, "", True),
        (2, 5, "", False),
        (3, 4, "", False),
        (3, 5, "ok", False),
        (3, 5, "Refused", False),
        (3, 5, "TryLater", True),
    ],
)
def test_five_in_a_row_over_three_records_are_the_connections_fault(
    connection: Connection,
    simulator: Simulator,
    agent: Actor,
    records: int,
    refusals_: int,
    between: str,
    is_locked: bool,
) -> None:
    links = linked(connection, agent, records)
    Attempt.objects.all().delete()
    forbid(simulator, lambda method, path: method == "POST" and path.endswith("/Notes"))
    for n in range(refusals_):
        link = links[n % records]
        Outbound.objects.filter(link=link, state="parked").update(state="skipped")  # a person leaves it out
        say(link, f"{n}", agent)
        work(2)
        if n == 2 and between:
            item = Outbound.objects.filter(link=link).latest("pk")
            Attempt.objects.create(
                outbound=item, epoch=1, began_at=timezone.now(), ended_at=timezone.now(), outcome=between
            )

    found = Connection.objects.get()
    assert (found.state == Connection.State.LOCKED_OUT) == is_locked
    if is_locked:
        assert found.last_error.startswith(f"5 changes in a row on {records} records were rejected. Autotask denied")


def test_what_was_parked_before_the_connection_was_found_at_fault_goes_out_when_it_goes_on(
    connection: Connection, simulator: Simulator, tenant: Tenant, agent: Actor
) -> None:
    links = linked(connection, agent, 5)
    forbid(simulator, lambda method, path: method == "POST" and path.endswith("/Notes"))
    for n, link in enumerate(links):
        say(link, f"{n}", agent)
    work()
    assert Connection.objects.get().state == Connection.State.LOCKED_OUT
    assert parked() == []

    # Their rights are still too few for one of them: from the resumption on it counts anew.
    forbid(simulator, lambda _method, path: path.endswith(f"/Tickets/{links[0].remote_key}/Notes"))
    publishing.resume(Connection.objects.get())
    work()
    assert Connection.objects.get().state == Connection.State.ACTIVE
    assert len(parked()) == 1
    assert sorted(note["description"] for note in tenant.notes.values()) == ["1", "2", "3", "4"]


def test_where_the_check_fails_as_well_one_refusal_is_enough(
    connection: Connection, simulator: Simulator, agent: Actor
) -> None:
    [link] = linked(connection, agent, 1)
    say(link, "hello", agent)
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1))
    forbid(simulator, lambda _method, path: "/V1.0/" in path)
    dispatcher.run(dispatcher.Job("send", link.pk))

    found = Connection.objects.get()
    assert found.state == Connection.State.LOCKED_OUT
    assert found.last_error.startswith("The check of the connection failed as well: ")
    assert Outbound.objects.get(kind="note").state == Outbound.State.READY


def test_a_poll_that_is_refused_stops_the_connection(connection: Connection, simulator: Simulator) -> None:
    forbid(simulator, lambda _method, path: "query" in path)
    work(1)

    assert Connection.objects.get().state == Connection.State.LOCKED_OUT


@pytest.mark.parametrize("explain", [autotask.explain, connectwise.explain])
def test_403_and_401_are_two_things(explain: Callable[[int, Any], Exception | None]) -> None:
    words = {"errors": ["no right to it"], "message": "no right to it"}
    assert type(explain(403, words)) is Forbidden
    assert "no right to it" in str(explain(403, words)) or explain is connectwise.explain
    assert type(explain(401, words)) is LockedOut


# -- credentials that are put right


@pytest.mark.parametrize("is_right", [True, False])
def test_a_connection_that_is_locked_out_goes_on_with_credentials_that_work(
    connection: Connection, simulator: Simulator, tenant: Tenant, us: Organisation, agent: Actor, is_right: bool
) -> None:
    [link] = linked(connection, agent, 1)
    right, tenant.secret = tenant.secret, "changed there"
    say(link, "hello", agent)
    work()
    assert Connection.objects.get().state == Connection.State.LOCKED_OUT

    tenant.secret = right if is_right else "changed again"
    client = log_in(factories.UserFactory(is_staff=True, is_superuser=True))
    form = {
        "user_name": tenant.api_user,
        "secret": right,
        "integration_code": tenant.integration_code,
        "zone_lookup": connection.settings["zone_lookup"],
    }
    page = client.post(f"/admin/connectors/connection/{connection.pk}/access/", form, follow=True)
    work()

    found = Connection.objects.get()
    assert (found.state == Connection.State.ACTIVE, len(tenant.notes)) == (is_right, int(is_right))
    assert ("was resumed; pending changes are sent now" in page.content.decode()) == is_right


# -- records that are not found


def look(times: int = 1) -> None:
    for _ in range(times):
        Link.objects.filter(state="active").update(is_dirty=True, next_look_at=None)
        work(3)


def test_many_records_that_are_missing_are_one_problem_that_heals_by_itself(
    connection: Connection, simulator: Simulator, tenant: Tenant, agent: Actor
) -> None:
    links = linked(connection, agent, 6)
    hidden = dict(tenant.tickets)
    tenant.tickets.clear()
    look(4)

    assert set(Link.objects.values_list("state", flat=True)) == {"active"}
    [row] = [each for each in sync_issues.stuck() if each.kind in ("connection", "link")]
    assert row.title == "Many records of Deskside Autotask were not found"
    assert "5 of 6 records that were requested within 10 minutes" in row.why
    began = Connection.objects.get().sight_lost_at

    look()
    assert Connection.objects.get().sight_lost_at == began  # told once
    tenant.tickets.update(hidden)
    Link.objects.filter(pk=links[0].pk).update(next_look_at=None)  # one of them is asked for as its time comes
    work()
    assert Connection.objects.get().sight_lost_at is None
    assert set(Link.objects.values_list("missed", "missing_since")) == {(0, None)}
    simulator.act(DOMAIN, "note", ticket=links[3].remote_key, by="501", text="We are on it")
    work()
    assert links[3].leg.ticket.messages.filter(body="We are on it").exists()


def test_links_that_stood_still_before_the_others_were_asked_for_go_on_with_them(
    connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    links = linked(connection, agent, 6)
    tenant.tickets.clear()
    for _ in range(3):
        Link.objects.filter(pk=links[0].pk).update(is_dirty=True, next_look_at=None)
        work(2)
    assert Link.objects.get(pk=links[0].pk).state == Link.State.QUARANTINED
    look(2)

    first = Link.objects.get(pk=links[0].pk)
    assert (first.state, first.why, first.is_dirty) == (Link.State.ACTIVE, "", True)


@pytest.mark.parametrize(("number", "gone", "is_lost"), [(6, 4, False), (26, 5, False), (25, 5, True), (5, 5, True)])
def test_few_records_that_are_missing_stand_still_one_by_one(
    connection: Connection, tenant: Tenant, agent: Actor, number: int, gone: int, is_lost: bool
) -> None:
    links = linked(connection, agent, number)
    for link in links[:gone]:
        del tenant.tickets[link.remote_key]
    look(4)

    still = Link.objects.filter(state=Link.State.QUARANTINED).count()
    assert (Connection.objects.get().sight_lost_at is not None, still) == (is_lost, 0 if is_lost else gone)


def test_what_was_asked_for_longer_ago_does_not_count(connection: Connection, tenant: Tenant, agent: Actor) -> None:
    linked(connection, agent, 6)
    Link.objects.update(missing_since=timezone.now(), asked_at=timezone.now() - absences.WITHIN - timedelta(seconds=1))
    assert not absences.is_sight_lost(connection.pk)
    Link.objects.update(asked_at=timezone.now())
    assert absences.is_sight_lost(connection.pk)


def test_engagements_that_are_over_are_no_reason(connection: Connection, tenant: Tenant, agent: Actor) -> None:
    for link in linked(connection, agent, 6):
        engagements.recall(leg=link.leg, reason="", actor=agent, at=now())
    Link.objects.update(missing_since=timezone.now(), asked_at=timezone.now())

    assert not absences.is_sight_lost(connection.pk)


def test_a_bulk_deletion_is_over_when_the_engagements_are_recalled(
    connection: Connection, tenant: Tenant, agent: Actor
) -> None:
    """No record is ever found again, so nothing but the next look can end it."""
    links = linked(connection, agent, 6)
    tenant.tickets.clear()
    look(3)
    assert Connection.objects.get().sight_lost_at is not None
    for link in links:
        engagements.recall(leg=link.leg, reason="deleted there", actor=agent, at=now())
    look()

    assert Connection.objects.get().sight_lost_at is None
    assert [row for row in sync_issues.stuck() if row.kind == "connection"] == []
