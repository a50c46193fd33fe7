"""With a broker: the dispatcher publishes ids, a Celery worker does the work, over a real RabbitMQ and a real Redis."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.autotask.simulator import QuietServer, Simulator, Tenant
from hub.core.clock import now
from tests import wire
from tests.conftest import SilentHandler, need

pytestmark = pytest.mark.usefixtures("own_database")

ROOT = Path(__file__).resolve().parents[1]
BROKERS = {
    "RabbitMQ": (
        5672,
        os.environ.get("TICKETHUB_TEST_BROKER", "amqp://guest:guest@127.0.0.1:5672//"),
        "apt-get install rabbitmq-server, rabbitmq-server -detached",
    ),
    "Redis": (
        6379,
        os.environ.get("TICKETHUB_TEST_REDIS", "redis://127.0.0.1:6379/9"),
        "apt-get install redis-server, redis-server --daemonize yes",
    ),
}

OFFER = """
import django; django.setup()
from datetime import UTC, datetime
from connectors.engine import vault
from connectors.models import Connection
from hub.domain import tickets
from hub.domain.actors import Actor
from tests import factories
from workflows.handoffs import engagements
us = factories.UsFactory()
vendor = factories.OrganisationFactory(name="Deskside")
connection = Connection.objects.create(name="Deskside", organisation=vendor, connector="autotask", state="active",
    poll_seconds=3600, settings={"user_name": "hub@deskside.test", "company_id": "175", "queue_id": "8",
    "note_type": "1", "zone_lookup": "BASE/ATServicesRest"})
vault.seal(connection, {"secret": "a-secret", "integration_code": "HUBCODE"})
connection.save()
factories.mapping(connection)
at = datetime.now(UTC).replace(microsecond=0)
agent = Actor.person(factories.member("agent", us), us)
ticket = tickets.open_ticket(title="Through the broker", actor=agent, at=at)
engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
"""


def is_reachable(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize("broker", BROKERS)
def test_an_offer_travels_through_the_broker(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], broker: str
) -> None:
    port, address, how = BROKERS[broker]
    need(is_reachable(port), f"{broker} on 127.0.0.1:{port}: {how}")
    assert _offered(tmp_path, processes, address, with_worker=True) == ["Through the broker"]


def test_without_its_broker_the_dispatcher_does_the_work_and_says_so(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Nobody listens at that port; the dispatcher stays up, and after half a minute needs nobody."""
    assert _offered(tmp_path, processes, "amqp://guest:guest@127.0.0.1:1//", with_worker=False) == [
        "Through the broker"
    ]

    assert processes[0].poll() is None
    told = subprocess.run(
        [sys.executable, "-c", TROUBLE], cwd=ROOT, env=environment(tmp_path, "", ""), capture_output=True, text=True
    ).stdout
    assert "The broker did not accept a job" in told


TROUBLE = """
import django; django.setup()
from connectors.models import Trouble
print(Trouble.objects.get(kind="broker", ended_at=None).why)
"""


def environment(tmp_path: Path, broker: str, allowed: str) -> dict[str, str]:
    return {
        **os.environ,
        "TICKETHUB_VAR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/hub.sqlite3",
        "CELERY_BROKER_URL": broker,
        "TICKETHUB_EGRESS_ALLOW": allowed,
        "DJANGO_SETTINGS_MODULE": "hub.settings",
    }


def _offered(tmp_path: Path, processes: list[subprocess.Popen[bytes]], broker: str, *, with_worker: bool) -> list[str]:
    """Titles of the tickets that were made there for one that was offered."""
    tenant = Tenant(name="Deskside", domain="deskside.test", companies={"175": "N"}, people={"501": "Dora Desk"})
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    base = f"http://127.0.0.1:{server.server_port}"
    app = Simulator([tenant], base=base, now=now)
    wrong = wire.watched(app, wire.autotask())
    server.set_app(app)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    env = environment(tmp_path, broker, f"127.0.0.1:{server.server_port}")

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, check=True, timeout=180)

    run("manage.py", "migrate", "-v0")
    run("-c", OFFER.replace("BASE", base))
    worker = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "hub.celery",
        "worker",
        "-Q",
        "sync,poll,mail",
        "-c",
        "1",
        "-l",
        "error",
    ]
    for command in ([sys.executable, "manage.py", "work"], *([worker] if with_worker else [])):
        processes.append(subprocess.Popen(command, cwd=ROOT, env=env))

    until = time.monotonic() + 90
    while not tenant.tickets and time.monotonic() < until:
        threading.Event().wait(0.2)
    server.shutdown()
    server.server_close()

    assert wrong == []
    return [ticket["title"] for ticket in tenant.tickets.values()]
