"""How far messages and changes have come is said on the ticket, and a refused message can be edited there."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from connectors.autotask.simulator import Simulator
from connectors.models import Link, Outbound
from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Message, Organisation
from tests import factories
from tests.connectors.test_engine import DOMAIN, offered, work
from tests.connectors.test_lanes import said
from tests.console.test_pages import log_in

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(us: Organisation) -> Client:
    return log_in(factories.member("agent", us))


def page_of(link: Link, client: Client) -> str:
    return " ".join(unescape(client.get(link.leg.ticket.get_absolute_url()).content.decode()).split())


def texts(simulator: Simulator) -> str:
    """All notes in the vendor's system."""
    return str(simulator.tenants[DOMAIN].notes)


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("ready", {}, "queued"),
        ("ready", {"attempts": 2, "error": "timed out"}, "failed, next attempt"),
        ("unclear", {}, "sent; not confirmed yet"),
        ("skipped", {"error": "of no use"}, "skipped: of no use"),
        ("parked", {"error": "Note is too long"}, "<strong>not delivered</strong>: Note is too long"),
    ],
)
def test_each_state_is_said_in_words(
    offered: Link, agent: Actor, client: Client, state: str, fields: dict[str, object], words: str
) -> None:
    [note] = said(offered, agent, "hello")
    Outbound.objects.filter(pk=note.pk).update(state=state, next_attempt_at=timezone.now(), **fields)
    page = page_of(offered, client)
    assert words in page
    assert ("Send edited message" in page) == (state == "parked")


def test_a_change_says_what_became_of_it(offered: Link, agent: Actor, client: Client) -> None:
    assert "<strong>delivered</strong>" in page_of(offered, client)  # the new record
    tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=timezone.now())
    assert "queued" in page_of(offered, client)
    work()
    Outbound.objects.filter(link=offered, kind="fields").update(state="parked", error="No such field")
    page = page_of(offered, client)
    assert "No such field" in page
    assert "Send edited message" not in page


def test_a_refused_message_is_edited_and_sent_to_the_same_audience(
    offered: Link, agent: Actor, client: Client, simulator: Simulator
) -> None:
    [note] = said(offered, agent, "far too long")
    Outbound.objects.filter(pk=note.pk).update(state="parked", error="Note is too long")
    url = f"/sync/outbound/{note.pk}/edit/"
    where = {"ticket": offered.leg.ticket.public_id}
    assert "A message needs some text" in unescape(
        client.post(url, where | {"body": " "}, follow=True).content.decode()
    )
    answer = client.post(url, where | {"body": "short"})
    assert answer["Location"] == offered.leg.ticket.get_absolute_url()

    new = Message.objects.get(body="short")
    assert new.supersedes == Message.objects.get(body="far too long")
    assert [leg.pk for leg in new.legs.all()] == [offered.leg_id]
    note.refresh_from_db()
    assert (note.state, note.error) == ("skipped", "Replaced by an edited message.")
    work()
    assert "short" in texts(simulator)
    assert "far too long" not in texts(simulator)
    assert "(Correction)" not in texts(simulator)  # they have received nothing that it would correct
    assert "Only a message that the vendor has refused can be edited here." in unescape(
        client.post(url, where | {"body": "again"}, follow=True).content.decode()
    )


def test_a_message_that_they_have_received_is_corrected(offered: Link, agent: Actor, simulator: Simulator) -> None:
    said(offered, agent, "at nine")
    work()
    [old] = Message.objects.filter(body="at nine")
    messages.say(
        ticket=old.ticket, body="at ten", legs=list(old.legs.all()), supersedes=old, actor=agent, at=timezone.now()
    )
    work()
    assert "(Correction)" in texts(simulator)


def test_others_may_neither_retry_nor_edit(us: Organisation, offered: Link, agent: Actor) -> None:
    [note] = said(offered, agent, "hello")
    Outbound.objects.filter(pk=note.pk).update(state="parked", error="Note is too long")
    auditor = log_in(factories.member("auditor", us))
    page = page_of(offered, auditor)
    assert "Note is too long" in page
    assert "Try again" not in page
    assert auditor.post(f"/sync/outbound/{note.pk}/edit/", {"body": "x"}).status_code == 403
    vendor = log_in(factories.member("vendor", offered.leg.organisation))
    assert "Note is too long" not in page_of(offered, vendor)
