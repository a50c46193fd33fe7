"""A list as a workbook: what a spreadsheet gets of it."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime, timedelta

import pytest
from django.test import Client

from console.views import export
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from tests import factories
from tests.console.test_pages import log_in

pytestmark = pytest.mark.django_db

ALL = "ticket,title,left,opened,returns"


def sheet(answer: object) -> tuple[str, list[str]]:
    """The XML of the only sheet, and the texts in the order of the cells."""
    book = zipfile.ZipFile(io.BytesIO(b"".join(answer)))  # type: ignore[call-overload]
    xml = book.read("xl/worksheets/sheet1.xml").decode()
    inline = re.findall(r"<is><t[^>]*>([^<]*)</t></is>", xml)
    return xml, inline


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    factories.contract(us, goals={"resolve": {"P3": 4 * 3600}})
    service = factories.ServiceFactory()
    return tickets.open_ticket(title="=cmd|' /C calc'!A0", service=service, actor=agent, at=at)


def test_durations_are_numbers_times_local_and_formulas_text(client: Client, ticket: Ticket, at: datetime) -> None:
    answer = client.get(f"/tickets/export.xlsx?columns={ALL}")
    assert answer["Content-Type"] == export.XLSX
    assert answer["Content-Disposition"].endswith('.xlsx"')
    xml, texts = sheet(answer)
    assert "<f>" not in xml
    assert texts[:5] == ["Ticket", "Title", "Working time left", "Returns", "Opened (UTC)"]
    assert ticket.label in texts
    assert "=cmd|' /C calc'!A0" in texts
    days = (at - datetime(1899, 12, 30, tzinfo=at.tzinfo)) / timedelta(days=1)
    numbers = [float(each) for each in re.findall(r'<c r="E2"[^>]*><v>([0-9.]+)</v>', xml)]
    assert numbers == [pytest.approx(days)]


def test_a_long_list_is_refused_with_what_to_do(
    client: Client, ticket: Ticket, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_IN_A_WORKBOOK", 1)
    sheet(client.get("/tickets/export.xlsx"))
    tickets.open_ticket(title="One too many", actor=agent, at=at)
    page = client.get("/tickets/export.xlsx?show=open", follow=True)
    assert "export CSV, which has no limit" in page.content.decode()
    assert page.request["QUERY_STRING"] == "show=open"


def test_a_vendor_gets_what_its_list_shows(ticket: Ticket) -> None:
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    _xml, texts = sheet(vendor.get("/tickets/export.xlsx?show=all"))
    assert ticket.label not in texts
    assert "Ticket" in texts


def test_all_pages_are_in_the_file(
    client: Client, ticket: Ticket, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for number in range(5):
        tickets.open_ticket(title=f"T{number}", actor=agent, at=at)
    _xml, texts = sheet(client.get("/tickets/export.xlsx?columns=ticket"))
    assert len(texts) == 1 + 6
    csv = b"".join(client.get("/tickets/export.csv?columns=ticket")).decode("utf-8-sig")
    assert sorted(csv.split()) == sorted(texts)
