"""Calls as Icinga 2, Nagios, Zabbix and Grafana make them: which alert, what its state means, when, and who spoke."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.alerts import times, tools
from connectors.alerts.connector import Alerts
from connectors.engine import registry
from connectors.engine.inbound.alerts import folding, silence
from connectors.engine.inbound.alerts.context import Terms
from connectors.kit.errors import Refused
from connectors.models import AlertState, Connection, Inbound
from hub.models import Event, EventKind, Phase, Ticket
from tests import factories
from tests.connectors.alerts.test_alerts import connected, kinds, post

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "take-alerts.md"


def icinga(type_: str, state: str, **more: str) -> dict[str, str]:
    return {
        "type": type_,
        "host": "files-03",
        "service": "load",
        "state": state,
        "output": f"LOAD {state}",
        "changed": "1795000000",
        "author": "",
        "comment": "",
        **more,
    }


def nagios(type_: str, state: str, **more: str) -> dict[str, str]:
    return {
        "notificationtype": type_,
        "hostname": "web-7",
        "servicedesc": "http",
        "servicestate": state,
        "serviceoutput": f"HTTP {state}",
        "hoststate": "UP",
        "hostoutput": "PING OK",
        "timet": "1795000000",
        "notificationauthor": "",
        "notificationcomment": "",
        **more,
    }


def zabbix(value: str, **more: str) -> dict[str, str]:
    return {
        "EVENT.ID": "61",
        "EVENT.VALUE": value,
        "EVENT.STATUS": "PROBLEM" if value == "1" else "RESOLVED",
        "EVENT.NAME": "Queue is long",
        "EVENT.SEVERITY": "critical",
        "EVENT.OPDATA": "900 mails",
        "EVENT.DATE": "2026.02.03",
        "EVENT.TIME": "14:05:06",
        "EVENT.RECOVERY.DATE": "{EVENT.RECOVERY.DATE}",
        "EVENT.RECOVERY.TIME": "{EVENT.RECOVERY.TIME}",
        "EVENT.UPDATE.STATUS": "0",
        "EVENT.UPDATE.ACTION": "{EVENT.UPDATE.ACTION}",
        "EVENT.UPDATE.MESSAGE": "{EVENT.UPDATE.MESSAGE}",
        "TRIGGER.ID": "400",
        "HOST.HOST": "mail-1",
        "USER.FULLNAME": "{USER.FULLNAME}",
        **more,
    }


# -- which alert, and what its state means


def test_the_settings_for_icinga_are_ready(us: Any) -> None:
    """The state counts, whatever kind of notice carries it: flapping ends with the OK and no recovery follows."""
    tool = connected(us, tool="icinga")
    post(tool, icinga("PROBLEM", "CRITICAL"))
    post(tool, icinga("DOWNTIMEEND", "CRITICAL"))
    post(tool, icinga("PROBLEM", "DOWN", service=""))
    assert [ticket.title for ticket in Ticket.objects.order_by("pk")] == [
        "files-03!load: LOAD CRITICAL",
        "files-03: LOAD DOWN",
    ]
    assert Ticket.objects.order_by("pk")[0].opened_at == datetime.fromtimestamp(1795000000, UTC)
    post(tool, icinga("FLAPPINGSTART", "OK", changed="1795000060"))
    assert [state.is_firing for state in AlertState.objects.order_by("pk")] == [False, True]


def test_the_settings_for_nagios_are_ready(us: Any) -> None:
    """Macros without a value stay as they are written: a host notice names the service $SERVICEDESC$."""
    tool = connected(us, tool="nagios")
    post(tool, nagios("PROBLEM", "CRITICAL"))
    literal = {"servicedesc": "$SERVICEDESC$", "servicestate": "$SERVICESTATE$", "serviceoutput": "$SERVICEOUTPUT$"}
    post(tool, nagios("PROBLEM", "", **literal, hoststate="DOWN", hostoutput="PING lost"))
    assert [(ticket.title) for ticket in Ticket.objects.order_by("pk")] == [
        "web-7!http: HTTP CRITICAL",
        "web-7: PING lost",
    ]
    post(tool, nagios("RECOVERY", "", **literal, hoststate="UP", timet="1795000060"))
    assert [state.is_firing for state in AlertState.objects.order_by("pk")] == [True, False]


def test_the_settings_for_zabbix_are_ready(us: Any) -> None:
    tool = connected(us, tool="zabbix", zone="Europe/Prague", on_recovery="resolve")
    post(tool, zabbix("1"))
    ticket = Ticket.objects.get()
    assert (ticket.title, ticket.priority) == ("mail-1: Queue is long", "P1")
    assert ticket.opened_at == datetime(2026, 2, 3, 13, 5, 6, tzinfo=UTC)
    ended = {"EVENT.RECOVERY.DATE": "2026.02.03", "EVENT.RECOVERY.TIME": "14:25:06"}
    post(tool, zabbix("0", **ended))
    post(tool, zabbix("1", **{"EVENT.ID": "62", "EVENT.TIME": "15:00:00"}))
    assert (Ticket.objects.count(), AlertState.objects.get().is_firing) == (1, True)
    # The message of a closing still says value 1 to 0 and RESOLVED: it is an end, as any other.
    post(tool, zabbix("0", **{"EVENT.ID": "62"}, **ended | {"EVENT.RECOVERY.TIME": "15:10:00"}))
    assert Ticket.objects.get().phase == Phase.RESOLVED


def test_grafana_is_known_by_its_shape(us: Any) -> None:
    """As its documentation shows a call (Grafana 11); no running one was tried."""
    tool = connected(us, tool="grafana")
    one = {
        "status": "firing",
        "labels": {"alertname": "Lag", "instance": "db-2", "severity": "warning"},
        "annotations": {"summary": "Replication lags"},
        "startsAt": "2026-02-03T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "c0ffee",
        "generatorURL": "https://grafana.test/alerting/1",
        "silenceURL": "https://grafana.test/silence",
        "values": {"B": 44.2},
    }
    call = {
        "receiver": "hub",
        "status": "firing",
        "orgId": 1,
        "alerts": [one],
        "groupLabels": {},
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "state": "alerting",
        "title": "[FIRING:1]",
    }
    post(tool, call)
    assert [(ticket.title, ticket.priority) for ticket in Ticket.objects.all()] == [("Replication lags", "P3")]
    post(tool, call | {"alerts": [one | {"status": "resolved", "endsAt": "2026-02-03T11:00:00Z"}]})
    assert not AlertState.objects.get().is_firing


def test_what_an_admin_picks_goes_before_what_the_tool_has(us: Any) -> None:
    tool = connected(us, tool="icinga", pick_title="'Icinga: ' + item.output", pick_key="item.id")
    post(tool, icinga("PROBLEM", "CRITICAL"))
    assert AlertState.objects.get().key == "files-03!load"  # what every tool begins with is no choice
    assert Ticket.objects.get().title == "Icinga: LOAD CRITICAL"


# -- what is no alert


@pytest.mark.parametrize("call", [{"state": "CRITICAL", "host": "a"}, {"status": "down", "asset": "a"}, {"x": 1}])
def test_a_call_that_does_not_tell_which_alert_it_is_waits_with_the_places_tried(us: Any, call: Any) -> None:
    post(connected(us), call)

    row = Inbound.objects.get()
    assert (row.state, Ticket.objects.count()) == (Inbound.State.PARKED, 0)
    assert "key: item.id, title: item.title, status: item.status" in row.error


@pytest.mark.parametrize("call", [[], {"alerts": []}, {"alerts": [], "groupKey": "{}"}, {"alerts": [], "id": "x"}])
def test_an_empty_list_takes_nothing_in(us: Any, call: Any) -> None:
    post(connected(us), call)

    row = Inbound.objects.get()
    assert (row.state, row.error) == (Inbound.State.IGNORED, "The call contains no alerts.")
    assert Ticket.objects.count() == 0


def test_calls_that_a_list_leaves_out_are_left_out(us: Any) -> None:
    tool = connected(us, tool="icinga", pick_items="body.type == 'CUSTOM' ? [] : [body]")
    post(tool, icinga("CUSTOM", "CRITICAL"))
    assert Ticket.objects.count() == 0
    post(tool, icinga("PROBLEM", "CRITICAL"))
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("word", ["DOWNTIMESTART", "DowntimeEnd", "CUSTOM", "FLAPPINGSTOP", "Acknowledgement"])
def test_a_state_that_is_no_alert_makes_no_ticket_and_ends_none(us: Any, word: str) -> None:
    tool = connected(us, tool="icinga", pick_status="item.type")
    post(tool, icinga(word, "OK"))
    assert (Ticket.objects.count(), Inbound.objects.get().state) == (0, Inbound.State.IGNORED)
    assert f"the settings of the connection do not map {word}." in Inbound.objects.get().error
    post(tool, icinga("PROBLEM", "CRITICAL"))
    post(tool, icinga(word, "OK"))
    assert (AlertState.objects.get().is_firing, AlertState.objects.get().count) == (True, 1)


def test_the_words_are_the_admins(us: Any) -> None:
    tool = connected(us, ended_words="gut", none_words="Wartung, Test", pick_status="item.status")
    post(tool, {"id": "1", "title": "A", "status": "wartung"})
    assert Ticket.objects.count() == 0
    post(tool, {"id": "1", "title": "A", "status": "ok"})  # not a word of theirs
    post(tool, {"id": "1", "title": "A", "status": "Gut"})
    assert [state.is_firing for state in AlertState.objects.all()] == [False]


# -- when


@pytest.mark.parametrize(
    ("written", "zone", "order", "expected"),
    [
        ("2026.11.28 15:08:06", "America/New_York", None, "2026-11-28T20:08:06"),
        ("2026.11.28T15:08", "America/New_York", None, "2026-11-28T20:08:00"),
        ("11-28-2026 15:07:11", "UTC", None, "2026-11-28T15:07:11"),
        ("28-11-2026 15:07:11", "UTC", None, "2026-11-28T15:07:11"),
        ("28.11.2026 15:07:11", "Europe/Berlin", None, "2026-11-28T14:07:11"),
        ("11-10-2026 15:07:11", "UTC", False, "2026-11-10T15:07:11"),
        ("11-10-2026 15:07:11", "UTC", True, "2026-10-11T15:07:11"),
        ("11-11-2026 15:07:11", "UTC", None, "2026-11-11T15:07:11"),
        ("Sat Nov 28 15:07:11 UTC 2026", "", None, "2026-11-28T15:07:11"),
        ("Sat Nov 28 15:07:11 CET 2026", "Europe/Berlin", None, "2026-11-28T14:07:11"),
        ("2026-11-28 15:11:46 +0530", "", None, "2026-11-28T09:41:46"),
        ("2026-11-28T15:11:46", "Asia/Kolkata", None, "2026-11-28T09:41:46"),
        ("1795878706123", "", None, "2026-11-28T15:11:46"),
    ],
)
def test_times_are_read_as_these_tools_write_them(written: str, zone: str, order: bool | None, expected: str) -> None:
    found = times.told(written, zone=ZoneInfo(zone) if zone else None, is_day_first=order)

    assert found.at is not None
    assert (f"{found.at:%Y-%m-%dT%H:%M:%S}", found.written) == (expected, "")


@pytest.mark.parametrize(
    "written",
    ["2026.11.28 15:08:06", "11-10-2026 15:07:11", "soon", "2026-13-45 99:99", "1e400", "Sat Nov 28 15:07:11 CET 2026"],
)
def test_a_time_that_cannot_be_placed_is_shown_and_not_replaced(us: Any, written: str) -> None:
    tool = connected(us)
    before = datetime.now(UTC).replace(microsecond=0)
    post(tool, {"id": "1", "title": "A", "status": "down", "time": written})
    post(tool, {"id": "1", "title": "A", "status": "up", "time": written})

    ticket = Ticket.objects.get()
    assert f"Time at the monitoring tool: {written}" in ticket.description
    assert ticket.opened_at >= before
    assert ticket.events.latest("seq").texts["written_at"] == written
    assert not AlertState.objects.get().is_firing  # no end is late news by a time that nobody can place


def test_an_end_in_the_hour_that_there_is_twice_ends_its_alert(us: Any) -> None:
    """Begun at 01:50 in summer time, ended at 01:10 by the clock that was put back meanwhile."""
    tool = connected(us, tool="zabbix", zone="America/New_York")
    night = {"EVENT.DATE": "2025.11.02", "EVENT.TIME": "01:50:00"}
    post(tool, zabbix("1", **night))
    post(tool, zabbix("0", **night, **{"EVENT.RECOVERY.DATE": "2025.11.02", "EVENT.RECOVERY.TIME": "01:10:00"}))

    state = AlertState.objects.get()
    assert Ticket.objects.get().opened_at == datetime(2025, 11, 2, 5, 50, tzinfo=UTC)
    assert (state.is_firing, state.changed_at) == (False, datetime(2025, 11, 2, 6, 10, tzinfo=UTC))


def test_of_two_readings_the_one_of_just_now_counts(us: Any) -> None:
    at = datetime(2025, 11, 2, 6, 10, 5, tzinfo=UTC)
    alert = next(
        iter(
            Alerts({"zone": "America/New_York"}, _ports()).read_alerts(
                json.dumps({"id": "1", "title": "A", "status": "down", "time": "2025-11-02 01:10:00"}).encode()
            )
        )
    )
    folding.fold(connection=connected(us), alert=alert, terms=Terms(10, 5, False), at=at)

    assert Ticket.objects.get().opened_at == datetime(2025, 11, 2, 6, 10, tzinfo=UTC)


def _ports() -> Any:
    from connectors.kit.contract import Ports

    return Ports(open_http=lambda **_: pytest.fail("no call"), now=lambda: datetime.now(UTC), memory={})


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"silent_hours": "-1"}, "silent_hours"),
        ({"storm_count": "0"}, "storm_count"),
        ({"pick_said": "item."}, "pick_said"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_their_field(settings: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        Alerts(settings, _ports()).check()
    assert refused.value.field == field


@pytest.mark.parametrize("tool", [slug for slug, _label in tools.TOOLS])
def test_the_ready_settings_of_every_tool_can_be_expressions(tool: str) -> None:
    Alerts({"tool": tool}, _ports()).check()


# -- who spoke


def test_who_acknowledged_and_what_was_said_stands_on_the_ticket_once(us: Any, client: Any) -> None:
    tool = connected(us, tool="icinga")
    post(tool, icinga("PROBLEM", "CRITICAL"))
    for _ in range(2):
        post(tool, icinga("ACKNOWLEDGEMENT", "CRITICAL", author="vera", comment="I restart it"))
    post(tool, icinga("PROBLEM", "CRITICAL"))
    ticket = Ticket.objects.get()
    assert kinds(ticket) == [EventKind.TICKET_OPENED, EventKind.ALERT_FIRED, EventKind.ALERT_ACKNOWLEDGED]

    client.force_login(factories.member("manager", us))
    page = client.get(ticket.get_absolute_url()).content.decode()
    assert page.count("vera: I restart it") == 2  # on the timeline, and beside the alert


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            zabbix(
                "1",
                **{"EVENT.UPDATE.STATUS": "1", "EVENT.UPDATE.ACTION": "acknowledged", "USER.FULLNAME": "Zoe (Admin)"},
            ),
            "Zoe (Admin): acknowledged",
        ),
        (
            zabbix(
                "1", **{"EVENT.UPDATE.STATUS": "1", "EVENT.UPDATE.ACTION": "commented", "EVENT.UPDATE.MESSAGE": "soon"}
            ),
            "commented: soon",
        ),
    ],
)
def test_words_of_zabbix_come_without_its_empty_macros(us: Any, call: dict[str, str], said: str) -> None:
    tool = connected(us, tool="zabbix")
    post(tool, zabbix("1"))
    assert AlertState.objects.get().said == ""
    post(tool, call)
    assert AlertState.objects.get().said == said


def test_a_comment_without_an_author_is_a_persons_only_where_an_admin_says_so(us: Any) -> None:
    post(connected(us), {"id": "1", "title": "A", "status": "down", "comment": "see the runbook"})
    assert not Event.objects.filter(kind=EventKind.ALERT_ACKNOWLEDGED).exists()


def test_words_that_come_with_a_state_that_is_no_alert_are_taken_and_counted_as_taken(us: Any) -> None:
    tool = connected(us, tool="icinga", pick_status="item.type")
    post(tool, icinga("PROBLEM", "CRITICAL"))
    post(tool, icinga("ACKNOWLEDGEMENT", "CRITICAL", author="vera", comment="I restart it"))
    assert AlertState.objects.get().said == "vera: I restart it"
    assert set(Inbound.objects.values_list("state", flat=True)) == {Inbound.State.DONE}


# -- silence


def test_an_alert_that_neither_repeats_nor_ends_is_shown_once(us: Any, client: Any) -> None:
    tool = connected(us, silent_hours="6")
    post(tool, [{"id": each, "title": each, "status": "down"} for each in ("db", "web")])
    quiet, told = AlertState.objects.order_by("pk")
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=6)
    assert silence.due(at=at - timedelta(minutes=1)) == []
    AlertState.objects.filter(pk=told.pk).update(silent_from=at + timedelta(hours=1))
    for _ in range(2):
        for pk in silence.due(at=at):
            silence.report(alert_id=pk, at=at)

    [message] = quiet.ticket.messages.all()
    assert message.body.startswith("Nothing has been received about db since ")
    assert not message.is_for_requester
    assert told.ticket.messages.count() == 0
    client.force_login(factories.member("manager", us))
    assert "silent since" in client.get(f"/sync/connections/{tool.public_id}/").content.decode()

    post(tool, {"id": "db", "title": "db", "status": "down"})
    state = AlertState.objects.get(pk=quiet.pk)
    assert (state.is_silent, state.silent_from is not None) == (False, True)
    post(tool, {"id": "db", "title": "db", "status": "up"})
    assert AlertState.objects.get(pk=quiet.pk).silent_from is None


def test_many_silent_alerts_of_one_ticket_are_one_message(us: Any) -> None:
    tool = connected(us, storm_count="1")
    post(tool, [{"id": f"a{n}", "title": f"a{n}", "status": "down"} for n in range(9)])
    at = datetime.now(UTC) + timedelta(hours=25)
    for pk in silence.due(at=at):
        silence.report(alert_id=pk, at=at)

    parent = Ticket.objects.get(title__startswith="Alert storm")
    [message] = parent.messages.all()
    assert "a1, a2, a3, a4, a5 and 3 more" in message.body
    assert silence.due(at=at) == []


def test_who_wants_no_word_of_silence_gets_none(us: Any) -> None:
    post(connected(us, silent_hours="0"), {"id": "db", "title": "db", "status": "down"})
    assert silence.due(at=datetime.now(UTC) + timedelta(days=99)) == []


# -- the script of the how-to


def test_the_script_of_the_how_to_posts_what_it_is_given(tmp_path: Path) -> None:
    found = re.search(r"```python\n(#!/usr/bin/env python3\n.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    script = tmp_path / "post-alert.py"
    script.write_text(found[1])
    taken: list[tuple[str | None, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202 if len(taken) == 1 else 503)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    command = [
        sys.executable,
        str(script),
        f"http://127.0.0.1:{server.server_port}/hooks/x/y/",
        "token=t0k",
        "host=a",
        'output=50 % "free" = little',
        "empty=",
    ]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60)
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    server.shutdown()
    server.server_close()

    assert (first.returncode, first.stderr) == (0, "")
    assert taken[0][0] == "Bearer t0k"
    assert json.loads(taken[0][1]) == {"host": "a", "output": '50 % "free" = little', "empty": ""}
    assert second.returncode != 0


@pytest.mark.parametrize(
    ("tool", "parts"),
    [
        ("icinga", "host service state output type author comment changed"),
        (
            "nagios",
            "hostname servicedesc servicestate serviceoutput hoststate "
            "hostoutput timet notificationauthor notificationcomment",
        ),
    ],
)
def test_the_how_to_sends_every_part_that_the_settings_pick(tool: str, parts: str) -> None:
    text = DOCS.read_text()
    picked = set(re.findall(r"item\.(\w+)", " ".join(tools.READY[tool].values())))
    assert picked <= set(parts.split())
    assert all(f'"{part}=' in text for part in picked)


def test_the_how_to_sends_every_macro_that_the_settings_for_zabbix_pick() -> None:
    text = DOCS.read_text()
    picked = set(re.findall(r"item\['([A-Z.]+)'\]", " ".join(tools.READY["zabbix"].values())))
    assert all(f"{{{macro}}}" in text for macro in picked)


def test_the_connection_says_which_tool_it_is_for(us: Any) -> None:
    with registry.ready(Connection.objects.get(pk=connected(us, tool="zabbix").pk)) as connector:
        assert connector.values["tool"] == "zabbix"
