"""A vendor by mail on the simulated mail house: what needs a line that can be cut anywhere, or to be everywhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from connectors.email.mailbox import Mailbox, Place
from connectors.email.simulated_lines import Tenant
from connectors.email.simulator import Simulator
from connectors.engine import registry, vault
from connectors.engine.inbound import listening, polling
from connectors.kit.contract import ListeningConnector
from connectors.kit.errors import LockedOut, Unsupported
from connectors.models import Connection, Inbound, NoteRule, Outbound, StatusRule
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.egress import Policy, dial
from hub.models import Leg, Stage, Ticket
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements, stages

pytestmark = pytest.mark.django_db

STATUSES = (
    ("offered", "acknowledge", "", "offered"),
    ("accepted", "accept", "", "working"),
    ("question", "wait", "us", ""),
    ("resolved", "done", "", ""),
    ("declined", "decline", "", ""),
    ("recalled", "return", "", "recalled"),
    ("closed", "done", "", "closed"),
)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def house(settings: Any) -> Iterator[Simulator]:
    tenant = Tenant(domain="printfleet.test", hub="hub@northwind.test", people={"pavan": "Pavan Print"})
    made = Simulator([tenant], base="", now=lambda: datetime.now(UTC))
    made.imap, made.smtp = made.open()  # type: ignore[attr-defined]
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    yield made
    made.close()


@pytest.fixture
def desk(house: Simulator) -> Tenant:
    return house.tenants["printfleet.test"]


@pytest.fixture
def mailed(house: Simulator, desk: Tenant, us: Any) -> Connection:
    return connected(house, desk)


def connected(house: Any, desk: Tenant) -> Connection:
    made = Connection(
        name="Print fleet by mail",
        organisation=factories.OrganisationFactory(name="Print fleet"),
        connector="email",
        state=Connection.State.ACTIVE,
        poll_seconds=0,
        settings={
            "to": desk.desk,
            "senders": desk.desk,
            "mailbox": desk.hub,
            "imap_host": "127.0.0.1",
            "imap_port": str(house.imap),
            "imap_security": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(house.smtp),
            "smtp_security": "none",
            "user": desk.hub,
            "trust": "results",
            "authserv": desk.authserv,
        },
    )
    made.save()
    vault.seal(made, {"password": desk.password})
    made.save()
    rules = factories.mapping(made)
    for rows in (rules.statuses, rules.notes, rules.values):
        rows.all().delete()
    for theirs, verb, waits, says in STATUSES:
        StatusRule.objects.create(mapping=rules, theirs=theirs, label=theirs, verb=verb, waits_on=waits, says=says)
    for priority in ("P1", "P2", "P3", "P4"):
        rules.values.create(field="priority", ours=priority, theirs=priority)
    NoteRule.objects.create(
        mapping=rules, theirs="mail", audience="requester", is_written=True, is_written_for_legs=True
    )
    return made


def work() -> None:
    Connection.objects.update(next_poll_at=None, resting_until=None)
    dispatcher.drain(most=4)


@pytest.fixture
def offered(mailed: Connection, agent: Actor) -> tuple[Ticket, Leg]:
    work()  # the mailbox is read from now on
    ticket = tickets.open_ticket(title="Toner is out", description="Floor 2", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=mailed.organisation, actor=agent, at=now())
    work()
    return ticket, Leg.objects.get(pk=leg.pk)


def key(leg: Leg) -> str:
    return f"mail-{leg.public_id.lower()}"


def test_a_leg_lives_from_offer_to_end_by_mail_alone(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, agent: Actor
) -> None:
    ticket, leg = offered
    seen = []
    for text in ("ACCEPT", "We look into it.", "NEED INFORMATION which floor?"):
        house.act(desk.domain, "reply", by="pavan", ticket=key(leg), text=text)
        work()
        seen.append(Leg.objects.get(pk=leg.pk).stage)
    comments.comment(ticket=ticket, body="The second", legs=[leg], actor=agent, at=now())
    stages.resume(leg=Leg.objects.get(pk=leg.pk), actor=agent, at=now())
    house.act(desk.domain, "file", by="pavan", ticket=key(leg), name="proof.txt", text="ok")
    house.act(desk.domain, "reply", by="pavan", ticket=key(leg), text="RESOLVED new toner")
    work()

    assert [*seen, Leg.objects.get(pk=leg.pk).stage] == [Stage.ACCEPTED, Stage.ACCEPTED, Stage.WAITING, Stage.DONE]
    assert [file.name for file in ticket.attachments.all()] == ["proof.txt"]
    assert not Outbound.objects.exclude(state="done").exists()
    assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None
    assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []


def test_a_letter_of_somebody_unproven_is_taken_when_a_person_answers_for_it(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, client: Any, us: Any, mailed: Connection
) -> None:
    ticket, leg = offered
    mailed.settings |= {"senders": "somebody-else@printfleet.test"}
    mailed.save(update_fields=["settings"])
    house.act(desk.domain, "reply", by="pavan", ticket=key(leg), text="ACCEPT")
    work()
    row = Inbound.objects.get(kind="mail")
    assert (row.state, Leg.objects.get(pk=leg.pk).stage) == ("parked", Stage.OFFERED)
    client.force_login(factories.member("agent", us, name="Mona Manager"))
    assert "Accept anyway" in client.get("/sync/").content.decode()

    client.post(f"/sync/inbound/{row.pk}/vouch/", {"reason": ""})
    work()
    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED
    client.post(f"/sync/inbound/{row.pk}/vouch/", {"reason": "he telephoned"})
    work()

    assert Leg.objects.get(pk=leg.pk).stage == Stage.ACCEPTED
    said = ticket.messages.get(body__contains="confirmed")
    assert "Mona Manager confirmed that the e-mail from desk@printfleet.test is genuine: he telephoned" in said.body
    assert (said.is_for_requester, said.legs.count()) == (False, 0)
    client.post(f"/sync/inbound/{row.pk}/vouch/", {"reason": "again"})
    assert Inbound.objects.get(pk=row.pk).state == "done"


# -- news without asking


def test_what_arrives_is_told_at_once_and_what_lay_there_too(house: Simulator, desk: Tenant) -> None:
    place = Place(host="127.0.0.1", port=house.imap, security="none", user=desk.hub, password=desk.password)  # type: ignore[attr-defined]
    box = Mailbox(place, lambda host, port, seconds: dial(Policy.of(["127.0.0.1"]), host, port, seconds))
    cursor = box.start()
    told: list[bool] = []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: told.append(box.wait(cursor, 30)))
    thread.start()
    house.act(desk.domain, "open", by="pavan", title="News", description="x")
    thread.join(25)

    assert told == [True]
    assert time.monotonic() - began < 20
    assert box.wait(cursor, 30) is True  # it is there, and not read yet
    letters = box.read(cursor)
    assert box.wait(letters.cursor, 0.1) is False


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_mail_is_read_at_once_though_polls_are_an_hour_apart(house: Simulator, desk: Tenant, us: Any) -> None:
    mailed = connected(house, desk)
    work()
    Connection.objects.update(poll_seconds=3600, next_poll_at=now().replace(year=2100))
    listeners = listening.Listeners(line_seconds=10)
    listeners.refresh()
    listeners.refresh()
    assert len(listeners.threads) == 1
    house.act(desk.domain, "open", by="pavan", title="Paper jam", description="Tray 2")
    end = time.monotonic() + 20
    while time.monotonic() < end and not Ticket.objects.filter(title="Paper jam").exists():
        dispatcher.drain(most=2)
        listeners.stopped.wait(0.05)
    listeners.stop()
    Connection.objects.filter(pk=mailed.pk).update(state=Connection.State.PAUSED)
    with house.news:
        house.news.notify_all()
    for thread in listeners.threads.values():
        thread.join(20)

    assert Ticket.objects.filter(title="Paper jam").exists()
    assert listening.listen_once(mailed.pk, seconds=1) is None


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_connector_that_cannot_listen_is_only_polled(connection: Connection) -> None:
    assert listening.listen_once(connection.pk, seconds=1) == listening.AFTER_NEVER_SECONDS
    with pytest.raises(Unsupported), registry.ready(connection, ListeningConnector):
        pytest.fail("a connector that cannot listen was handed out as one that can")


# -- cut at every byte


def session_length(house: Simulator, desk: Tenant, mailed: Connection) -> int:
    """How many bytes our server says while one mail is taken in."""
    house.act(desk.domain, "open", by="pavan", title="measure", description="x")
    house.cut = 10**6
    Connection.objects.update(next_poll_at=None, resting_until=None)
    polling.poll(connection_id=mailed.pk)
    left, house.cut = house.cut, None
    return 10**6 - left


@pytest.mark.parametrize("quarter", range(4))
def test_a_conversation_cut_at_every_byte_loses_and_doubles_nothing(
    house: Simulator, desk: Tenant, mailed: Connection, quarter: int
) -> None:
    work()
    length = session_length(house, desk, mailed)
    cuts = range(quarter, length + 1, 4)
    for cut in cuts:
        house.act(desk.domain, "open", by="pavan", title=f"cut at {cut}", description="x")
        house.cut = cut
        Connection.objects.update(next_poll_at=None, resting_until=None)
        polling.poll(connection_id=mailed.pk)
        house.cut = None
        Connection.objects.update(next_poll_at=None, resting_until=None)
        polling.poll(connection_id=mailed.pk)

    kept = [bytes(body) for body in Inbound.objects.filter(kind="mail").values_list("body", flat=True)]
    subjects = sorted(line[9:].decode() for raw in kept for line in raw.splitlines() if line.startswith(b"Subject: "))
    assert subjects == sorted(["measure", *(f"cut at {cut}" for cut in cuts)])
    assert length > 900
    assert Connection.objects.get(pk=mailed.pk).state == "active"
    box = desk.folder(desk.hub, "INBOX")
    assert box is not None
    unmarked = [each for each in box["messages"] if "\\Seen" not in each["flags"]]
    assert len(unmarked) < len(cuts)  # marks may be missing where the line died; they decide nothing


def test_a_message_whose_taking_was_not_answered_goes_out_again_under_the_same_id(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, leg = offered
    house.loses_dot = True
    comments.comment(ticket=ticket, body="Said once", legs=[leg], actor=agent, at=now())
    work()
    item = Outbound.objects.get(kind="note")
    assert item.state == Outbound.State.UNCLEAR
    long_ago = now().replace(year=2020)
    Outbound.objects.filter(pk=item.pk).update(intent_at=long_ago, next_attempt_at=long_ago)
    work()

    assert Outbound.objects.get(pk=item.pk).state == Outbound.State.DONE
    mails = [each for each in house.act(desk.domain, "mailbox")["mails"] if "Said once" in each]
    ids = {line for mail in mails for line in mail.splitlines() if line.lower().startswith("message-id:")}
    assert (len(mails), len(ids)) == (2, 1)


# -- OAuth 2


@responses.activate(registry=responses.registries.OrderedRegistry)  # type: ignore[misc]
def test_a_microsoft_365_mailbox_lets_us_in_by_a_token(house: Simulator, desk: Tenant, mailed: Connection) -> None:
    desk.token = "a-token"
    mailed.settings |= {"auth": "microsoft", "tenant": "our-directory", "client_id": "app"}
    vault.seal(mailed, {"client_secret": "shh"})
    mailed.save()
    address = "https://login.microsoftonline.com/our-directory/oauth2/v2.0/token"
    responses.post(address, json={"error": "invalid_client"}, status=401)
    responses.post(address, json={"access_token": "a-token", "expires_in": 3600})

    with registry.ready(mailed) as connector, pytest.raises(LockedOut, match="was rejected"):
        connector.check()
    with registry.ready(mailed) as connector:
        assert connector.check().own_user == desk.hub
    asked = str(responses.calls[1].request.body)
    assert "grant_type=client_credentials" in asked
    assert "outlook.office365.com" in asked
