"""One sender's or one connection's flood waits in its order and is shown; whoever sends less is read meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.engine.inbound import intake_limits, reading
from connectors.models import Connection, Inbound
from hub.core import jobs
from hub.models import Organisation
from tests import factories
from tests.console.test_pages import log_in
from worker import dispatcher
from worker.dispatcher import Dispatcher, Job

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def three_a_minute(settings: Any) -> None:
    settings.MAILS_PER_MINUTE = settings.HOOKS_PER_MINUTE = 3


def connected(name: str) -> Connection:
    vendor = factories.OrganisationFactory(name=name)
    later = timezone.now() + timedelta(days=1)
    return Connection.objects.create(
        name=name, organisation=vendor, connector="email", state="active", next_poll_at=later
    )


def came(connection: Connection, kind: str, many: int, sender: str = "") -> list[int]:
    return [
        Inbound.objects.create(
            connection=connection,
            kind=kind,
            sender=sender,
            delivery=f"{sender}{kind}{Inbound.objects.count()}",
            body=b"",
            received_at=LONG_AGO,
            next_attempt_at=LONG_AGO,
        ).pk
        for _ in range(many)
    ]


def due() -> list[int]:
    at = timezone.now()
    return [*reading.due_mail(at=at), *reading.due_hooks(at=at)]


def begin(*rows: int, ago: timedelta = timedelta()) -> None:
    Inbound.objects.filter(pk__in=rows).update(begun_at=timezone.now() - ago, state=Inbound.State.DONE)


def test_of_one_sender_so_many_are_read_and_others_are_not_behind_them(us: Organisation) -> None:
    connection = connected("Deskside")
    flood = came(connection, "mail", 10, "loud@x.test")
    quiet = came(connection, "mail", 2, "quiet@x.test")

    assert due() == [flood[0], quiet[0], flood[1], quiet[1], flood[2]]

    begin(*flood[:3])

    assert due() == quiet


def test_more_of_one_source_than_fit_in_one_look_do_not_hide_another(us: Organisation) -> None:
    connection = connected("Deskside")
    came(connection, "mail", 10, "loud@x.test")
    quiet = came(connection, "mail", 1, "quiet@x.test")
    assert quiet[0] in reading.due_mail(at=timezone.now(), limit=2)


def test_a_connections_hooks_wait_and_the_next_minute_they_go_on(us: Organisation) -> None:
    loud, quiet = connected("Loud"), connected("Quiet")
    flood = came(loud, "hook", 5)
    other = came(quiet, "hook", 1)
    begin(*flood[:3])

    assert due() == other

    begin(*flood[:3], ago=timedelta(seconds=61))

    assert due() == [flood[3], other[0], flood[4]]


def test_what_we_polled_for_is_not_counted(us: Organisation) -> None:
    polled = came(connected("Deskside"), "poll", 8)
    begin(*polled[:4])

    assert due() == polled[4:]


def test_reading_is_what_counts(us: Organisation) -> None:
    """Through the engine's own reading: each row that is begun is one of its minute."""
    connection = connected("Deskside")
    came(connection, "mail", 5, "loud@x.test")
    dispatcher.drain()

    assert Inbound.objects.filter(state=Inbound.State.NEW).count() == 2
    assert sum(intake_limits.begun(at=timezone.now()).values()) == 3


def test_what_waits_is_shown_with_how_many_and_why(us: Organisation) -> None:
    connection = connected("Deskside")
    begin(*came(connection, "mail", 5, "loud@x.test")[:3])
    begin(*came(connection, "hook", 4)[:3])
    client = log_in(factories.member("admin", us, is_staff=True))
    shown = "E-mails waiting from loud@x.test: 2. At most 3 per sender are read each minute."

    for path in ("/sync/", f"/sync/connections/{connection.public_id}/"):
        page = client.get(path).content.decode()
        assert shown in page
        assert "Webhook calls waiting: 1. At most 3 per connection are read each minute." in page

    Inbound.objects.update(begun_at=timezone.now() - timedelta(seconds=61))

    assert "waiting:" not in client.get("/sync/").content.decode()


def test_mail_that_takes_its_time_holds_up_nothing_but_mail(us: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, read = threading.Event(), threading.Event()
    monkeypatch.setattr(dispatcher, "close_old_connections", lambda: None)  # this one is the test's
    known = jobs.registered()
    monkeypatch.setitem(jobs._jobs, "mail", replace(known["mail"], run=lambda _row: go_on.wait(30)))
    monkeypatch.setitem(jobs._jobs, "read", replace(known["read"], run=lambda _row: read.set()))
    for number in range(9):
        came(connected(f"Mail {number}"), "mail", 1, "slow@x.test")
    came(connected("Deskside"), "hook", 1)
    working = Dispatcher(threads=1)
    try:
        working.sweep()

        assert {job.name for job in working.running} == {"mail", "read"}
        assert read.wait(20)
    finally:
        go_on.set()
        for pool in (working.pool, working.mail_pool):
            pool.stop()


def test_mail_has_a_queue_of_its_own(us: Organisation) -> None:
    rows = came(connected("Deskside"), "mail", 1, "a@x.test")

    assert Job("mail", rows[0]) in list(dispatcher.due())
