"""The journey that a system reached by the Redmine profile is taken on: on the double, and on a real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db.models import F
from django.utils import timezone

from connectors.engine import connection_profiles, registry, vault
from connectors.engine.operations import compare
from connectors.engine.outbound import sender
from connectors.kit.simulating import QuietServer, Simulator
from connectors.models import Connection, Link, NoteRule, Outbound, StatusRule
from hub.domain import history, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Leg, Message, Stage, Ticket
from tests import factories
from tests.conftest import SilentHandler
from worker import dispatcher
from workflows.handoffs import comments, engagements


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


ADMIN = {"real_redmine": "Redmine Admin"}
"""Who acts there: on the real one its administrator does."""


class Restarts(Protocol):
    """A system on loopback that can be stopped and started again."""

    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Server:
    """A loopback server that can be stopped and started again on its port."""

    def __init__(self, app: Any, port: int = 0) -> None:
        self.app, self.port = app, port
        self.start()

    def start(self) -> None:
        self.server = QuietServer(("127.0.0.1", self.port), SilentHandler)
        self.port = self.server.server_port
        self.server.set_app(self.app)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def serving(app: Simulator[Any], settings: Any) -> Iterator[Server]:
    server = Server(app)
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.port}"]
    try:
        yield server
    finally:
        server.stop()


def connected(server: Restarts, *, key: str, project: str, field: str = "1") -> Connection:
    """A live connection by the profile that comes with the hub."""
    slug, profile = connection_profiles.chosen("rest:redmine")
    made = Connection(
        name="Deskside Redmine",
        organisation=factories.OrganisationFactory(name="Deskside"),
        connector=slug,
        profile=profile,
        state=Connection.State.ACTIVE,
        settings={
            "address": f"http://127.0.0.1:{server.port}",
            "project": project,
            "tracker": "3",
            "reference_field": field,
        },
        poll_seconds=0,
        cursor="2020-01-01T00:00:00Z",
    )
    made.save()
    vault.seal(made, {"api_key": key})
    made.save()
    rules = factories.mapping(made)
    rules.statuses.all().delete()
    rules.notes.all().delete()
    rules.values.all().delete()
    for theirs, verb, says, waits in (
        ("1", "acknowledge", "offered", ""),
        ("2", "work", "working", ""),
        ("4", "wait", "", "requester"),
        ("3", "done", "closed", ""),
        ("6", "return", "recalled", ""),
    ):
        StatusRule.objects.create(mapping=rules, theirs=theirs, verb=verb, says=says, waits_on=waits)
    for ours, theirs in (("P1", "5"), ("P2", "4"), ("P3", "2"), ("P4", "1")):
        rules.values.create(field="priority", ours=ours, theirs=theirs)
    NoteRule.objects.create(mapping=rules, theirs="public", audience="requester", is_written=True)
    NoteRule.objects.create(mapping=rules, theirs="private", audience="legs", is_written=True)
    return made


def due() -> None:
    """What waits for a retry or a settled outcome is due now."""
    past = timezone.now() - sender.SETTLE - timedelta(seconds=1)
    Outbound.objects.filter(intent_at__isnull=False).update(intent_at=past)
    Outbound.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())
    Connection.objects.update(resting_until=None, next_poll_at=None)
    Link.objects.update(lease_until=None, next_look_at=None, epoch=F("epoch"))


def travel(server: Restarts, connection: Connection, app: Simulator[Any], domain: str, agent: Actor) -> None:
    """Made there, notes of both kinds, a file, a status; all that happens there; and a restart in the middle."""
    requester = factories.PersonFactory()
    ticket = tickets.open_ticket(
        title="Printing fails — Größe",
        description="Error 0x11",
        priority="P2",
        requester=requester,
        actor=agent,
        at=now(),
    )
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    comments.comment(ticket=ticket, body="For them alone", legs=[leg], actor=agent, at=now())
    said = comments.requester_says(ticket=ticket, requester=requester, body="It blinks", actor=agent, at=now())
    messages.attach(message=said, name="screen.txt", content=b"our screen", actor=agent, at=now())
    dispatcher.drain(most=5)
    link = Link.objects.get(leg=leg)
    assert link.remote_key

    server.stop()  # their system restarts, while we have something to say
    comments.comment(ticket=ticket, body="Said while they were away", legs=[leg], actor=agent, at=now())
    dispatcher.drain(most=2)
    assert Outbound.objects.filter(state__in=["ready", "unclear"]).exists()
    server.start()
    due()
    dispatcher.drain(most=5)

    app.act(domain, "set", ticket=link.remote_key, by="7", status=2)
    app.act(domain, "note", ticket=link.remote_key, by="7", text="Looking, internally", is_private=True)
    app.act(domain, "note", ticket=link.remote_key, by="7", text="Please switch it off")
    app.act(domain, "file", ticket=link.remote_key, by="7", name="trace.txt", text="their trace")
    due()
    dispatcher.drain(most=5)
    assert Leg.objects.get(pk=leg.pk).stage == Stage.WORKING
    # Whoever changed it there did it, not the user we write as, who made it.
    started = Event.objects.get(ticket=ticket, kind=EventKind.LEG_STARTED)
    assert started.actor_name == ADMIN.get(type(app).__module__.rpartition(".")[2], "Rita Red")

    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=now())
    due()
    dispatcher.drain(most=3)
    app.act(domain, "set", ticket=link.remote_key, by="7", status=3)
    due()
    dispatcher.drain(most=3)

    _judge(ticket, leg, connection)


def _judge(ticket: Ticket, leg: Leg, connection: Connection) -> None:
    link = Link.objects.get(leg=leg)
    with registry.ready(connection) as connector:
        there = connector.fetch(link.remote_key)
        assert connector.find(link.reference) == (link.remote_key,)
    bodies = {message.body for message in Message.objects.filter(ticket=ticket)}
    assert {"For them alone", "Said while they were away", "Looking, internally", "Please switch it off"} <= bodies
    seen = {note.text.split("\n\n[TH:")[0].split(":\n")[-1]: note.visibility for note in there.notes or ()}
    assert seen["For them alone"] == seen["Said while they were away"] == "private"
    assert list(seen).count("Said while they were away") == 1
    assert there.fields["priority"] == "5"
    assert {file.name: file.is_ours for file in there.files or ()} == {"trace.txt": False, "screen.txt": True}
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    assert not Outbound.objects.exclude(state="done").exists()
    assert compare.differences(link) == []
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None
    assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []
