"""The demonstration: any port, any load, its own data, and words that are true."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from fixtures.demo import cast, ending, pace
from fixtures.demo.pace import SPEED, Pace, Patience
from fixtures.demo.state import PORTS
from hub.core.clock import TimeLapse
from hub.models import Clock

ROOT = Path(__file__).resolve().parents[1]
BUSY = 3
START = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


def free_ports() -> dict[str, int]:
    with ExitStack() as stack:
        held = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in PORTS}
        return {name: each.getsockname()[1] for name, each in held.items()}


def flags(ports: dict[str, int]) -> list[str]:
    words = {"web": "--port", "vendors": "--vendor-port", "imap": "--imap-port", "smtp": "--smtp-port"}
    return [f"{words[name]}={port}" for name, port in ports.items()]


def environment(var: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKETHUB_")}
    return {
        **kept,
        "TICKETHUB_VAR": str(var),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.mark.usefixtures("own_database")
def test_the_story_plays_to_its_end_on_ports_of_its_own_beside_a_busy_processor(tmp_path: Path) -> None:
    """The addresses in its mails were those of port 8000, and it gave up after 40 seconds of a busy machine."""
    ports = free_ports()
    with ExitStack() as stack:
        for _ in range(BUSY):
            burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(burner.wait)
            stack.callback(burner.kill)
        done = subprocess.run(
            [sys.executable, "manage.py", "demo", "--once", "--tickets", "8", *flags(ports)],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=560,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{ports['web']}/" in done.stdout
    assert "nearly breached, not breached" in done.stdout
    assert "is correct: all links are in sync" in done.stdout


@pytest.mark.usefixtures("own_database")
def test_the_console_answers_while_the_past_is_written_and_two_demos_run_side_by_side(tmp_path: Path) -> None:
    """Each has its own folder and ports; neither waits for its 400 tickets, nor shows what is the other's."""
    every = {"first": free_ports(), "second": free_ports()}
    with ExitStack() as stack:
        for name, ports in every.items():
            demo = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--tickets", "100000", *flags(ports)],
                cwd=ROOT,
                env=environment(tmp_path / name),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.callback(_stop, demo)
            assert demo.stdout is not None
            welcome = list(iter(demo.stdout.readline, "\n"))  # up to the empty line before the addresses
            assert demo.poll() is None, welcome
        for ports in every.values():
            client = _logged_in(ports["web"])
            counts = []
            while len(set(counts)) < 3:  # the board grows under our eyes
                page = client.get(f"http://127.0.0.1:{ports['web']}/tickets/?show=all", timeout=60)
                assert page.status_code == 200
                counts.append(int(re.search(r"(\d+) tickets", page.text)[1]))  # type: ignore[index]
            assert counts == sorted(counts)
    for name, ports in every.items():
        kept = json.loads((tmp_path / name / "demo.json").read_text())
        assert {part: kept[part] for part in ports} == ports


def _stop(demo: subprocess.Popen[str]) -> None:
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)


def _logged_in(port: int) -> requests.Session:
    session, base = requests.Session(), f"http://127.0.0.1:{port}"
    session.get(f"{base}/log-in/", timeout=60)
    form = {"username": cast.PEOPLE[0][0], "password": cast.PASSWORD}
    form["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    answer = session.post(f"{base}/log-in/", form, headers={"Referer": base}, timeout=60)
    assert answer.url == f"{base}/", answer.text
    return session


@pytest.mark.usefixtures("own_database")
def test_a_port_that_was_asked_for_and_is_taken_is_said(tmp_path: Path) -> None:
    ports = free_ports()
    with socket.create_server(("127.0.0.1", ports["imap"])):
        done = subprocess.run(
            [sys.executable, "manage.py", "demo", *flags(ports)],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"Port {ports['imap']} is in use. Stop the process that uses it, or choose another" in done.stderr
    assert "IMAP_PORT=" in done.stderr


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        ("demo", "/var/demo"),
        ("demo ONCE=1", "/var/demo-once"),
        ("demo TICKETHUB_VAR=/srv/second", 'TICKETHUB_VAR="/srv/second"'),
        ("demo PORT=18000", "--port 18000"),
        ("demo VENDOR_PORT=1 IMAP_PORT=2 SMTP_PORT=3", "--vendor-port 1 --imap-port 2 --smtp-port 3"),
    ],
)
def test_make_hands_on_ports_and_the_folder(words: str, ran: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "TICKETHUB_VAR"}
    done = subprocess.run(["make", "-n", *words.split()], cwd=ROOT, env=env, capture_output=True, text=True)

    assert ran in " ".join(done.stdout.replace("\\\n", " ").split())


def test_the_storys_clock_stands_where_it_was_told_and_never_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = START.timestamp() + 6 * 3600
    monkeypatch.setattr(pace.time, "time", lambda: real)
    told = Pace(tmp_path / "lapse.json", start=START)

    def shows() -> float:
        return (TimeLapse.read(tmp_path / "lapse.json").at(real) - START.timestamp()) / 60

    seen = [shows()]
    for minute, seconds in ((10, 0.5), (20, 100.0), (20, 1.0), (15, 1.0), (30, 0.1), (40, 0.2), (40, 50.0)):
        told.allow(minute)
        real += seconds
        seen.append(shows())
        assert shows() <= minute or minute == 15
    assert seen == sorted(seen)
    assert (seen[0], seen[2], seen[-1]) == (0, 20, 40)
    assert told.left(40) <= 0

    told.allow(None)
    real += 400 * 60 / SPEED
    assert shows() == pytest.approx((real - START.timestamp()) / 60)


@pytest.mark.django_db
def test_waiting_ends_only_where_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    real, record, read = 1000.0, 0, 0
    monkeypatch.setattr(pace.time, "monotonic", lambda: real)
    monkeypatch.setattr(pace, "_record", lambda: record)
    monkeypatch.setattr(pace, "_oldest_reading", lambda: read)
    waiting = Patience(seconds=60)

    for _ in range(20):  # slow, but it moves
        real, record = real + 50, record + 1
        assert not waiting.is_over()
    ended = 0.0
    for _ in range(40):  # vendors are read again and again, and have nothing to tell
        real, read = real + 10, read + 1
        if waiting.is_over():
            ended = ended or real
    assert 2000 + 60 < ended <= 2000 + 10 * pace.ROUNDS + 80


def test_the_pulse_of_the_record_can_be_felt(db: None) -> None:
    assert pace._record() == pace._record()
    assert pace._oldest_reading() == {"last_in_at__min": None}


@pytest.mark.parametrize(
    ("used", "is_breached", "said"),
    [
        (270, False, "90 % of the service level used: nearly breached, not breached"),
        (324, True, "108 % of the service level used: breached"),
        (30, False, "10 % of the service level used: well within"),
    ],
)
def test_how_near_the_breach_was_is_said_as_it_is(used: int, is_breached: bool, said: str) -> None:
    assert ending.how_near(Clock(used_seconds=used, goal_seconds=300, is_breached=is_breached)) == said
