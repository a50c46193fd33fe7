"""Previews of attachments on pages: shown to whoever may read the message, and never the original."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client

from hub.core.clock import now
from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import Attachment, Organisation, Ticket
from hub.previews import rendering
from tests import factories
from tests.console.pages import BACKEND, opened
from tests.hub.test_previews import document, picture
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    return opened(agent)


def attached(ticket: Ticket, agent: Actor, name: str, content: bytes) -> Attachment:
    message = messages.say(ticket=ticket, body="see the file", actor=agent, at=now())
    return messages.attach(message=message, name=name, content=content, actor=agent, at=now())


def test_a_picture_is_shown_by_a_link_on_the_ticket(client: Client, ticket: Ticket, agent: Actor) -> None:
    file = attached(ticket, agent, "screen.png", picture())
    url = f"/files/{file.public_id}/preview/"
    assert f'href="{url}"' in client.get(ticket.get_absolute_url()).content.decode()
    page = client.get(url).content.decode()
    assert f'src="{url}1/" width="40" height="20"' in page
    answer = client.get(f"{url}1/")
    assert answer["Content-Type"] == "image/webp"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content[:4] == b"RIFF"


def test_a_document_has_a_picture_for_each_page(client: Client, ticket: Ticket, agent: Actor) -> None:
    file = attached(ticket, agent, "scan.pdf", document(2))
    page = client.get(f"/files/{file.public_id}/preview/").content.decode()
    assert page.count("<img ") - page.count("hub-brand") == 2
    assert client.get(f"/files/{file.public_id}/preview/2/").status_code == 200
    for number in ("0", "3", "1001", "99999999999999999999"):
        assert client.get(f"/files/{file.public_id}/preview/{number}/").status_code == 404


def test_a_text_is_escaped(client: Client, ticket: Ticket, agent: Actor) -> None:
    file = attached(ticket, agent, "<b>.log", b"<script>alert(1)</script>\xe2\x80\xae")
    page = client.get(f"/files/{file.public_id}/preview/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "a.png"])
def test_what_has_no_preview_says_so(client: Client, ticket: Ticket, agent: Actor, name: str) -> None:
    file = attached(ticket, agent, name, b"<svg onload='alert(1)'/>")
    answer = client.get(f"/files/{file.public_id}/preview/")
    assert "Download the file to open it." in unescape(answer.content.decode())
    assert "onload" not in answer.content.decode()
    assert client.get(f"/files/{file.public_id}/preview/1/").status_code == 404
    assert ("preview/" in client.get(ticket.get_absolute_url()).content.decode()) == (name == "a.png")


def test_a_damaged_file_says_so(client: Client, ticket: Ticket, agent: Actor) -> None:
    file = attached(ticket, agent, "screen.png", picture())
    Attachment.objects.update(sha256="0" * 64)
    assert "cannot be used" in client.get(f"/files/{file.public_id}/preview/").content.decode()
    assert client.get(f"/files/{file.public_id}/preview/1/").status_code == 404


def test_a_busy_hub_says_when_to_come_back(
    client: Client, ticket: Ticket, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = attached(ticket, agent, "screen.png", picture())
    monkeypatch.setattr(rendering, "LONGEST_WAIT", 0.01)
    with rendering._free, rendering._free:
        assert client.get(f"/files/{file.public_id}/preview/").status_code == 503
        assert client.get(f"/files/{file.public_id}/preview/1/")["Retry-After"] == "2"


def test_only_readers_of_the_message_see_it(client: Client, ticket: Ticket, agent: Actor, vendor: Organisation) -> None:
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=now())
    file = attached(ticket, agent, "screen.png", picture())
    theirs = Client()
    theirs.force_login(factories.member("vendor", vendor), backend=BACKEND)
    for url in (f"/files/{file.public_id}/preview/", f"/files/{file.public_id}/preview/1/", "/files/x/preview/"):
        assert theirs.get(url).status_code == 404
