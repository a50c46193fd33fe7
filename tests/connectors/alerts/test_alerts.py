"""Alerts as tickets: what a real Alertmanager sent, any JSON, repeats, recovery, storms, and what is none."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client

from connectors.engine import hooks, vault
from connectors.engine.inbound.alerts import calls
from connectors.models import AlertState, AlertStorm, Connection, Inbound, Mapping, ValueRule
from connectors.queries import alerts
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Phase, Ticket, UnmappedValue
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments
from workflows.incidents import merging
from workflows.lifecycle import priorities, transitions

pytestmark = pytest.mark.django_db

RECORDED = Path(__file__).resolve().parents[3] / "fixtures" / "vendors" / "alerts"


@pytest.fixture
def tool(us: Any) -> Connection:
    return connected(us)


def connected(us: Any, **settings: str) -> Connection:
    made = Connection.objects.create(
        name="Monitoring",
        organisation=us,
        connector="alerts",
        purpose=Connection.Purpose.ALERTS,
        state=Connection.State.ACTIVE,
        settings=settings,
    )
    mapping = Mapping.objects.create(connection=made, status="published")
    for theirs, ours in (("critical", "P1"), ("warning", "P3")):
        ValueRule.objects.create(mapping=mapping, field="priority", ours=ours, theirs=theirs)
    return made


def post(tool: Connection, body: object, **headers: str) -> int:
    told = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = hooks.address(tool, "http://testserver")
    answer = Client().post(path, told, content_type="application/json", headers=headers)
    dispatcher.drain(most=3)
    return int(answer.status_code)


def alert(key: str, status: str = "down", **more: object) -> dict[str, object]:
    return {"id": key, "title": f"{key} is down", "status": status, **more}


def kinds(ticket: Ticket) -> list[str]:
    return list(Event.objects.filter(ticket=ticket).order_by("seq").values_list("kind", flat=True))


def test_what_a_real_alertmanager_sends_becomes_tickets(tool: Connection) -> None:
    payroll = factories.ServiceFactory(name="Payroll")
    assert post(tool, (RECORDED / "alertmanager-firing.json").read_bytes()) == 202

    first, second = Ticket.objects.order_by("pk")
    assert (first.title, first.priority, first.service) == ("Disk C: on ts-04 is full", "P1", payroll)
    assert (second.title, second.priority, second.service) == ("Disk D: on ts-05 fills", "P3", None)
    assert "97 % used" in first.description
    assert first.opened_at <= first.events.get(seq=1).recorded_at

    post(tool, (RECORDED / "alertmanager-resolved.json").read_bytes())
    assert Ticket.objects.count() == 2
    # In the recording the end lies before the beginning: late news, which ends nothing.
    assert kinds(first) == [EventKind.TICKET_OPENED, EventKind.ALERT_FIRED]
    told = json.loads((RECORDED / "alertmanager-resolved.json").read_text())
    told["alerts"][0]["endsAt"] = datetime.now(UTC).isoformat()
    post(tool, told)
    assert kinds(first)[-1] == EventKind.ALERT_RECOVERED
    assert [state.is_firing for state in AlertState.objects.order_by("pk")] == [False, True]
    for ticket in (first, second):
        assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None
        assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []


def test_any_json_is_read_by_its_expressions(us: Any) -> None:
    tool = connected(
        us,
        pick_items="body.monitors",
        pick_key="item.check.uuid",
        pick_title="item.check.name",
        pick_status="item.state == 2 ? 'down' : 'up'",
        pick_severity="item.state == 2 ? 'critical' : 'info'",
        pick_at="item.since",
    )
    post(tool, {"monitors": [{"check": {"uuid": "u1", "name": "Web shop"}, "state": 2, "since": 1760000000}]})
    [ticket] = Ticket.objects.all()
    assert (ticket.title, ticket.priority) == ("Web shop", "P1")
    assert ticket.opened_at == datetime.fromtimestamp(1760000000, UTC)

    post(tool, {"monitors": [{"check": {"uuid": "u1", "name": "Web shop"}, "state": 0, "since": 1760000600}]})
    assert not AlertState.objects.get().is_firing


def test_repeats_fold_into_one_ticket_and_recovery_is_an_event(tool: Connection) -> None:
    for _ in range(5):
        post(tool, alert("db"))
    [ticket] = Ticket.objects.all()
    assert kinds(ticket) == [EventKind.TICKET_OPENED, EventKind.ALERT_FIRED]
    assert AlertState.objects.get().count == 5

    post(tool, alert("db", "ok"))
    post(tool, alert("db", "ok"))
    assert kinds(ticket)[2:] == [EventKind.ALERT_RECOVERED]
    assert Ticket.objects.get().phase == Phase.NEW


def test_what_comes_back_opens_its_ticket_again_and_a_closed_one_is_followed_by_another(
    tool: Connection, agent: Actor
) -> None:
    def now() -> datetime:
        return datetime.now(UTC).replace(microsecond=0)

    post(tool, [alert("db"), alert("web")])
    post(tool, alert("db", "ok"))
    ticket = Ticket.objects.get(title="db is down")
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=now())
    post(tool, alert("db"))
    assert Ticket.objects.get(pk=ticket.pk).phase == Phase.ACTIVE

    post(tool, alert("db", "ok"))
    for name in ("resolve", "close"):
        transitions.move(ticket=ticket, name=name, actor=agent, at=now())
    post(tool, alert("db"))
    following = Ticket.objects.filter(title="db is down").latest("pk")
    assert following.pk != ticket.pk
    assert [(r.kind, r.to_ticket_id) for r in following.relations.all()] == [("follows", ticket.pk)]
    assert Ticket.objects.count() == 3


def test_an_end_resolves_only_what_nobody_has_begun(us: Any, agent: Actor) -> None:
    tool = connected(us, on_recovery="resolve")
    post(tool, [alert("db"), alert("web")])
    begun = Ticket.objects.get(title="web is down")
    transitions.move(ticket=begun, name="activate", actor=agent, at=datetime.now(UTC))
    post(tool, [alert("db", "ok"), alert("web", "ok")])

    assert Ticket.objects.get(title="db is down").phase == Phase.RESOLVED
    assert Ticket.objects.get(pk=begun.pk).phase == Phase.ACTIVE


def test_a_storm_becomes_one_parent(us: Any) -> None:
    tool = connected(us, storm_count="3", storm_minutes="5")
    post(tool, [alert(f"a{n}", severity="warning") for n in range(3)])
    assert Ticket.objects.count() == 3
    post(tool, [alert(f"b{n}", severity="critical") for n in range(20)])

    storm = AlertStorm.objects.get()
    assert Ticket.objects.count() == 4
    assert (storm.count, storm.parent.priority) == (20, "P1")
    children = storm.parent.relations.filter(kind="parent").order_by("to_ticket")
    assert [r.to_ticket.title for r in children] == ["a0 is down", "a1 is down", "a2 is down"]
    assert kinds(storm.parent).count(EventKind.ALERT_FIRED) == 20
    post(tool, alert("a0"))
    assert AlertState.objects.get(key="a0").ticket.title == "a0 is down"

    # After as many quiet minutes it is over.
    AlertStorm.objects.update(last_at=storm.last_at - timedelta(minutes=6))
    AlertState.objects.update(made_ticket_at=storm.last_at - timedelta(minutes=6))
    post(tool, alert("later"))
    assert AlertState.objects.get(key="later").ticket.title == "later is down"


def test_calls_are_read_in_their_order(tool: Connection) -> None:
    path = hooks.address(tool, "http://testserver")
    for status in ("down", "ok", "down", "ok"):
        Client().post(path, json.dumps(alert("db", status)), content_type="application/json")
    rows = list(Inbound.objects.order_by("-pk").values_list("pk", flat=True))
    for pk in rows:  # the newest is asked for first; the oldest is read first all the same
        dispatcher.run(dispatcher.Job("read", pk))

    [ticket] = Ticket.objects.all()
    assert [k for k in kinds(ticket) if k.startswith("alert")] == ["alert.fired", "alert.recovered"] * 2
    assert not AlertState.objects.get().is_firing


def test_a_severity_without_a_meaning_is_p3_and_shown(tool: Connection) -> None:
    post(tool, alert("db", severity="apocalyptic"))

    assert Ticket.objects.get().priority == "P3"
    assert UnmappedValue.objects.get().value == "apocalyptic"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"{}",
        b"[1]",
        b"null",
        b'{"id": {"a": 1}}',
        b"[" * 100_000,
        b'{"id": 1e400}',
        b'{"title": "\\ud800"}',
        b'{"title": "' + b"x" * 100_000 + b'"}',
    ],
)
def test_what_is_no_alert_is_kept_and_disturbs_nobody(tool: Connection, body: bytes) -> None:
    assert post(tool, body) == 202
    post(tool, alert("after"))

    assert Ticket.objects.filter(title="after is down").exists()
    assert not Inbound.objects.filter(state="new").exists()
    parked = Inbound.objects.filter(state="parked")
    assert parked.count() + Ticket.objects.exclude(title="after is down").count() == 1
    assert all(row.error for row in parked)


def test_only_who_knows_the_address_and_the_token_is_heard(tool: Connection) -> None:
    vault.seal(tool, {"token": "a-token"})
    tool.save()
    assert post(tool, alert("x")) == 401
    assert post(tool, alert("x"), **{"X-Token": "wröng"}) == 401
    assert post(tool, alert("x"), Authorization="Bearer a-token") == 202
    assert post(tool, alert("y"), **{"X-Token": "a-token"}) == 202
    assert Client().post(f"/hooks/{tool.public_id}/", "{}", content_type="application/json").status_code == 404
    assert (Ticket.objects.count(), Connection.objects.get().rejected_hooks) == (2, 2)


def test_a_tool_of_ours_takes_no_hand_offs_and_is_not_polled(tool: Connection, agent: Actor, at: datetime) -> None:
    from connectors.engine.inbound import polling
    from workflows.handoffs import engagements

    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=tool.organisation, actor=agent, at=at)

    assert leg.delivered_at == at
    assert polling.due_connections(at=datetime.now(UTC)) == []


def test_people_see_what_fires_and_others_do_not(us: Any, client: Any) -> None:
    tool = connected(us, storm_count="2")
    post(tool, [alert(f"a{n}") for n in range(9)])
    client.force_login(factories.member("manager", us))
    page = client.get(f"/sync/connections/{tool.public_id}/").content.decode()
    assert all(text in page for text in ("Active alerts", "a0 is down", "7 alerts combined"))
    parent = AlertStorm.objects.get().parent
    page = client.get(parent.get_absolute_url()).content.decode()
    assert "7 alerts" in page
    assert "and 2 more" in page
    assert "parent of" in page

    requester = factories.PersonFactory(user=factories.UserFactory())
    Ticket.objects.filter(pk=parent.pk).update(requester=requester)
    client.force_login(requester.user)
    page = client.get(parent.get_absolute_url()).content.decode()
    assert "a3 is down" not in page
    assert "parent of" not in page


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_calls_at_once_make_one_ticket(us: Any) -> None:
    tool = connected(us)
    path = hooks.address(tool, "http://testserver")
    for _ in range(6):
        Client().post(path, json.dumps(alert("db")), content_type="application/json")
    together = threading.Barrier(3)

    def work(pks: list[int]) -> None:
        together.wait()
        try:
            for pk in pks:
                dispatcher.run(dispatcher.Job("read", pk))
        finally:
            database.close()

    rows = list(Inbound.objects.order_by("pk").values_list("pk", flat=True))
    threads = [threading.Thread(target=work, args=(rows[n::3],)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dispatcher.drain(most=3)

    assert (Ticket.objects.count(), AlertState.objects.get().count) == (1, 6)


def test_the_alert_of_a_merged_ticket_goes_on_where_the_ticket_does(us: Any, agent: Actor) -> None:
    tool = connected(us, on_recovery="resolve")
    post(tool, [alert("db"), alert("web")])
    db, web = Ticket.objects.order_by("pk")
    merging.merge(ticket=web, into=db, actor=agent, at=datetime.now(UTC).replace(microsecond=0))
    post(tool, alert("web"))
    assert Ticket.objects.count() == 2
    assert {state.key for state in alerts.alerts_of(db)} == {"db", "web"}

    post(tool, alert("db", "ok"))
    assert Ticket.objects.get(pk=db.pk).phase == Phase.NEW  # the other one fires still
    post(tool, alert("web", "ok"))
    assert kinds(db)[-3:] == [EventKind.ALERT_RECOVERED, EventKind.ALERT_RECOVERED, EventKind.TICKET_MOVED]
    assert Ticket.objects.get(pk=db.pk).phase == Phase.RESOLVED

    post(tool, alert("web"))
    assert Ticket.objects.get(pk=db.pk).phase == Phase.ACTIVE
    assert Ticket.objects.count() == 2
    for ticket in (db, web):
        assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None


def test_more_alerts_than_are_taken_from_one_call_are_told_of(
    tool: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_AT_ONCE", 2)
    post(tool, [alert(f"a{n}") for n in range(3)])

    assert AlertState.objects.count() == 2
    parked = Inbound.objects.get(state="parked")
    assert "One call contained 3 alerts. Only the first 2 were read." in parked.error


# -- an alert that worsens, comes back, and outlives its ticket


def test_a_severity_that_worsens_is_told_and_makes_the_ticket_more_urgent(tool: Connection) -> None:
    post(tool, alert("disk", severity="warning", message="9 % free"))
    post(tool, alert("disk", severity="critical", message="2 % free"))
    ticket = Ticket.objects.get()
    assert ticket.priority == "P1"
    assert kinds(ticket)[1:] == [EventKind.ALERT_FIRED, EventKind.ALERT_FIRED, EventKind.PRIORITY_CHANGED]
    state = AlertState.objects.get()
    assert (state.severity, state.text, state.count) == ("critical", "2 % free", 2)

    post(tool, alert("disk", severity="warning", message="9 % free"))
    assert Ticket.objects.get().priority == "P1"  # an improvement lowers nothing
    post(tool, alert("disk", severity="warning", message="9 % free"))
    assert kinds(ticket).count(EventKind.ALERT_FIRED) == 3  # the same once more is no news
    assert history.verify(Ticket.objects.get()) is None


def test_a_priority_somebody_set_stays_and_what_the_alert_means_is_told(tool: Connection, agent: Actor) -> None:
    post(tool, alert("disk", severity="warning"))
    priorities.override(
        ticket=Ticket.objects.get(),
        priority="P4",
        reason="a test machine",
        actor=agent,
        at=datetime.now(UTC).replace(microsecond=0),
    )
    post(tool, alert("disk", severity="critical"))
    ticket = Ticket.objects.get()
    assert ticket.priority == "P4"
    [told] = ticket.messages.all()
    assert told.body == "The priority would now be P1: the alert is now critical. It was set manually, so it stays P4."
    assert not told.is_for_requester


def test_an_alert_that_comes_back_is_resolved_again_while_nobody_has_begun(us: Any, agent: Actor) -> None:
    tool = connected(us, on_recovery="resolve")
    for status in ("down", "up", "down", "up"):
        post(tool, alert("db", status))
    assert Ticket.objects.get().phase == "resolved"
    post(tool, alert("db"))
    at = datetime.now(UTC).replace(microsecond=0)
    comments.comment(ticket=Ticket.objects.get(), body="I look at it.", actor=agent, at=at)
    post(tool, alert("db", "up"))
    assert Ticket.objects.get().phase == "active"


@pytest.mark.parametrize("ends", [["resolve"], ["resolve", "close"]])
def test_an_alert_that_still_fires_outlives_the_ticket_somebody_ended(
    tool: Connection, agent: Actor, ends: list[str]
) -> None:
    post(tool, alert("db"))
    for name in ends:
        transitions.move(
            ticket=Ticket.objects.get(), name=name, actor=agent, at=datetime.now(UTC).replace(microsecond=0)
        )
    post(tool, alert("db"))
    assert sum(ticket.is_open for ticket in Ticket.objects.all()) == 1
    assert Ticket.objects.count() == len(ends)


def test_a_title_has_no_line_breaks(tool: Connection) -> None:
    post(tool, {"id": "x", "title": "DISK CRITICAL\n2 % free\r\n", "status": "down"})
    assert Ticket.objects.get().title == "DISK CRITICAL 2 % free"
