"""The Roundup profile on a real Roundup: made in two requests, ETags, a conflict, a restart in the middle."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.engine import connection_profiles, registry, vault
from connectors.engine.operations import compare
from connectors.engine.operations.capability_check import Bench
from connectors.models import Connection, Link, NoteRule, Outbound, StatusRule
from hub.domain import history, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Message, Stage, Ticket
from tests import factories
from tests.connectors.rest import journey
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytest.importorskip("roundup", reason="Roundup is not installed: pip install -r requirements-dev.lock")

UNREAD, CHATTING, IN_PROGRESS, RESOLVED = "1", "3", "5", "8"


class Tracker:
    """A tracker in a folder, served as Roundup's own WSGI application."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._admin("install", "classic", "sqlite")
        config = home / "config.ini"
        text = config.read_text()
        for old, new in (
            ("\nweb = NO DEFAULT", f"\nweb = {self.url}/"),
            ("\n#web = NO DEFAULT", f"\nweb = {self.url}/"),
            ("\ndomain = NO DEFAULT", "\ndomain = roundup.test"),
            ("\n#domain = NO DEFAULT", "\ndomain = roundup.test"),
            ("\nhost = NO DEFAULT", "\nhost = localhost"),
            ("\n#host = NO DEFAULT", "\nhost = localhost"),
            ("\ndebug = \n", f"\ndebug = {home / 'mails'}\n"),
        ):
            text = text.replace(old, new)
        config.write_text(text)
        self._admin("initialise", "adminpw")
        with self.opened() as db:
            from roundup.password import Password

            for name in ("hub", "rita"):
                db.user.create(
                    username=name, password=Password("pw"), roles="User", address=f"{name}@roundup.test", timezone="UTC"
                )
            db.commit()
        self.before_patch: Callable[[], object] = lambda: None

    def _admin(self, *what: str) -> None:
        command = [sys.executable, "-m", "roundup.scripts.roundup_admin", "-i", str(self.home), *what]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/issues"

    def opened(self, user: str = "admin") -> Any:
        from contextlib import closing

        from roundup import instance

        return closing(instance.open(str(self.home)).open(user))

    def rita(self, act: Callable[[Any], object]) -> Any:
        """Somebody of theirs does something in the tracker."""
        with self.opened("rita") as db:
            found = act(db)
            db.commit()
            return found

    def application(self) -> Any:
        from roundup.cgi.wsgi_handler import RequestDispatcher

        inner = RequestDispatcher(str(self.home))

        def outer(environ: dict[str, Any], start_response: Any) -> Any:
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/issues", environ["PATH_INFO"].removeprefix("/issues")
            environ.setdefault("TRACKER_NAME", "issues")
            if environ["REQUEST_METHOD"] == "PATCH":
                act, self.before_patch = self.before_patch, lambda: None
                act()
            return inner(environ, start_response)

        return outer


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(tmp_path / "tracker")


@pytest.fixture
def server(tracker: Tracker, settings: Any) -> Iterator[journey.Server]:
    made = journey.Server(tracker.application(), tracker.port)
    settings.EGRESS_ALLOW = [f"127.0.0.1:{made.port}"]
    yield made
    made.stop()


@pytest.fixture
def connection(tracker: Tracker, server: journey.Server, agent: Actor) -> Connection:
    slug, profile = connection_profiles.chosen("rest:roundup")
    made = Connection(
        name="Roundup",
        organisation=factories.OrganisationFactory(name="Tracker Ltd"),
        connector=slug,
        profile=profile,
        state=Connection.State.ACTIVE,
        poll_seconds=0,
        cursor="2020-01-01T00:00:00Z",
        settings={"address": tracker.url, "user": "hub"},
    )
    made.save()
    vault.seal(made, {"password": "pw"})
    made.save()
    rules = factories.mapping(made)
    for table in (rules.statuses, rules.notes, rules.values):
        table.all().delete()
    for theirs, verb, says in (
        (UNREAD, "acknowledge", "offered"),
        (CHATTING, "acknowledge", ""),
        (IN_PROGRESS, "work", "working"),
        (RESOLVED, "done", "closed"),
    ):
        StatusRule.objects.create(mapping=rules, theirs=theirs, verb=verb, says=says)
    for ours, theirs in (("P1", "1"), ("P2", "2"), ("P3", "3"), ("P4", "4")):
        rules.values.create(field="priority", ours=ours, theirs=theirs)
    NoteRule.objects.create(mapping=rules, theirs="public", audience="requester", is_written=True)
    return made


@pytest.mark.django_db
def test_every_capability_is_tried(connection: Connection) -> None:
    with registry.ready(connection) as connector:
        tried = {one.what: (one.outcome, one.told) for one in Bench(connector).tries(writes=True)}

    assert {what: told for what, (outcome, told) in tried.items() if outcome != "works"} == {}
    assert len(tried) == 12


@pytest.mark.django_db
def test_a_journey_on_a_real_roundup(
    tracker: Tracker, server: journey.Server, connection: Connection, agent: Actor
) -> None:
    requester = factories.PersonFactory()
    ticket = tickets.open_ticket(
        title="Drucker größer ✓",
        description="Error 0x11\n\nsince noon",
        priority="P2",
        requester=requester,
        actor=agent,
        at=journey.now(),
    )
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=journey.now())
    dispatcher.drain(most=5)
    link = Link.objects.get(leg=leg)
    assert link.remote_key

    server.stop()
    said = comments.requester_says(
        ticket=ticket, requester=requester, body="It blinks – größer", actor=agent, at=journey.now()
    )
    messages.attach(message=said, name="größe.txt", content=b"our screen " * 500, actor=agent, at=journey.now())
    dispatcher.drain(most=2)
    assert Outbound.objects.filter(state__in=["ready", "unclear"]).exists()
    server.start()
    # While our note is on its way, somebody of theirs writes one, too: our ETag is stale, theirs must stay.
    tracker.before_patch = lambda: tracker.rita(lambda db: _note(db, link.remote_key, "I am on it"))
    journey.due()
    dispatcher.drain(most=5)
    texts = tracker.rita(lambda db: _texts(db, link.remote_key))
    assert texts == {"Error 0x11": 1, "I am on it": 1, "It blinks – größer": 1}

    tracker.rita(lambda db: db.issue.set(link.remote_key, status=IN_PROGRESS))
    tracker.rita(lambda db: _file(db, link.remote_key, "trace.txt", "their trace " * 400))
    journey.due()
    dispatcher.drain(most=5)
    assert Leg.objects.get(pk=leg.pk).stage == Stage.WORKING
    assert Event.objects.get(ticket=ticket, kind=EventKind.LEG_STARTED).actor_name == "rita"

    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=journey.now())
    journey.due()
    dispatcher.drain(most=3)
    tracker.rita(lambda db: db.issue.set(link.remote_key, status=RESOLVED))
    journey.due()
    dispatcher.drain(most=3)

    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    assert "I am on it" in set(Message.objects.filter(ticket=ticket).values_list("body", flat=True))
    assert not Outbound.objects.exclude(state="done").exists()
    with registry.ready(connection) as connector:
        there = connector.fetch(link.remote_key)
        ours = {file.name: connector.content(link.remote_key, file) for file in there.files or ()}
    assert ours == {"größe.txt": b"our screen " * 500, "trace.txt": b"their trace " * 400}
    assert there.fields["priority"] == "1"
    assert compare.differences(Link.objects.get(leg=leg)) == []
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None
    assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []


def _note(db: Any, key: str, text: str) -> None:
    from roundup.date import Date

    made = db.msg.create(content=text, author=db.getuid(), date=Date("."))
    db.issue.set(key, messages=[*db.issue.get(key, "messages"), made])


def _file(db: Any, key: str, name: str, content: str) -> None:
    made = db.file.create(name=name, content=content, type="text/plain")
    db.issue.set(key, files=[*db.issue.get(key, "files"), made])


def _texts(db: Any, key: str) -> dict[str, int]:
    """What each message of an issue begins with, but for who says it, and how often; none is there without an issue."""
    linked = set(db.issue.get(key, "messages"))
    assert set(db.msg.list()) == linked
    lines = [db.msg.get(each, "content").splitlines() for each in linked]
    found = [next(line for line in each if not line.endswith(":")) for each in lines]
    return {line: found.count(line) for line in found}
