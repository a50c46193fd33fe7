"""A vendor who has only a mailbox, on a real Dovecot and Postfix: ../shared/peers/start-mail.sh starts them."""

from __future__ import annotations

import imaplib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.email.mailbox import Mailbox, Place
from connectors.email.verifying import verified
from connectors.engine import registry, vault
from connectors.engine.inbound import polling
from connectors.kit.errors import ConnectorError, LockedOut, Refused, TryLater, Unclear
from connectors.models import Connection, Inbound, NoteRule, Outbound, StatusRule
from hub.domain import history, ledger, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Stage, Ticket
from tests import factories
from worker import dispatcher
from workflows.handoffs import comments, engagements, guest_links, stages
from workflows.models import GuestLink

HOME = Path(os.environ.get("LIVE_HOME") or Path(tempfile.gettempdir()) / "tickethub-peers")
HUB, VENDOR = "hub@hub.example.test", "vendor-a@vendor-a.example.test"


def settings_of_mail() -> dict[str, str]:
    file = HOME / "mail.env"
    found = dict(line.partition("=")[::2] for line in file.read_text().splitlines()) if file.exists() else {}
    try:
        socket.create_connection((found["MAIL_HOST"], int(found["IMAP_PORT"])), timeout=3).close()
    except (KeyError, OSError):
        return {}
    return found


FOUND = settings_of_mail()
# By a mark, so that each test is there to be named: connector_matrix asks for one of them.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FOUND, reason="no mail servers run here: start them with ../shared/peers/start-mail.sh"),
]


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Person:
    """Somebody at the vendor with an ordinary mail program, and a folder of this test's own at the hub."""

    def __init__(self) -> None:
        self.folder = f"test-{uuid4().hex[:12]}"
        with self._imap(HUB, "hub-pass") as session:
            session.create(self.folder)

    def _imap(self, user: str, password: str) -> imaplib.IMAP4:
        session = imaplib.IMAP4(FOUND["MAIL_HOST"], int(FOUND["IMAP_PORT"]))
        session.login(user, password)
        return session

    def arrive(self, raw: bytes) -> None:
        """A message lies in the hub's folder, as the server's own rules put it there."""
        with self._imap(HUB, "hub-pass") as session:
            session.append(self.folder, "", imaplib.Time2Internaldate(time.time()), raw)

    def flags(self) -> list[bytes]:
        with self._imap(HUB, "hub-pass") as session:
            session.select(self.folder, readonly=True)
            _answer, data = session.fetch("1:*", "(FLAGS)")
            return [bytes(part) for part in data if isinstance(part, bytes)]

    def renumber(self) -> None:
        """The folder is made anew with the same messages: UIDVALIDITY changes."""
        with self._imap(HUB, "hub-pass") as session:
            session.select(self.folder)
            _answer, data = session.fetch("1:*", "(BODY.PEEK[])")
            kept = [part[1] for part in data if isinstance(part, tuple)]
            before = session.response("UIDVALIDITY")[1]
            session.close()
            while True:  # its number is the time in seconds there: made anew within one second it may be the same
                session.delete(self.folder)
                session.create(self.folder)
                session.select(self.folder)
                if session.response("UIDVALIDITY")[1] != before:
                    break
                session.close()
            for raw in kept:
                session.append(self.folder, "", imaplib.Time2Internaldate(time.time()), raw)

    def received(self, subject: str, user: str = VENDOR, password: str = "vendor-a-pass") -> list[EmailMessage]:
        """What has arrived at the vendor about this, the oldest first; waits for the real servers."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with self._imap(user, password) as session:
                session.select("INBOX", readonly=True)
                _answer, data = session.search(None, "SUBJECT", f'"{subject}"')
                numbers = (data[0] or b"").split()
                if numbers:
                    _answer, parts = session.fetch(b",".join(numbers).decode(), "(BODY.PEEK[])")
                    raws = [part[1] for part in parts if isinstance(part, tuple)]
                    return [message_from_bytes(raw, policy=policy.default) for raw in raws]  # type: ignore[misc]
            threading.Event().wait(0.2)
        raise AssertionError(f"nothing about {subject} arrived")


def answer(to: EmailMessage, text: str, *, sender: str = VENDOR, **headers: str) -> bytes:
    """An answer as an ordinary mail program writes it."""
    message = EmailMessage()
    message["From"] = f"Vera Vendor <{sender}>"
    message["To"] = str(to["Reply-To"])
    message["Subject"] = f"Re: {to['Subject']}"
    message["In-Reply-To"] = message["References"] = str(to["Message-ID"])
    message["Message-ID"] = f"<{uuid4().hex}@vendor-a.example.test>"
    message["Date"] = now().strftime("%a, %d %b %Y %H:%M:%S +0000")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    quoted = "\n".join(f"> {line}" for line in to.get_content().splitlines())
    message.set_content(f"{text}\n\nOn Mon, 2 Mar 2026 at 10:11, Hub <{HUB}> wrote:\n{quoted}\n")
    return message.as_bytes()


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def connection(person: Person, us: Any, settings: Any) -> Connection:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    made = Connection(
        name="Print fleet by mail",
        organisation=factories.OrganisationFactory(name="Print fleet"),
        connector="email",
        state=Connection.State.ACTIVE,
        poll_seconds=0,
        settings={
            "to": VENDOR,
            "senders": VENDOR,
            "mailbox": HUB,
            "from_name": "Northwind",
            "imap_host": "127.0.0.1",
            "imap_port": FOUND["IMAP_PORT"],
            "imap_security": "none",
            "folders": person.folder,
            "smtp_host": "127.0.0.1",
            "smtp_port": FOUND["SMTP_PORT"],
            "smtp_security": "none",
            "user": HUB,
            "trust": "results",
            "authserv": "mx.northwind.example",
        },
    )
    made.save()
    vault.seal(made, {"password": "hub-pass"})
    made.cursor = ""
    made.save()
    rules = factories.mapping(made)
    for rows in (rules.statuses, rules.notes, rules.values):
        rows.all().delete()
    for theirs, verb, waits, says in (
        ("offered", "acknowledge", "", "offered"),
        ("accepted", "accept", "", "working"),
        ("question", "wait", "us", ""),
        ("resolved", "done", "", ""),
        ("declined", "decline", "", ""),
        ("recalled", "return", "", "recalled"),
        ("closed", "done", "", "closed"),
    ):
        StatusRule.objects.create(mapping=rules, theirs=theirs, label=theirs, verb=verb, waits_on=waits, says=says)
    for priority in ("P1", "P2", "P3", "P4"):
        rules.values.create(field="priority", ours=priority, theirs=priority)
    NoteRule.objects.create(
        mapping=rules, theirs="mail", audience="requester", is_written=True, is_written_for_legs=True
    )
    return made


GOOD = {"Authentication_Results": "mx.northwind.example; dmarc=pass header.from=vendor-a.example.test"}


def work() -> None:
    Connection.objects.update(next_poll_at=None, resting_until=None)
    dispatcher.drain(most=4)


@pytest.fixture
def offered(connection: Connection, person: Person, agent: Actor) -> tuple[Ticket, Leg, EmailMessage]:
    """A ticket at the mail vendor, and the mail that arrived there."""
    work()  # the mailbox is read from now on
    title = f"Toner is out {uuid4().hex[:8]}"
    ticket = tickets.open_ticket(title=title, description="Floor 2 – größer", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    [mail] = person.received(title)
    return ticket, Leg.objects.get(pk=leg.pk), mail


Offered = tuple[Ticket, Leg, EmailMessage]


def test_an_offer_arrives_as_a_mail_that_says_how_to_answer(offered: Offered) -> None:
    _ticket, leg, mail = offered
    text = mail.get_content()

    assert leg.delivered_at is not None
    assert mail["Auto-Submitted"] is None  # a person of ours offered the ticket
    assert str(mail["From"]) == f"Northwind <{HUB}>"
    assert leg.public_id.lower() in str(mail["Reply-To"])
    assert all(
        f"/v/{guest_links.token(GuestLink.objects.get())}/?do={verb}" in text
        for verb in ("accept", "decline", "ask", "resolve")
    )
    assert all(word in text for word in ("ACCEPT", "DECLINE", "NEED INFORMATION", "RESOLVED", "größer", "P2"))


def test_the_same_stages_and_events_as_with_any_other_vendor(
    offered: Offered, person: Person, agent: Actor, connection: Connection
) -> None:
    ticket, leg, mail = offered

    person.arrive(answer(mail, "ACCEPT", **GOOD))
    work()
    assert Leg.objects.get(pk=leg.pk).stage == Stage.ACCEPTED

    question = answer(mail, "Need information: which floor?", **GOOD)
    person.arrive(question)
    work()
    assert Leg.objects.get(pk=leg.pk).stage == Stage.WAITING
    comments.comment(ticket=ticket, body="The second", legs=[Leg.objects.get(pk=leg.pk)], actor=agent, at=now())
    stages.resume(leg=Leg.objects.get(pk=leg.pk), actor=agent, at=now())
    work()
    arrived = person.received(ticket.title)
    assert any("The second" in each.get_content() for each in arrived)
    newest_of_theirs = str(message_from_bytes(question, policy=policy.default)["Message-ID"])
    assert {str(each["In-Reply-To"]) for each in arrived[1:]} == {newest_of_theirs}
    assert all(str(each["References"]).startswith(str(mail["Message-ID"])) for each in arrived[1:])

    person.arrive(answer(mail, "We ordered a new one.\nIt comes tomorrow.", **GOOD))
    person.arrive(answer(mail, "RESOLVED: changed the toner", **GOOD))
    work()
    done = Ticket.objects.get(pk=ticket.pk)
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE
    theirs = Message.objects.filter(ticket=ticket, author_organisation=connection.organisation).order_by("pk")
    assert [message.body for message in theirs] == [
        "which floor?",
        "We ordered a new one.\nIt comes tomorrow.",
        "changed the toner",
    ]
    assert not Outbound.objects.exclude(state="done").exists()
    assert history.verify(done) is None
    assert ledger.verify(done) == []


def test_what_is_done_on_the_page_is_not_told_to_them_again(
    offered: Offered, person: Person, agent: Actor, client: Any
) -> None:
    ticket, leg, _mail = offered
    where = f"/v/{guest_links.token(GuestLink.objects.get())}/"
    client.post(where, {"act": "accept", "name": "Vera", "text": "On it"})
    work()
    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=now())
    work()

    assert Leg.objects.get(pk=leg.pk).stage == Stage.ACCEPTED
    told = [each.get_content() for each in person.received(ticket.title)]
    assert len(told) == 2
    assert "P1" in told[1]
    assert "On it" not in told[1]


def test_who_is_not_the_vendor_moves_nothing_and_a_person_sees_it(offered: Offered, person: Person) -> None:
    _ticket, leg, mail = offered
    forged = {"Authentication_Results": "mx.evil.test; dmarc=pass header.from=vendor-a.example.test"}
    for raw, doubt in (
        (answer(mail, "ACCEPT", sender="mallory@elsewhere.test", **GOOD), "not one of the addresses"),
        (answer(mail, "ACCEPT"), "did not verify"),
        (answer(mail, "ACCEPT", **forged), "did not verify"),
        (answer(mail, "ACCEPT", Authentication_Results="mx.northwind.example; dmarc=fail"), "did not verify"),
    ):
        person.arrive(raw)
        work()
        row = Inbound.objects.filter(kind="mail").latest("pk")
        assert (row.state, doubt in row.error) == ("parked", True), row.error
        assert bytes(row.body).replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")

    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED
    assert row.headers["read"]["authentication_results"] == ["mx.northwind.example; dmarc=fail"]


def test_what_nobody_wrote_is_ignored_and_answered_by_nobody(offered: Offered, person: Person) -> None:
    _ticket, leg, mail = offered
    person.arrive(answer(mail, "ACCEPT, I am away", Auto_Submitted="auto-replied", **GOOD))
    person.arrive(mail.as_bytes())
    before = Outbound.objects.count()
    work()

    assert set(Inbound.objects.filter(kind="mail").values_list("state", flat=True)) == {"ignored"}
    assert (Leg.objects.get(pk=leg.pk).stage, Outbound.objects.count()) == (Stage.OFFERED, before)


def test_a_real_bounce_marks_our_delivery_as_failed(connection: Connection, person: Person, agent: Actor) -> None:
    """Postfix takes it, Dovecot refuses it: a real report comes back to our INBOX."""
    gone = "gone@vendor-a.example.test"
    Connection.objects.update(settings=connection.settings | {"to": gone, "folders": "INBOX"})
    work()
    ticket = tickets.open_ticket(title=f"Gone {uuid4().hex[:8]}", priority="P3", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    item = Outbound.objects.get(kind="create")
    assert item.tries.get().outcome == "ok"  # it was taken; the report comes later, or at once

    end = time.monotonic() + 20
    while time.monotonic() < end and not Outbound.objects.filter(state="parked").exists():
        threading.Event().wait(0.3)
        work()
    item = Outbound.objects.get(kind="create")
    assert (item.state, gone in item.error, "5." in item.error) == ("parked", True, True), item.error


def test_a_new_mail_of_theirs_becomes_a_ticket_and_a_strangers_waits(connection: Connection, person: Person) -> None:
    work()
    for sender, headers in ((VENDOR, GOOD), ("stranger@elsewhere.test", GOOD)):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, HUB, f"Paper jam from {sender}"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content("Tray 2")
        message.add_attachment(b"PNG", maintype="image", subtype="png", filename="../jam.png")
        person.arrive(message.as_bytes())
    work()

    [ticket] = Ticket.objects.all()
    assert (ticket.title, ticket.description) == (f"Paper jam from {VENDOR}", "Tray 2")
    assert [each.name for each in ticket.attachments.all()] == ["jam.png"]
    parked = Inbound.objects.get(state="parked")
    assert "not one of the addresses" in parked.error


def test_two_mails_with_one_message_id_are_both_kept_and_one_mail_twice_is_one(
    offered: Offered, person: Person
) -> None:
    ticket, _leg, mail = offered
    one, two = (answer(mail, text, **GOOD) for text in ("first words", "other words"))
    same = two.split(b"Message-ID: ")[1].split(b"\n")[0]
    own = one.split(b"Message-ID: ")[1].split(b"\n")[0]
    for raw in (one, two.replace(same, own), one):
        person.arrive(raw)
    work()

    assert sorted(Message.objects.filter(ticket=ticket).values_list("body", flat=True)) == [
        "first words",
        "other words",
    ]


def test_a_folder_that_was_numbered_anew_is_read_again_and_nothing_doubles(offered: Offered, person: Person) -> None:
    ticket, _leg, mail = offered
    person.arrive(answer(mail, "before", **GOOD))
    work()
    person.renumber()
    person.arrive(answer(mail, "after", **GOOD))
    work()

    assert sorted(Message.objects.filter(ticket=ticket).values_list("body", flat=True)) == ["after", "before"]
    assert Inbound.objects.filter(kind="mail").count() == 2


def test_only_what_is_kept_is_marked_as_read(
    offered: Offered, person: Person, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ticket, _leg, mail = offered
    person.arrive(answer(mail, "hello", **GOOD))
    fresh = Connection.objects.get(pk=connection.pk)
    with registry.ready(fresh) as connector:
        found = connector.letters(fresh.cursor)
        assert len(found.letters) == 1
        assert not any(rb"\Seen" in flags for flags in person.flags())
    work()
    assert all(rb"\Seen" in flags for flags in person.flags())


def test_a_real_server_tells_at_once_that_there_is_news(connection: Connection, person: Person) -> None:
    fresh = Connection.objects.get(pk=connection.pk)
    with registry.ready(fresh) as connector:
        cursor = connector.letters("").cursor
        assert connector.listen(cursor, 0.2) is False
        told: list[bool] = []
        thread = threading.Thread(target=lambda: told.append(connector.listen(cursor, 60)))
        thread.start()
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = VENDOR, HUB, "News"
        message.set_content("x")
        person.arrive(message.as_bytes())
        thread.join(90)

    assert told == [True]


def test_news_that_a_real_server_tells_before_it_is_waited_for_is_news(
    connection: Connection, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says EXISTS once, here with the answer to the search that does not name it; IDLE says nothing more."""

    def select(self: Mailbox, session: imaplib.IMAP4, folder: str) -> tuple[int, int]:
        found = real(self, session, folder)
        person.arrive(b"Subject: News\r\n\r\nx\r\n")
        return found

    real = Mailbox._select
    fresh = Connection.objects.get(pk=connection.pk)
    with registry.ready(fresh) as connector:
        cursor = connector.letters("").cursor
        monkeypatch.setattr(Mailbox, "_select", select)
        assert connector.listen(cursor, 5) is True


# -- cut at every byte


class Cutter:
    """Stands between us and the mail server and ends the conversation after so many bytes of its answers."""

    def __init__(self, port: int) -> None:
        self.port, self.left = port, 10**9
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=self._up, args=(client, server), daemon=True).start()
        try:
            while data := server.recv(65536):
                client.sendall(data[: max(self.left, 0)])
                self.left -= len(data)
                if self.left <= 0:
                    break
        except OSError:
            pass
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass


@pytest.fixture
def cutter() -> Iterator[Cutter]:
    made = Cutter(int(FOUND["IMAP_PORT"]))
    yield made
    made.listener.close()


def test_a_conversation_cut_at_any_byte_loses_and_doubles_nothing(
    offered: Offered, person: Person, connection: Connection, cutter: Cutter, settings: Any
) -> None:
    settings.MAILS_PER_MINUTE = 1000
    ticket, _leg, mail = offered
    fresh = Connection.objects.get(pk=connection.pk)
    fresh.settings |= {"imap_port": str(cutter.own)}
    fresh.save(update_fields=["settings"])
    texts = []
    for cut in range(0, 6000, 97):
        texts.append(f"cut at {cut}")
        person.arrive(answer(mail, texts[-1], **GOOD))
        cutter.left = cut
        Connection.objects.update(next_poll_at=None, resting_until=None)
        polling.poll(connection_id=connection.pk)
        cutter.left = 10**9
        work()
    bodies = sorted(Message.objects.filter(ticket=ticket).values_list("body", flat=True))

    assert bodies == sorted(texts)
    assert Connection.objects.get(pk=connection.pk).state == "active"


# -- settings


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"imap_host": "127.0.0.2"}, "imap_host"),
        ({"imap_port": "1"}, ""),
        ({"imap_port": "x"}, "imap_port"),
        ({"folders": "INBOX, Nowhere"}, "folders"),
        ({"to": "nobody"}, "to"),
        ({"senders": "x"}, "senders"),
        ({"authserv": ""}, "authserv"),
        ({"imap_host": "10.1.2.3"}, "imap_host"),
        ({"smtp_port": "1"}, ""),
        ({"user": "nobody@hub.example.test"}, "password"),
    ],
)
def test_the_check_names_the_setting_that_is_wrong(
    connection: Connection, person: Person, change: dict[str, str], field: str
) -> None:
    connection.settings |= change
    with registry.ready(connection) as connector, pytest.raises(ConnectorError) as refused:
        connector.check()

    assert getattr(refused.value, "field", "") == field
    assert "hub-pass" not in str(refused.value)


def test_the_check_looks_into_each_folder(connection: Connection, person: Person) -> None:
    with registry.ready(connection) as connector:
        assert connector.check().facts == {f"folder {person.folder}": "0 messages"}


def test_a_folder_may_have_any_name(person: Person) -> None:
    place = Place(
        host="127.0.0.1",
        port=int(FOUND["IMAP_PORT"]),
        security="none",
        user=HUB,
        password="hub-pass",
        folders=('Entwürfe & "mehr"',),
    )
    box = Mailbox(place, lambda host, port, seconds: socket.create_connection((host, port), timeout=seconds))
    with pytest.raises(Refused, match="has no folder"):
        box.check()


def test_an_answer_of_the_mail_server_says_what_to_do(connection: Connection, agent: Actor) -> None:
    """Postfix refuses domains that are not its own: for good. A server that hangs up after the dot: nobody knows."""
    connection.settings |= {"to": "x@nowhere.example.test"}
    from connectors.kit.contract import Change

    change = Change(id="01JZZZZZZZZZZZZZZZZZZZZZZ3", kind="note", leg="01JZZZZZZZZZZZZZZZZZZZZZZ1", text="x", title="T")
    with (
        registry.ready(connection) as connector,
        pytest.raises((Refused, TryLater), match=r"mail server replied: [45]"),
    ):
        connector.push(change)
    hanging = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        client, _address = hanging.accept()
        stream = client.makefile("rwb")
        stream.write(b"220 x\r\n")
        stream.flush()
        for line in stream:
            if line == b".\r\n":
                break
            if line[:4].upper() in (b"EHLO", b"MAIL", b"RCPT"):
                stream.write(b"250 x\r\n")
            if line[:4].upper() == b"DATA":
                stream.write(b"354 x\r\n")
            stream.flush()
        stream.close()
        client.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    connection.settings |= {"to": VENDOR, "smtp_port": str(hanging.getsockname()[1])}
    vault.seal(connection, {})
    with registry.ready(connection) as connector, pytest.raises(Unclear):
        connector.push(change)
    hanging.close()
    thread.join(5)


@pytest.mark.parametrize(
    ("results", "is_verified"),
    [
        (["mx.us; dmarc=pass header.from=v.test"], True),
        (["mx.us; dkim=pass header.d=v.test"], True),
        (["mx.us; dkim=pass header.d=evil.test"], False),
        (["mx.us; spf=pass smtp.mailfrom=v.test"], False),
        (["mx.us 1; dmarc=pass"], True),
        ([], False),
        (["mx.us; none"], False),
        (["mx.us; dmarc=none; dkim=pass header.d=v.test"], False),
    ],
)
def test_what_our_server_found_out_decides(results: list[str], is_verified: bool) -> None:
    assert verified(results, "mx.us", "v.test") is is_verified


def test_a_wrong_password_locks_out(connection: Connection) -> None:
    vault.seal(connection, {"password": "wrong"})
    with registry.ready(connection) as connector, pytest.raises(LockedOut):
        connector.check()
