"""What came in and waits for a person: read as it would be read now, tried again with its kind, or left out."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from connectors.email.simulated_lines import Tenant
from connectors.email.simulator import Simulator
from connectors.models import Connection, Inbound
from hub.models import Leg, Organisation, Ticket
from tests import factories
from tests.connectors.email.test_field import answer, ours, quoted, text_of, words
from tests.connectors.email.test_house import desk, house, mailed, offered
from tests.console.test_pages import log_in

__all__ = ["desk", "house", "mailed", "offered", "ours"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(ours: EmailMessage, offered: tuple[Ticket, Leg], house: Simulator, desk: Tenant) -> Inbound:
    """An answer below our line, which quotes the address of the guest page."""
    answer(house, desk, ours, f"On Monday at 9:00, hub wrote:\n{quoted(ours)}\nWe come tomorrow.\n")
    return Inbound.objects.get(kind="mail", state=Inbound.State.PARKED)


def test_a_held_mail_can_be_read_and_left_out_from_the_page(
    held: Inbound, offered: tuple[Ticket, Leg], us: Organisation
) -> None:
    client = log_in(factories.member("agent", us))
    listed = client.get("/sync/").content.decode()
    assert "is parked" in listed
    assert offered[0].label in listed
    assert f"/sync/inbound/{held.pk}/" in listed

    page = client.get(f"/sync/inbound/{held.pk}/").content.decode()
    assert "We come tomorrow." in page
    assert "This item would be held:" in page
    assert "[link removed]" in page
    assert "/v/" not in page
    assert "[TH:" not in page
    assert offered[0].get_absolute_url() in page

    client.post(f"/sync/inbound/{held.pk}/leave-out/", {"reason": ""})
    assert Inbound.objects.get(pk=held.pk).state == Inbound.State.PARKED
    client.post(f"/sync/inbound/{held.pk}/leave-out/", {"reason": "written on the ticket"})
    row = Inbound.objects.get(pk=held.pk)
    assert row.state == Inbound.State.IGNORED
    assert row.error.endswith(": written on the ticket")
    assert ">Skip<" not in client.get(f"/sync/inbound/{held.pk}/").content.decode()
    assert words(offered[0]) == []


@pytest.mark.parametrize("role", ["requester", "executive"])
def test_who_does_not_work_here_reads_no_mail_that_is_held(held: Inbound, us: Organisation, role: str) -> None:
    client = log_in(factories.member(role, us))
    assert client.get(f"/sync/inbound/{held.pk}/").status_code in (302, 403, 404)
    assert client.post(f"/sync/inbound/{held.pk}/leave-out/", {"reason": "x"}).status_code in (302, 403, 404)
    assert Inbound.objects.get(pk=held.pk).state == Inbound.State.PARKED


def test_everything_that_waits_for_one_reason_is_tried_again_at_once(
    held: Inbound, ours: EmailMessage, house: Simulator, desk: Tenant, us: Organisation
) -> None:
    answer(house, desk, ours, f"{quoted(ours)}\nThe part is here.\n")
    answer(house, desk, ours, text_of(ours))
    client = log_in(factories.member("agent", us))
    assert "Try all 2 with this reason again" in client.get(f"/sync/inbound/{held.pk}/").content.decode()
    client.post(f"/sync/inbound/{held.pk}/alike/")
    states = list(Inbound.objects.filter(kind="mail").order_by("pk").values_list("state", flat=True))
    assert states == ["new", "new", "parked"]


def test_an_alert_that_waits_is_shown_as_it_would_be_read_now(us: Organisation) -> None:
    tool = Connection.objects.create(
        name="Monitoring", organisation=us, connector="alerts", purpose="alerts", state="active", settings={}
    )
    row = Inbound.objects.create(
        connection=tool,
        kind="hook",
        delivery="a",
        body=b'{"id": "1", "title": "disk full", "status": "down"}',
        received_at="2026-11-29T09:00:00Z",
        state=Inbound.State.PARKED,
        error="It could not be read then.",
    )
    client = log_in(factories.member("agent", us))
    page = client.get(f"/sync/inbound/{row.pk}/").content.decode()
    assert "This item would be accepted." in page
    assert "disk full" in page
    Inbound.objects.filter(pk=row.pk).update(body=b"{")
    assert "This item would be held:" in client.get(f"/sync/inbound/{row.pk}/").content.decode()
