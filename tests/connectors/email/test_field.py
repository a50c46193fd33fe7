"""Mail as desks and people really write it, through the whole house: simulated servers, engine and record."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256

import pytest

from connectors.email.simulated_lines import Tenant
from connectors.email.simulator import Simulator
from connectors.engine.inbound import reading
from connectors.models import Connection, Difference, HeardMail, Inbound
from connectors.queries import sync_issues
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Stage, Ticket
from tests.connectors.email.test_house import connected, desk, house, mailed, now, offered, work
from workflows.handoffs import comments

__all__ = ["desk", "house", "mailed", "offered"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(offered: tuple[Ticket, Leg], desk: Tenant) -> EmailMessage:
    """The mail with which the ticket was offered to them."""
    work()
    return last_of_ours(desk)


def last_of_ours(desk: Tenant) -> EmailMessage:
    """What they found in their inbox last."""
    raw = desk.folder(desk.desk, "INBOX")["messages"][-1]["raw"].encode("latin-1")
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def quoted(message: EmailMessage) -> str:
    return "".join(f"> {line}\n" for line in text_of(message).splitlines())


def answer(
    house: Simulator,
    desk: Tenant,
    to: EmailMessage,
    text: str,
    *,
    subject: str = "",
    file: bytes = b"",
    extra: dict[str, str] | None = None,
) -> None:
    """Their answer to a mail of ours arrives, and is read."""
    made = EmailMessage()
    made["From"], made["To"] = f"Pavan Print <{desk.desk}>", str(to["Reply-To"])
    made["Subject"] = subject or f"Re: {to['Subject']}"
    made["Message-ID"], made["Date"] = f"<{sha256(text.encode()).hexdigest()[:16]}@printfleet.test>", str(to["Date"])
    made["In-Reply-To"] = made["References"] = str(to["Message-ID"])
    for name, value in (extra or {}).items():
        del made[name]
        made[name] = value
    made.set_content(text)
    if file:
        made.add_attachment(file, maintype="application", subtype="octet-stream", filename="counter.bin")
    deliver(house, desk, made.as_bytes(policy=policy.SMTP))


def deliver(house: Simulator, desk: Tenant, raw: bytes) -> None:
    to = re.search(rb"^To: .*?([\w.+-]+@[\w.-]+)", raw, re.MULTILINE)
    assert to is not None
    with house.news:
        house.deliver(desk, raw, [to[1].decode()])
    work()


def words(ticket: Ticket) -> list[str]:
    return [message.body for message in Message.objects.filter(ticket=ticket).order_by("pk")]


BLOCK = {
    "fi": "Lähettäjä: Northwind IT\nLähetetty: maanantai\nVastaanottaja: desk\nAihe: x\n\n",
    "fi-short": "Lähettäjä: Northwind IT\nAihe: x\n\n",
    "de": "Von: Northwind IT\nGesendet: Montag, 16. März 2026\nAn: desk\nBetreff: x\n\n",
    "nl": "-----Oorspronkelijk bericht-----\nVan: Northwind IT\nVerzonden: maandag\nAan: desk\nOnderwerp: x\n\n",
    "en": "From: Northwind IT\nSent: Monday\nTo: desk\nSubject: x\n\n",
    "unknown": "________________________________\nEn attendant 12:30, Northwind IT <hub@northwind.test> :\n\n",
}


@pytest.mark.parametrize(
    ("prefix", "block"),
    [("VS", "fi"), ("VL", "fi-short"), ("WG", "de"), ("AW", "de"), ("FW", "en"), ("Doorst", "nl"), ("TR", "unknown")],
)
def test_nothing_below_our_line_is_ever_taken_as_their_words(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant, prefix: str, block: str
) -> None:
    ticket, _leg = offered
    text = f"We come tomorrow.\n\n{BLOCK[block]}{text_of(ours)}"
    answer(house, desk, ours, text, subject=f"{prefix}: {ours['Subject']}")
    assert words(ticket) == ["We come tomorrow."]


@pytest.mark.parametrize("dashes", ["--", "–", "—", ""])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_our_line_is_known_however_their_program_writes_it(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant, dashes: str, is_wrapped: bool
) -> None:
    ticket, _leg = offered
    line = f"{dashes} please write above{chr(10) + '> ' if is_wrapped else ' '}this line {dashes}"
    text = quoted(ours).replace("-- please write above this line --", line)
    answer(house, desk, ours, f"It is the fuser.\n\n{text}", subject="FW: about the printer")
    assert words(ticket) == ["It is the fuser."]


def test_an_answer_with_a_file_only_is_the_file_only(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    answer(house, desk, ours, f"\n\nOn {ours['Date']}, Northwind wrote:\n{quoted(ours)}", file=b"12345")
    assert words(ticket) == ["Attached counter.bin"]
    assert "/v/" not in "".join(words(ticket))


def test_words_below_our_line_wait_for_a_person_where_nothing_stands_above(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    answer(house, desk, ours, f"On {ours['Date']}, Northwind wrote:\n{quoted(ours)}\nWe come tomorrow.\n")
    row = Inbound.objects.get(kind="mail", state=Inbound.State.PARKED)
    assert "below our line" in row.error
    assert words(ticket) == []


def test_answers_between_our_lines_are_told_beside_those_above(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    lines = quoted(ours).splitlines()
    text = "\n".join(["See below.", "", *lines[:4], "Since Monday.", *lines[4:]])
    answer(house, desk, ours, text)
    theirs, told = Message.objects.filter(ticket=ticket).order_by("pk")
    assert theirs.body == "See below."
    assert "between the quoted lines of our e-mail" in told.body
    assert not told.is_for_requester
    assert not told.legs.exists()


def test_an_answer_that_says_nothing_above_our_line_waits_for_a_person(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    ticket, leg = offered
    answer(house, desk, ours, text_of(ours))
    assert "nothing above our line" in Inbound.objects.get(kind="mail", state=Inbound.State.PARKED).error
    assert words(ticket) == []
    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED


def test_no_tag_of_ours_is_stored_with_what_they_write(
    offered: tuple[Ticket, Leg], ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    said = f"About {ours['Subject']}: write to {ours['Reply-To']}, as {ours['Message-ID']} says."
    answer(house, desk, ours, said)
    [text] = words(ticket)
    tag = re.search(r"\[TH:\S+\]", str(ours["Subject"]))
    assert tag is not None
    assert tag[0] not in text
    assert str(ours["Reply-To"]) not in text
    assert str(ours["Message-ID"]) not in text


# -- answers that are proven, whatever their headers say


@pytest.mark.parametrize(
    "headers",
    [
        {"X-MS-Exchange-Inbox-Rules-Loop": "desk@printfleet.test"},
        {"List-Id": "<hub.northwind.test>", "Mailing-List": "list hub@northwind.test", "Precedence": "list"},
        {"Feedback-ID": "1.eu-west-1.x=:AmazonSES", "List-Unsubscribe": "<https://desk.printfleet.test/u/1>"},
        {"Precedence": "bulk", "Auto-Submitted": "auto-generated", "X-Mailer": "Redmine", "List-Id": "<r.test>"},
        {"Auto-Submitted": "auto-generated", "List-Id": "desk/issues <7.issues.desk.printfleet.test>"},
        {"Precedence": "bulk", "X-Loop": "yes", "X-Mailer": "Znuny Mail Service"},
        {"Precedence": "junk"},
        {"X-AutoGenerated": "yes"},
        {"Return-Path": "<>"},
    ],
    ids=["exchange", "google-group", "ses", "redmine", "gitlab", "znuny", "junk", "generated", "return-path"],
)
def test_an_answer_our_signature_proves_is_heard(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, headers: dict[str, str]
) -> None:
    ticket, leg = offered
    work()
    answer(house, desk, last_of_ours(desk), "RESOLVED The fuser was replaced.", extra=headers)
    assert words(ticket) == ["The fuser was replaced."]
    assert Leg.objects.get(pk=leg.pk).stage == Stage.DONE


@pytest.mark.parametrize(
    "headers", [{"Auto-Submitted": "auto-replied"}, {"X-Autoreply": "yes"}, {"Precedence": "auto_reply"}]
)
def test_an_automatic_reply_moves_nothing_and_is_shown_to_us_alone(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, headers: dict[str, str]
) -> None:
    ticket, leg = offered
    work()
    answer(house, desk, last_of_ours(desk), "RESOLVED to enjoy my holiday.", extra=headers)
    [told] = Message.objects.filter(ticket=ticket)
    assert told.body.startswith("Automatic reply from Pavan Print, which had no effect:")
    assert not told.is_for_requester
    assert not told.legs.exists()
    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED


def test_list_mail_that_answers_nothing_of_ours_is_still_left_alone(
    mailed: Connection, house: Simulator, desk: Tenant
) -> None:
    Connection.objects.update(intake="adopt")
    work()
    deliver(house, desk, their_first(desk, "News", "<n@printfleet.test>", extra={"List-Id": "<news.test>"}))
    assert not Ticket.objects.exists()
    assert "mailing list" in Inbound.objects.get(kind="mail").error


# -- threads, and their desk's own number


def their_first(
    desk: Tenant, subject: str, message_id: str, *, refers: str = "", extra: dict[str, str] | None = None
) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = f"Pavan Print <{desk.desk}>", desk.hub, subject
    made["Message-ID"], made["Date"] = message_id, "Mon, 16 Mar 2026 09:00:00 +0000"
    if refers:
        made["References"] = made["In-Reply-To"] = refers
    for name, value in (extra or {}).items():
        made[name] = value
    made.set_content("The fuser has to be replaced.")
    return made.as_bytes(policy=policy.SMTP)


def test_what_answers_their_own_first_mail_stands_on_the_same_ticket(
    mailed: Connection, house: Simulator, desk: Tenant
) -> None:
    Connection.objects.update(intake="adopt")
    work()
    deliver(house, desk, their_first(desk, "Paper jam", "<first@printfleet.test>"))
    second = their_first(desk, "RE: Paper jam", "<second@printfleet.test>", refers="<first@printfleet.test>")
    deliver(house, desk, second)
    deliver(
        house, desk, their_first(desk, "RE: Paper jam", "<third@printfleet.test>", refers="<second@printfleet.test>")
    )
    ticket = Ticket.objects.get()
    assert len(words(ticket)) == 2


def test_a_stranger_who_knows_the_id_of_their_mail_reaches_nothing(
    mailed: Connection, house: Simulator, desk: Tenant
) -> None:
    Connection.objects.update(intake="adopt")
    work()
    deliver(house, desk, their_first(desk, "Paper jam", "<first@printfleet.test>"))
    forged = their_first(desk, "RE: Paper jam", "<x@evil.test>", refers="<first@printfleet.test>")
    deliver(house, desk, forged.replace(desk.desk.encode(), b"somebody@evil.test"))
    assert words(Ticket.objects.get()) == []
    assert Inbound.objects.filter(kind="mail", state=Inbound.State.PARKED).exists()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("[Ticket#2026031610000042] RE: {}", "Ticket#2026031610000042"),
        ("RE: {} [desk.example #4711]", "desk.example #4711"),
        ("##RE-1207## {}", "RE-1207"),
        ("{} - INC0012345", "INC0012345"),
    ],
)
@pytest.mark.parametrize("is_automatic", [False, True])
def test_their_desks_number_is_kept_shown_and_written_in_each_later_subject(
    offered: tuple[Ticket, Leg],
    ours: EmailMessage,
    house: Simulator,
    desk: Tenant,
    agent: Actor,
    said: str,
    shown: str,
    is_automatic: bool,
) -> None:
    ticket, leg = offered
    headers = {"Auto-Submitted": "auto-replied"} if is_automatic else {}
    answer(house, desk, ours, "Your request was received.", subject=said.format(ours["Subject"]), extra=headers)
    assert Leg.objects.get(pk=leg.pk).remote_number == shown
    comments.comment(
        ticket=Ticket.objects.get(pk=ticket.pk),
        body="Back at ten.",
        actor=agent,
        at=now(),
        legs=[Leg.objects.get(pk=leg.pk)],
    )
    work()
    later = last_of_ours(desk)
    number = next(part for part in (said.replace("RE: ", "").replace("{}", "").strip(" -"),) if part)
    assert number in str(later["Subject"])
    theirs = [row.message_id for row in HeardMail.objects.all()]
    assert str(later["References"]).split()[1:] == theirs
    assert str(later["In-Reply-To"]) == theirs[-1]


def test_a_number_that_stands_in_our_title_is_none_of_theirs(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, leg = offered
    Ticket.objects.filter(pk=ticket.pk).update(title="Follow-up on INC0012345")
    work()
    answer(house, desk, last_of_ours(desk), "Understood.")
    assert Leg.objects.get(pk=leg.pk).remote_number == ""


def test_mail_a_person_had_sent_does_not_say_that_a_program_wrote_it(
    offered: tuple[Ticket, Leg], desk: Tenant, agent: Actor
) -> None:
    ticket, leg = offered
    work()
    comments.comment(ticket=ticket, body="Back at ten.", actor=agent, at=now(), legs=[leg])
    work()
    mails = [message_from_bytes(each["raw"].encode("latin-1")) for each in desk.folder(desk.desk, "INBOX")["messages"]]
    assert [mail["Auto-Submitted"] for mail in mails] == [None, None]
    assert [mail["X-Auto-Response-Suppress"] for mail in mails] == [None, None]
    comments.comment(ticket=ticket, body="A reminder.", actor=Actor.system("rules"), at=now(), legs=[leg])
    work()
    assert last_of_ours(desk)["Auto-Submitted"] == "auto-generated"


def test_ids_of_ours_fit_into_a_line_and_are_never_encoded(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, agent: Actor
) -> None:
    ticket, leg = offered
    work()
    answer(house, desk, last_of_ours(desk), "Which one?", extra={"Message-ID": f"<{'x' * 90}@printfleet.test>"})
    comments.comment(ticket=ticket, body="The second.", actor=agent, at=now(), legs=[Leg.objects.get(pk=leg.pk)])
    work()
    for each in desk.folder(desk.desk, "INBOX")["messages"]:
        head = each["raw"].partition("\r\n\r\n")[0]
        ids = re.findall(r"(?im)^(message-id|in-reply-to|references): (.*(?:\r\n[ \t].*)*)", head)
        assert {name.lower() for name, _value in ids} >= {"message-id"}
        assert "=?" not in "".join(value for _name, value in ids)
        ours = re.search(r"(?m)^Message-ID: .*?\r?$", head)
        assert ours is not None
        assert len(f"In-Reply-To: {ours[0].removeprefix('Message-ID: ').strip()}") <= 78


def test_a_mail_without_a_status_word_says_nothing_of_their_status(
    mailed: Connection, house: Simulator, desk: Tenant
) -> None:
    Connection.objects.update(intake="adopt")
    work()
    deliver(house, desk, their_first(desk, "Paper jam", "<first@printfleet.test>"))
    deliver(house, desk, their_first(desk, "RE: Paper jam", "<b@printfleet.test>", refers="<first@printfleet.test>"))
    assert not Difference.objects.exists()


def test_an_automatic_reply_that_quotes_our_tag_is_shown_without_it(
    ours: EmailMessage, offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    text = f"We received {ours['Subject']}."
    answer(house, desk, ours, text, extra={"Auto-Submitted": "auto-replied"})
    assert "[TH:" not in "".join(words(ticket))
    assert "We received" in "".join(words(ticket))


def test_an_id_that_only_smtputf8_carries_is_not_written_into_references(
    ours: EmailMessage, offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, agent: Actor
) -> None:
    ticket, leg = offered
    raw = their_first(desk, "RE: Toner", "<toner@printfleet.test>", refers=str(ours["Message-ID"]))
    deliver(house, desk, raw.replace(b"<toner@", "<töner@".encode()))
    assert HeardMail.objects.get().message_id == "<töner@printfleet.test>"
    comments.comment(ticket=ticket, body="Back at ten.", actor=agent, at=now(), legs=[leg])
    work()
    assert last_of_ours(desk)["References"] == ours["Message-ID"]


def test_a_mail_held_for_its_content_is_not_offered_to_be_taken_all_the_same(
    ours: EmailMessage, house: Simulator, desk: Tenant
) -> None:
    answer(house, desk, ours, text_of(ours))
    [held] = sync_issues.stuck()
    assert "nothing above our line" in held.why
    assert not held.can_be_vouched_for


def test_of_two_connections_on_a_mailbox_one_keeps_what_is_held(
    ours: EmailMessage, mailed: Connection, house: Simulator, desk: Tenant
) -> None:
    answer(house, desk, ours, text_of(ours))
    row = Inbound.objects.get(kind="mail", state=Inbound.State.PARKED)
    Connection.objects.update(name="The first")
    Organisation.objects.filter(connections=mailed).update(name="The first")
    second = connected(house, desk)
    again = Inbound.objects.create(
        connection=second,
        kind="mail",
        delivery="x",
        body=row.body,
        received_at=row.received_at,
        next_attempt_at=row.received_at,
    )
    reading.read(inbound_id=again.pk)
    again.refresh_from_db()
    assert again.state == Inbound.State.IGNORED
    assert "belongs to another connection" in again.error
