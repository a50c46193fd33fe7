"""The workbench: tries run in the background, show how far they are, can be stopped, and never twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from connectors.engine.operations import trials
from connectors.engine.operations.capability_check import Bench, Tried
from connectors.kit.errors import TryLater
from connectors.models import Connection, Profile, Trial
from connectors.rest import simulator as double
from tests.connectors.rest import journey
from worker import dispatcher

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> double.Tenant:
    return double.Tenant(domain="redmine.test", people={"7": "Rita Red"})


@pytest.fixture
def made(us: Any, settings: Any, tenant: double.Tenant) -> Iterator[Connection]:
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    app.act("redmine.test", "open", by="7", title="Screen black")
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        Connection.objects.filter(pk=connection.pk).update(next_poll_at=timezone.now() + timedelta(hours=1))
        yield connection


def bench(made: Connection) -> str:
    assert made.profile is not None
    return f"/admin/connectors/profile/{made.profile.pk}/workbench/"


def asked(made: Connection, **more: Any) -> Trial:
    assert made.profile is not None
    return trials.ask(profile=made.profile, connection=made, writes=False, by="ada", **more)


def test_a_worker_tries_and_the_page_shows_how_far_it_is(
    made: Connection, tenant: double.Tenant, admin_client: Client
) -> None:
    page = admin_client.post(bench(made), {"try": "1", "connection": made.pk, "writes": "on"}, follow=True)
    assert "Waiting for a worker" in page.content.decode()
    assert len(tenant.tickets) == 1  # nothing was called within the request

    dispatcher.drain(most=1)
    shown = admin_client.get(bench(made)).content.decode()
    trial = Trial.objects.get()
    assert (trial.state, len(trial.steps), trial.current) == ("done", 13, "")
    assert {step["outcome"] for step in trial.steps} == {"works"}
    assert "changing the status" in shown
    assert "hx-get" not in shown
    assert len(tenant.tickets) == 2


def test_what_was_seen_stands_there_while_it_goes_on(
    made: Connection, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = asked(made)
    seen: list[str] = []

    def look(self: Bench) -> str:
        seen.append(admin_client.get(bench(made) + "progress/").content.decode())
        return "looked"

    monkeypatch.setattr(Bench, "_changes", look)
    trials.run(trial_id=trial.pk)

    assert "2 tried so far. Now trying: changes of the last week" in seen[0]
    assert "credentials and settings" in seen[0]
    assert "hx-get" in seen[0]


def test_it_can_be_stopped_before_its_next_capability(
    made: Connection, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = asked(made)

    def stop(self: Bench) -> str:
        admin_client.post(bench(made), {"stop": "1"})
        return "stopped meanwhile"

    monkeypatch.setattr(Bench, "_picklists", stop)
    trials.run(trial_id=trial.pk)

    trial.refresh_from_db()
    assert (trial.state, [step["what"] for step in trial.steps]) == ("stopped", ["credentials and settings"])
    assert "Stopped by " in admin_client.get(bench(made)).content.decode()


def test_one_at_a_time_for_a_connection(made: Connection, admin_client: Client) -> None:
    asked(made)
    page = admin_client.post(bench(made), {"try": "1", "connection": made.pk}).content.decode()

    assert "is already being tried. Wait until that trial has ended, or stop it." in page
    assert Trial.objects.count() == 1


def test_two_workers_try_it_once(made: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = asked(made)
    tries: list[str] = []

    def twice(self: Bench, *, writes: bool) -> Iterator[Tried]:
        tries.append("one")
        trials.run(trial_id=trial.pk)
        yield Tried(what="x", outcome="works", told="", milliseconds=0)

    monkeypatch.setattr(Bench, "tries", twice)
    trials.run(trial_id=trial.pk)

    assert tries == ["one"]


def test_what_nobody_expects_ends_it_with_the_reason(made: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their system goes away between two capabilities."""
    trial = asked(made)

    def away(self: Bench, *, writes: bool) -> Iterator[Tried]:
        yield Tried(what="x", outcome="works", told="", milliseconds=0)
        raise TryLater("The vendor's system cannot be reached.")

    monkeypatch.setattr(Bench, "tries", away)
    trials.run(trial_id=trial.pk)

    trial.refresh_from_db()
    assert (trial.state, trial.why, len(trial.steps)) == ("stopped", "The vendor's system cannot be reached.", 1)
    assert trial.ended_at is not None
    asked(made)  # the connection is free


def test_one_whose_worker_was_killed_is_ended_and_not_begun_again(
    made: Connection, tenant: double.Tenant, admin_client: Client
) -> None:
    trial = asked(made)
    gone = timezone.now() - timedelta(seconds=1)
    Trial.objects.filter(pk=trial.pk).update(state="running", lease_until=gone, writes=True)
    dispatcher.drain(most=2)

    trial.refresh_from_db()
    assert (trial.state, trial.steps, len(tenant.tickets)) == ("stopped", [], 1)
    assert (
        "The worker stopped before the trial had finished. Try again." in admin_client.get(bench(made)).content.decode()
    )
    asked(made)


def test_access_is_not_tried_where_it_would_be_sent_another_way(made: Connection, admin_client: Client) -> None:
    assert made.profile is not None
    other = made.profile.document.replace("X-Redmine-API-Key", "X-Other-Key")
    assert other != made.profile.document
    Profile.objects.filter(pk=made.profile.pk).update(status="retired")
    version = Profile.objects.create(
        slug=made.profile.slug, connector="rest", version=made.profile.version + 1, document=other, name="Other"
    )
    page = admin_client.post(
        f"/admin/connectors/profile/{version.pk}/workbench/", {"try": "1", "connection": made.pk}
    ).content.decode()

    assert "sends credentials differently" in page
    assert not Trial.objects.exists()


def test_ten_are_kept(made: Connection) -> None:
    for _ in range(trials.KEPT + 2):
        trials.stop(asked(made), by="ada")

    assert Trial.objects.count() == trials.KEPT
