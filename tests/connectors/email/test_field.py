"""Mail as desks and people really write it, through the whole house: simulated servers, engine and record."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from connectors.email.simulator import Simulator, Tenant
from connectors.models import Connection, Inbound
from hub.domain.actors import Actor
from hub.models import Leg, Message, Stage, Ticket
from tests.connectors.email.test_house import (  # noqa: F401
    desk,
    house,
    mailed,
    now,
    offered,
    work,
)
from workflows import conversations

pytestmark = pytest.mark.django_db


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
    made["Message-ID"], made["Date"] = f"<{abs(hash(text))}@printfleet.test>", str(to["Date"])
    made["In-Reply-To"] = made["References"] = str(to["Message-ID"])
    for name, value in (extra or {}).items():
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
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, prefix: str, block: str
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    text = f"We come tomorrow.\n\n{BLOCK[block]}{text_of(ours)}"
    answer(house, desk, ours, text, subject=f"{prefix}: {ours['Subject']}")
    assert words(ticket) == ["We come tomorrow."]


@pytest.mark.parametrize("dashes", ["--", "–", "—", ""])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_our_line_is_known_however_their_program_writes_it(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant, dashes: str, is_wrapped: bool
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    line = f"{dashes} please write above{chr(10) + '> ' if is_wrapped else ' '}this line {dashes}"
    text = quoted(ours).replace("-- please write above this line --", line)
    answer(house, desk, ours, f"It is the fuser.\n\n{text}", subject="FW: about the printer")
    assert words(ticket) == ["It is the fuser."]


def test_an_answer_with_a_file_only_is_the_file_only(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    answer(house, desk, ours, f"\n\nOn {ours['Date']}, Northwind wrote:\n{quoted(ours)}", file=b"12345")
    assert words(ticket) == ["Attached counter.bin"]
    assert "/v/" not in "".join(words(ticket))


def test_words_below_our_line_wait_for_a_person_where_nothing_stands_above(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    answer(house, desk, ours, f"On {ours['Date']}, Northwind wrote:\n{quoted(ours)}\nWe come tomorrow.\n")
    row = Inbound.objects.get(kind="mail", state=Inbound.State.PARKED)
    assert "below our line" in row.error
    assert words(ticket) == []


def test_answers_between_our_lines_are_told_beside_those_above(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    lines = quoted(ours).splitlines()
    text = "\n".join(["See below.", "", *lines[:4], "Since Monday.", *lines[4:]])
    answer(house, desk, ours, text)
    theirs, told = Message.objects.filter(ticket=ticket).order_by("pk")
    assert theirs.body == "See below."
    assert "between the lines of our mail" in told.body
    assert not told.is_for_requester
    assert not told.legs.exists()


def test_an_answer_that_says_nothing_above_our_line_waits_for_a_person(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, leg = offered
    work()
    ours = last_of_ours(desk)
    answer(house, desk, ours, text_of(ours))
    assert "nothing above our line" in Inbound.objects.get(kind="mail", state=Inbound.State.PARKED).error
    assert words(ticket) == []
    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED


def test_no_tag_of_ours_is_stored_with_what_they_write(
    offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant
) -> None:
    ticket, _leg = offered
    work()
    ours = last_of_ours(desk)
    said = f"About {ours['Subject']}: write to {ours['Reply-To']}, as {ours['Message-ID']} says."
    answer(house, desk, ours, said)
    [text] = words(ticket)
    tag = re.search(r"\[TH:\S+\]", str(ours["Subject"]))
    assert tag is not None
    assert tag[0] not in text
    assert str(ours["Reply-To"]) not in text
    assert str(ours["Message-ID"]) not in text
