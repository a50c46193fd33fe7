"""What every test may use: an instant, our organisation, a simulated vendor on loopback."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import hypothesis
import pytest
from django.db import connection as database

from connectors.autotask.simulator import QuietServer, Simulator, Tenant
from connectors.engine import vault
from connectors.models import Connection
from hub.core import read_once
from hub.domain.actors import Actor
from hub.models import Organisation
from tests import factories, wire
from tests.wire import SHARED

hypothesis.settings.register_profile("here", database=None)
hypothesis.settings.load_profile("here")

REQUIRE_ALL = os.environ.get("TICKETHUB_REQUIRE_ALL") == "1"
ON_BOTH = os.environ.get("TICKETHUB_ON_BOTH") == "1"
"""Whether the whole suite runs on SQLite and then on PostgreSQL, as `.ci/run` does."""


def need(found: object, reason: str) -> None:
    """Skip with a reason that says how to get what is missing; with TICKETHUB_REQUIRE_ALL that is a failure."""
    if not found:
        if REQUIRE_ALL:
            pytest.fail(f"required, but missing: {reason}")
        pytest.skip(reason)


_PUBLISHED = re.compile(
    r'^(INSERT INTO|UPDATE|DELETE FROM) "(connectors_(mapping|fieldrule|valuerule|statusrule|noterule)'
    r'|hub_(contract|target|calendar|organisation|state|workflowversion)|workflows_(transition|escalation))"'
)


def _read_again(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if _PUBLISHED.match(sql):
        read_once.forget()
    return execute(sql, params, many, context)


@pytest.fixture(autouse=True)
def _published_rows_are_changed_in_place() -> Iterator[None]:
    """By tests alone, which make a published row first and what belongs to it afterwards."""
    with database.execute_wrapper(_read_again):
        yield


@pytest.fixture(autouse=True)
def _what_this_database_has(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("postgresql"):
        is_there = database.vendor == "postgresql"
        if not is_there and not ON_BOTH:
            need(None, "PostgreSQL: set DATABASE_URL=postgresql://user@127.0.0.1:5432/name")
        if not is_there:
            pytest.skip("the same suite runs on PostgreSQL next (DATABASE_URL=postgresql://…)")


@pytest.fixture(scope="session")
def own_database() -> None:
    """For tests whose processes have databases of their own, whichever database the suite runs on."""
    if ON_BOTH and database.vendor == "postgresql":
        pytest.skip("ran in the same suite on SQLite, with a database of its own (leave out TICKETHUB_ON_BOTH)")


@pytest.fixture(scope="session", autouse=True)
def _nobody_else_in_the_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A browser's last connection may outlive its test; the test database is dropped all the same."""
    yield
    with django_db_blocker.unblock():
        if database.vendor == "postgresql":
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture
def shared() -> Path:
    """The folder with reference material beside the project."""
    if not SHARED.is_dir():
        pytest.skip("no reference material: set TICKETHUB_SHARED to the folder that holds it")
    return SHARED


@pytest.fixture
def at() -> datetime:
    return datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@pytest.fixture
def us(db: None) -> Organisation:
    made: Organisation = factories.UsFactory()
    return made


@pytest.fixture
def agent(us: Organisation) -> Actor:
    return Actor.person(factories.member("agent", us, name="Ada Agent"), us)


class SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def tenant() -> Tenant:
    """One simulated Autotask database, with a technician and our company in it."""
    made = Tenant(name="Deskside", domain="deskside.test", companies={"175": "Northwind"}, people={"501": "Dora Desk"})
    made.statuses["15"] = "Returned"
    made.publish["4"] = "Internal & Co-Managed"
    return made


@pytest.fixture
def simulator(tenant: Tenant, settings: Any) -> Iterator[Simulator]:
    """The tenant's API on a loopback port of its own."""
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    base = f"http://127.0.0.1:{server.server_port}"
    app = Simulator([tenant], base=base, now=lambda: datetime.now(UTC))
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    wrong = wire.watched(app, wire.autotask())
    yield app
    server.shutdown()
    server.server_close()
    thread.join()
    assert wrong == []


@pytest.fixture
def connection(us: Organisation, simulator: Simulator, tenant: Tenant) -> Connection:
    """A live connection to the simulated tenant, mapped."""
    made = Connection(
        name="Deskside Autotask",
        organisation=factories.OrganisationFactory(name="Deskside"),
        connector="autotask",
        state=Connection.State.ACTIVE,
        settings={
            "user_name": tenant.api_user,
            "company_id": "175",
            "queue_id": "8",
            "note_type": "1",
            "zone_lookup": f"{simulator.base}/ATServicesRest",
        },
        poll_seconds=0,
        share=100,  # nobody else uses this tenant, and tests poll without a pause
        cursor="2020-01-01T00:00:00Z",
    )
    made.save()
    vault.seal(
        made,
        {"secret": tenant.secret, "integration_code": tenant.integration_code, "hook_secret": "hook-secret"},
    )
    made.save()
    factories.mapping(made)
    return made
