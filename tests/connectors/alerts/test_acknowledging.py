"""An acknowledgement is sent to the tool: to a running Icinga 2, and to doubles of both tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from connectors.alerts.connector import Alerts
from connectors.engine import registry, vault
from connectors.engine.inbound import alert_acknowledgements
from connectors.kit.errors import Forbidden, LockedOut, Refused, TryLater
from connectors.kit.simulating import Answer, Request, _read
from connectors.models import AlertState, Connection
from connectors.queries import sync_issues
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Ticket
from tests import factories
from tests.connectors.alerts import real_icinga
from tests.connectors.alerts.test_alerts import connected, post
from tests.connectors.alerts.test_tools import icinga, zabbix
from tests.connectors.rest.journey import Server
from worker import dispatcher
from workflows.handoffs import comments, engagements
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


class Double:
    """A tool on loopback; every call is kept."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        request = _read(environ)
        told = json.loads(request.body or b"null")
        self.calls.append((request.method, request.path, told))
        answer = self.answer(request, told)
        content = answer.content()
        start_response(f"{answer.status} x", [("Content-Type", answer.kind), ("Content-Length", str(len(content)))])
        return [content]

    def answer(self, request: Request, told: Any) -> Answer:
        raise NotImplementedError


class Icinga(Double):
    """As Icinga 2.13.6 answers: its real test stands below."""

    def __init__(self) -> None:
        super().__init__()
        self.permissions = ["actions/acknowledge-problem"]
        self.states = {"files-03!load": "CRITICAL", "files-03": "DOWN"}
        self.acknowledged: dict[str, str] = {}

    def answer(self, request: Request, told: Any) -> Answer:
        if request.headers.get("authorization") != "Basic aHViOnMzY3JldA==":
            return Answer(
                status=401, body={"error": 401, "status": "Unauthorized. Please check your user credentials."}
            )
        if request.path == "/v1":
            return Answer(body={"results": [{"user": "hub", "permissions": self.permissions}]})
        name = told.get(told["type"].lower(), "")
        if name not in self.states or "actions/acknowledge-problem" not in self.permissions:
            return Answer(status=404, body={"error": 404, "status": "No objects found."})
        if self.states[name] in ("OK", "UP"):
            return self.told(409, f"{told['type']} {name} is {self.states[name]}.")
        if name in self.acknowledged:
            return self.told(409, f"{told['type']} {name} is already acknowledged.")
        self.acknowledged[name] = told["comment"]
        return self.told(200, f"Successfully acknowledged problem for object '{name}'.")

    def told(self, code: int, status: str) -> Answer:
        return Answer(status=code, body={"results": [{"code": code, "status": status}]})


class Zabbix(Double):
    """As Zabbix answers by its documentation; where the token stands depends on the version."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version, self.problems = version, {"400": {"eventid": "61", "acknowledged": "0"}}
        self.said: dict[str, str] = {}

    def answer(self, request: Request, told: Any) -> Answer:
        if told["method"] == "apiinfo.version":
            assert "auth" not in told
            return self.result(self.version)
        is_new = self.version >= "6.4"
        token = request.headers.get("authorization", "").removeprefix("Bearer ") if is_new else told.get("auth")
        if is_new and "auth" in told:
            return self.error("Invalid parameter “/”: unexpected parameter “auth”.")
        if token != "s3cret":
            return self.error("Session terminated, re-login, please.")
        params = told["params"]
        if told["method"] == "problem.get":
            found = self.problems.get((params.get("objectids") or [""])[0])
            return self.result([found] if found else [])
        assert params["action"] == 6
        self.said |= dict.fromkeys(params["eventids"], params["message"])
        return self.result({"eventids": params["eventids"]})

    def result(self, value: Any) -> Answer:
        return Answer(body={"jsonrpc": "2.0", "result": value, "id": 1})

    def error(self, data: str) -> Answer:
        return Answer(body={"jsonrpc": "2.0", "error": {"code": -32602, "message": "Invalid params.", "data": data}})


@pytest.fixture
def icinga2() -> Icinga:
    return Icinga()


def ready(us: Any, settings: Any, address: str, tool: str = "icinga", *, secret: str = "s3cret") -> Connection:
    made = connected(us, tool=tool, acknowledge="begun", api_url=address, api_user="hub", on_recovery="note")
    vault.seal(made, {"api_secret": secret})
    made.save()
    settings.EGRESS_ALLOW = [address.split("://")[1]]
    return made


@pytest.fixture
def tool(us: Any, settings: Any, icinga2: Icinga) -> Iterator[Connection]:
    server = Server(icinga2)
    yield ready(us, settings, f"http://127.0.0.1:{server.port}")
    server.stop()


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def take(ticket: Ticket, agent: Actor) -> None:
    tickets.assign(ticket=ticket, assignee=factories.UserFactory(), actor=agent, at=now())
    dispatcher.drain(most=3)


def state() -> AlertState:
    return AlertState.objects.get()


# -- when


def test_who_begins_to_work_acknowledges_there(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    ticket = Ticket.objects.get()
    assert icinga2.acknowledged == {}
    comments.comment(ticket=ticket, body="seen", actor=agent, at=now())
    dispatcher.drain(most=3)
    assert icinga2.acknowledged == {}  # to say something is not to take care
    take(ticket, agent)

    assert icinga2.acknowledged == {"files-03!load": f"{ticket.label}: Ada Agent, Northwind IT is working on this."}
    assert icinga2.calls[-1][2] | {"comment": ""} == {
        "type": "Service",
        "service": "files-03!load",
        "author": "Ticket Hub",
        "comment": "",
        "sticky": False,
        "notify": False,
    }
    assert (state().acknowledgement, "Successfully" in state().acknowledge_said) == ("done", True)
    calls = len(icinga2.calls)
    take(ticket, agent)
    assert len(icinga2.calls) == calls  # once


def test_a_vendor_who_accepts_has_begun_and_an_offer_by_a_person_too(
    tool: Connection, icinga2: Icinga, agent: Actor
) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    engagements.offer(ticket=Ticket.objects.get(), organisation=factories.OrganisationFactory(), actor=agent, at=now())
    dispatcher.drain(most=3)

    assert list(icinga2.acknowledged) == ["files-03!load"]


def test_only_where_the_connection_is_set_to(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    tool.settings["acknowledge"] = ""
    tool.save()
    post(tool, icinga("PROBLEM", "CRITICAL"))
    take(Ticket.objects.get(), agent)

    assert (icinga2.calls, state().acknowledgement) == ([], "")


def test_an_alert_that_comes_back_while_somebody_works_is_acknowledged_again(
    tool: Connection, icinga2: Icinga, agent: Actor
) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    take(Ticket.objects.get(), agent)
    post(tool, icinga("RECOVERY", "OK", changed=str(int(now().timestamp()))))
    assert state().acknowledgement == ""
    icinga2.acknowledged.clear()
    post(tool, icinga("PROBLEM", "CRITICAL", changed=str(int(now().timestamp()) + 1)))

    assert list(icinga2.acknowledged) == ["files-03!load"]


def test_one_that_opens_its_ticket_again_is_not_for_nobody_has_begun(
    tool: Connection, icinga2: Icinga, agent: Actor
) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    ticket = Ticket.objects.get()
    take(ticket, agent)
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=now(), reason="turned it off and on")
    post(tool, icinga("RECOVERY", "OK", changed=str(int(now().timestamp()))))
    icinga2.acknowledged.clear()
    post(tool, icinga("PROBLEM", "CRITICAL", changed=str(int(now().timestamp()) + 1)))

    assert Ticket.objects.get().is_open
    assert (icinga2.acknowledged, state().acknowledgement) == ({}, "")


def test_nobody_has_begun_either_when_it_comes_back_once_more(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    """Who resolved the ticket before it was reopened does not work on it now."""
    post(tool, icinga("PROBLEM", "CRITICAL"))
    ticket = Ticket.objects.get()
    take(ticket, agent)
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=now(), reason="turned it off and on")
    at = int(now().timestamp())
    for seconds, kind in enumerate(["RECOVERY", "PROBLEM", "RECOVERY"]):
        post(tool, icinga(kind, "OK" if kind == "RECOVERY" else "CRITICAL", changed=str(at + seconds)))
    icinga2.acknowledged.clear()
    post(tool, icinga("PROBLEM", "CRITICAL", changed=str(at + 3)))
    assert (icinga2.acknowledged, state().acknowledgement) == ({}, "")
    take(Ticket.objects.get(), agent)

    assert list(icinga2.acknowledged) == ["files-03!load"]


def test_our_own_words_that_come_back_are_not_somebody_elses(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    take(Ticket.objects.get(), agent)
    said = icinga2.acknowledged["files-03!load"]
    post(tool, icinga("ACKNOWLEDGEMENT", "CRITICAL", author="Ticket Hub", comment=said))
    assert not Event.objects.filter(kind=EventKind.ALERT_ACKNOWLEDGED).exists()
    post(tool, icinga("ACKNOWLEDGEMENT", "CRITICAL", author="Ines", comment="I look at it"))

    assert Event.objects.filter(kind=EventKind.ALERT_ACKNOWLEDGED).count() == 1


# -- how it ends


@pytest.mark.parametrize("status", ["OK", "CRITICAL"])
def test_what_needs_no_acknowledgement_any_more_is_as_good_as_done(
    tool: Connection, icinga2: Icinga, agent: Actor, status: str
) -> None:
    """Icinga says 409 to both: over, and acknowledged by somebody there."""
    post(tool, icinga("PROBLEM", "CRITICAL"))
    icinga2.states["files-03!load"] = status
    if status != "OK":
        icinga2.acknowledged["files-03!load"] = "I look at it"
    take(Ticket.objects.get(), agent)

    told = "is OK." if status == "OK" else "is already acknowledged."
    assert (state().acknowledgement, told in state().acknowledge_said) == ("done", True)


def test_a_tool_that_is_away_is_told_later(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    post(tool, icinga("PROBLEM", "CRITICAL"))
    icinga2.answer = lambda request, told: Answer(status=503, body={})  # type: ignore[method-assign]
    take(Ticket.objects.get(), agent)
    assert (state().acknowledgement, state().acknowledge_attempts) == ("due", 1)
    del icinga2.answer
    dispatcher.drain(most=3)
    assert icinga2.acknowledged == {}  # not before its time
    AlertState.objects.update(acknowledge_at=timezone.now())
    dispatcher.drain(most=3)

    assert (state().acknowledgement, list(icinga2.acknowledged)) == ("done", ["files-03!load"])


def test_an_answer_to_the_last_time_it_fired_is_not_taken_for_this_one(
    tool: Connection, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the tool answers, the alert ends and fires again: that has not been acknowledged yet."""

    calls: list[str] = []

    def slowly(self: Alerts, key: str, *, author: str, text: str) -> str:
        calls.append(key)
        if len(calls) > 1:
            raise TryLater("The vendor's system cannot be reached.")
        at = int(now().timestamp())
        post(tool, icinga("RECOVERY", "OK", changed=str(at)))
        post(tool, icinga("PROBLEM", "CRITICAL", changed=str(at + 1)))
        return "Successfully acknowledged."

    post(tool, icinga("PROBLEM", "CRITICAL"))
    monkeypatch.setattr(Alerts, "acknowledge", slowly)
    take(Ticket.objects.get(), agent)

    assert len(calls) == 2
    assert (state().acknowledgement, state().acknowledge_said) == ("due", "The vendor's system cannot be reached.")


def test_what_the_tool_refuses_is_one_line_for_a_person_and_stops_nothing_else(
    tool: Connection, icinga2: Icinga, agent: Actor, admin_client: Client
) -> None:
    icinga2.permissions = []
    for host in ("a", "b", "c"):
        post(tool, icinga("PROBLEM", "CRITICAL", host=host))
    for ticket in Ticket.objects.all():
        take(ticket, agent)

    [stuck] = sync_issues.stuck(connection=tool)
    assert stuck.title == "Monitoring does not accept acknowledgements"
    assert "lacks the permission actions/acknowledge-problem" in stuck.why
    assert "and 2 more" in stuck.why
    assert Connection.objects.get().state == Connection.State.ACTIVE
    icinga2.permissions = ["actions/acknowledge-problem"]
    icinga2.states |= {f"{host}!load": "CRITICAL" for host in ("a", "b", "c")}
    admin_client.post(f"/sync/acknowledgement/{tool.pk}/retry/")
    dispatcher.drain(most=3)
    assert len(icinga2.acknowledged) == 3
    assert sync_issues.stuck(connection=tool) == []


def test_those_that_failed_can_be_left_out(
    tool: Connection, icinga2: Icinga, agent: Actor, admin_client: Client
) -> None:
    icinga2.states = {}
    post(tool, icinga("PROBLEM", "CRITICAL"))
    take(Ticket.objects.get(), agent)
    page = admin_client.get("/sync/").content.decode()
    assert "does not accept acknowledgements" in page
    admin_client.post(f"/sync/acknowledgements/{tool.pk}/leave-out/")

    assert sync_issues.stuck(connection=tool) == []
    assert "skipped" in admin_client.get(Ticket.objects.get().get_absolute_url()).content.decode()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_workers_say_it_once(tool: Connection, icinga2: Icinga, agent: Actor) -> None:
    """The second one comes while the tool, in a thread of its own, has not answered the first."""
    post(tool, icinga("PROBLEM", "CRITICAL"))
    AlertState.objects.update(acknowledgement="due", acknowledge_at=timezone.now(), acknowledge_text="x")
    at = timezone.now()
    assert alert_acknowledgements.due(at=at) == [state().pk]
    plain = icinga2.answer
    seen: list[list[int]] = []

    def meanwhile(request: Request, told: Any) -> Answer:
        try:
            seen.append(alert_acknowledgements.due(at=timezone.now()))
            alert_acknowledgements.send(alert_id=state().pk)
        finally:
            database.close()
        return plain(request, told)

    icinga2.answer = meanwhile  # type: ignore[method-assign]
    alert_acknowledgements.send(alert_id=state().pk)
    assert (seen, len(icinga2.calls)) == ([[]], 1)
    assert state().acknowledgement == "done"


# -- Zabbix


@pytest.mark.parametrize("version", ["6.0.14", "6.4.0", "7.2.1"])
def test_zabbix_is_told_by_the_newest_problem_of_the_trigger(
    us: Any, settings: Any, agent: Actor, version: str
) -> None:
    app = Zabbix(version)
    server = Server(app)
    made = ready(us, settings, f"http://127.0.0.1:{server.port}", "zabbix")
    with registry.ready(made) as connector:
        connector.check()
    post(made, zabbix("1"))
    take(Ticket.objects.get(), agent)
    told = (state().acknowledgement, state().acknowledge_said)
    app.problems["400"]["acknowledged"] = "1"
    alert_acknowledgements.retry(made)
    AlertState.objects.update(acknowledgement="due", acknowledge_at=timezone.now())
    dispatcher.drain(most=3)
    again = state().acknowledge_said
    app.problems.clear()
    AlertState.objects.update(acknowledgement="due", acknowledge_at=timezone.now())
    dispatcher.drain(most=3)
    server.stop()

    assert told == ("done", "Event 61 was acknowledged.")
    assert list(app.said) == ["61"]
    assert again == "It was already acknowledged in Zabbix."
    assert state().acknowledge_said == "Zabbix has no open problem for this trigger any more."


# -- the check


def checked(made: Connection, **settings: str) -> None:
    made.settings |= settings
    with registry.ready(made) as connector:
        connector.check()


@pytest.mark.parametrize(
    ("settings_", "field"),
    [
        ({"tool": "nagios"}, "acknowledge"),
        ({"pick_key": "item.other"}, "pick_key"),
        ({"api_url": ""}, "api_url"),
        ({"api_user": ""}, "api_user"),
    ],
)
def test_the_check_names_the_setting_that_is_missing(tool: Connection, settings_: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(tool, **settings_)
    assert refused.value.field == field


def test_the_check_makes_a_real_call(tool: Connection, icinga2: Icinga, settings: Any) -> None:
    checked(tool)
    icinga2.permissions = ["actions/*"]
    checked(tool)
    icinga2.permissions = ["objects/query/*"]
    with pytest.raises(Forbidden, match="needs the permission actions/acknowledge-problem") as refused:
        checked(tool)
    assert refused.value.field == "api_user"
    vault.seal(tool, {"api_secret": "guessed"})
    with pytest.raises(LockedOut) as locked:
        checked(tool)
    assert locked.value.field == "api_secret"
    settings.EGRESS_ALLOW = ["127.0.0.1:1"]
    with pytest.raises(TryLater) as away:
        checked(tool, api_url="http://127.0.0.1:1")
    assert away.value.field == "api_url"


def test_a_wrong_token_of_zabbix_is_named(us: Any, settings: Any) -> None:
    server = Server(Zabbix("7.0.0"))
    made = ready(us, settings, f"http://127.0.0.1:{server.port}", "zabbix", secret="guessed")
    with pytest.raises(LockedOut) as locked:
        checked(made)
    server.stop()
    assert locked.value.field == "api_secret"


class Other(Double):
    """Not a monitoring tool, but something that answers with JSON."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body

    def answer(self, request: Request, told: Any) -> Answer:
        return Answer(body=self.body)


@pytest.mark.parametrize("tool", ["icinga", "zabbix"])
@pytest.mark.parametrize(
    "body", [{}, [], {"results": []}, {"results": ["?"]}, {"result": None}, {"result": "newest"}, {"result": {}}]
)
def test_an_address_where_something_else_answers_is_named(us: Any, settings: Any, tool: str, body: Any) -> None:
    server = Server(Other(body))
    made = ready(us, settings, f"http://127.0.0.1:{server.port}", tool)
    with pytest.raises(Refused) as refused:
        checked(made)
    server.stop()
    assert refused.value.field == "api_url"


def test_it_is_not_part_of_a_tool_that_is_not_told(us: Any) -> None:
    checked(connected(us, tool="nagios", api_url="http://127.0.0.1:1"))  # nobody answers there, and nobody is asked


# -- a running Icinga


def test_a_running_icinga_is_told(us: Any, settings: Any, agent: Actor, tmp_path: Any) -> None:
    with real_icinga.running(tmp_path) as running:
        made = ready(us, settings, running.address)
        checked(made, api_authority=running.authority)
        made.save()
        running.report("load", 2)
        post(made, icinga("PROBLEM", "CRITICAL"))
        take(Ticket.objects.get(), agent)
        first = (state().acknowledgement, state().acknowledge_said)
        comment = running.comments()
        AlertState.objects.update(acknowledgement="due", acknowledge_at=timezone.now())
        dispatcher.drain(most=3)
        again = state().acknowledge_said
        running.report("load", 0)
        AlertState.objects.update(acknowledgement="due", acknowledge_at=timezone.now())
        dispatcher.drain(most=3)
        over = state().acknowledge_said
        AlertState.objects.update(key="files-03!nope", acknowledgement="due", acknowledge_at=timezone.now())
        dispatcher.drain(most=3)
        with pytest.raises(Forbidden):
            checked(made, api_user="poor")

    assert first == ("done", "Successfully acknowledged problem for object 'files-03!load'.")
    assert comment == [("Ticket Hub", f"{Ticket.objects.get().label}: Ada Agent, Northwind IT is working on this.")]
    assert again == "Service files-03!load is already acknowledged."
    assert over == "Service files-03!load is OK."
    assert (state().acknowledgement, "no such host or service" in state().acknowledge_said) == ("failed", True)
