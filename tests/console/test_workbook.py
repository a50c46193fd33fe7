"""A list as a workbook: what a spreadsheet gets of it."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from console import exporting, list_exports, workbook
from console.views import export
from hub.core import jobs
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import ListExport, Membership, Organisation, Ticket, User
from hub.queries import business_risk
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


def test_a_vendor_gets_what_its_list_shows(ticket: Ticket) -> None:
    vendor = log_in(factories.member("vendor", factories.OrganisationFactory()))
    _xml, texts = sheet(vendor.get("/tickets/export.xlsx?show=all"))
    assert ticket.label not in texts
    assert "Ticket" in texts


def test_all_pages_are_in_the_file(
    client: Client, ticket: Ticket, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for number in range(5):
        tickets.open_ticket(title=f"T{number}", actor=agent, at=at)
    _xml, texts = sheet(client.get("/tickets/export.xlsx?columns=ticket"))
    assert len(texts) == 1 + 6
    csv = b"".join(client.get("/tickets/export.csv?columns=ticket")).decode("utf-8-sig")
    assert sorted(csv.split()) == sorted(texts)


# -- in the background


@pytest.fixture
def many(ticket: Ticket, agent: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[Ticket]:
    """Three tickets, of which two are too many for a workbook at once."""
    monkeypatch.setattr(export, "AT_ONCE", 1)
    monkeypatch.setattr(exporting, "CHUNK", 2)
    return [ticket, *(tickets.open_ticket(title=f"T{n}", actor=agent, at=at) for n in range(2))]


QUERY = "show=open&sort=number&columns=ticket"


def queued(client: Client, query: str = QUERY) -> ListExport:
    client.post(f"/tickets/export.xlsx?{query}")
    found = ListExport.objects.order_by("-pk").first()
    assert found is not None
    return found


def work() -> None:
    job = jobs.registered()["workbook"]
    for pk in job.due():
        job.run(pk)


def words(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def test_a_long_list_becomes_a_workbook_in_the_background(client: Client, many: list[Ticket]) -> None:
    page = words(client.get(f"/tickets/export.xlsx?{QUERY}"))
    assert "The list has more than 1 tickets." in page
    assert not ListExport.objects.exists()  # a link must not begin anything
    made = queued(client)
    assert "waiting for its turn" in words(client.get(f"/exports/{made.public_id}/"))
    assert client.get(f"/exports/{made.public_id}/file/").status_code == 404
    work()
    page = words(client.get(f"/exports/{made.public_id}/"))
    assert "The workbook with 3 tickets is ready." in page
    answer = client.get(f"/exports/{made.public_id}/file/")
    assert answer["Content-Type"] == export.XLSX
    _xml, texts = sheet(answer)
    assert texts == ["Ticket", *(each.label for each in many)]
    assert client.get(f"/exports/{made.public_id}/", headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_the_page_says_how_far_it_is(client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch) -> None:
    made = queued(client)
    seen: list[str] = []
    write = workbook.write

    def watched(file: Any, columns: Any, pages: Any, **more: Any) -> None:
        def watching() -> Iterator[Any]:
            for page in pages:
                seen.append(words(client.get(f"/exports/{made.public_id}/")))
                yield page

        write(file, columns, watching(), **more)

    monkeypatch.setattr(workbook, "write", watched)
    work()
    assert "2 of 3 tickets are in the workbook." in seen[1]


def test_times_and_words_are_those_of_the_person(client: Client, many: list[Ticket]) -> None:
    user = User.objects.get(name="Mona Manager")
    user.time_zone, user.language = "Europe/Berlin", "de"
    user.save()
    made = queued(client, "show=open&columns=ticket,opened")
    work()
    _xml, texts = sheet(client.get(f"/exports/{made.public_id}/file/"))
    assert "Eröffnet (Europe/Berlin)" in texts


def test_nobody_else_opens_it_and_it_ends_with_the_role(client: Client, many: list[Ticket], us: Organisation) -> None:
    made = queued(client)
    work()
    other = log_in(factories.member("manager", us))
    for url in (f"/exports/{made.public_id}/", f"/exports/{made.public_id}/file/"):
        assert other.get(url).status_code == 404
        assert Client().get(url).status_code == 302
    Membership.objects.filter(user=made.user).update(role="auditor")
    assert client.get(f"/exports/{made.public_id}/file/").status_code == 404


def test_a_worker_that_was_stopped_is_followed_by_another(client: Client, many: list[Ticket]) -> None:
    made = queued(client)
    ListExport.objects.update(due_at=timezone.now() + timedelta(minutes=1), attempts=1, done=2)  # at work
    work()
    assert ListExport.objects.get().state == "waiting"
    ListExport.objects.update(due_at=timezone.now())  # it did not come back
    work()
    assert ListExport.objects.get().state == "done"
    assert len(sheet(client.get(f"/exports/{made.public_id}/file/"))[1]) == 4


def test_a_workbook_that_another_worker_has_taken_over_is_left_to_it(
    client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(client)
    write = workbook.write

    def overtaken(*args: Any, **more: Any) -> None:
        ListExport.objects.update(attempts=2)
        write(*args, **more)

    monkeypatch.setattr(workbook, "write", overtaken)
    work()
    assert ListExport.objects.get().state == "waiting"


def test_what_is_interrupted_again_and_again_is_given_up(client: Client, many: list[Ticket]) -> None:
    made = queued(client)
    ListExport.objects.update(attempts=list_exports.MOST_ATTEMPTS)
    work()
    assert "interrupted several times" in words(client.get(f"/exports/{made.public_id}/"))


def test_a_disk_that_is_full_is_said(client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch) -> None:
    made = queued(client)

    def full(*_args: Any, **_more: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(list_exports.default_storage, "save", full)
    work()
    assert "could not be stored. Try again later." in words(client.get(f"/exports/{made.public_id}/"))


def test_a_failure_while_rows_are_read_leaves_no_file(
    client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = queued(client)
    monkeypatch.setattr(exporting.Exported, "pages", lambda _self: iter([1 // 0 for _ in [1]]))
    work()
    assert "An unexpected error occurred." in words(client.get(f"/exports/{made.public_id}/"))
    assert list(tmp_path.iterdir()) == []


def test_it_is_deleted_after_a_day(client: Client, many: list[Ticket]) -> None:
    made = queued(client)
    work()
    path = made.path
    assert list_exports.default_storage.exists(path)
    ListExport.objects.update(due_at=timezone.now())
    work()
    assert not ListExport.objects.exists()
    assert not list_exports.default_storage.exists(path)


def test_a_person_has_few_at_once_and_none_twice(client: Client, many: list[Ticket]) -> None:
    first = queued(client)
    assert queued(client) == first
    for n in range(5):
        queued(client, f"{QUERY}&n={n}")
    assert ListExport.objects.count() == list_exports.MOST_AT_ONCE
    page = words(client.post(f"/tickets/export.xlsx?{QUERY}&n=9", follow=True))
    assert "You already have 3 workbooks in progress." in page


def test_one_is_made_at_a_time(client: Client, many: list[Ticket]) -> None:
    first, second = queued(client), queued(client, f"{QUERY}&n=1")
    assert jobs.registered()["workbook"].due() == [first.pk]
    ListExport.objects.filter(pk=first.pk).update(attempts=1, due_at=timezone.now() + timedelta(minutes=1))
    assert jobs.registered()["workbook"].due() == []
    ListExport.objects.filter(pk=first.pk).update(state="done", due_at=timezone.now())
    assert jobs.registered()["workbook"].due() == [second.pk, first.pk]


def test_other_roles_need_another_workbook(client: Client, many: list[Ticket]) -> None:
    first = queued(client)
    Membership.objects.filter(user=first.user).update(role="auditor")
    second = queued(client)
    assert second != first
    work()
    first.refresh_from_db()
    assert (first.state, first.why) == ("failed", "Your roles have changed. Export the list again.")


def test_a_list_that_no_sheet_can_hold_is_refused(
    client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = queued(client)
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    work()
    assert "A workbook holds at most 2 tickets. Export CSV" in words(client.get(f"/exports/{made.public_id}/"))


def test_an_export_by_risk_ranks_once(client: Client, many: list[Ticket], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    rank = business_risk.ranked

    def ranked(*args: Any, **more: Any) -> Any:
        asked.append(1)
        return rank(*args, **more)

    monkeypatch.setattr(business_risk, "ranked", ranked)
    text = b"".join(client.get("/tickets/export.csv?columns=ticket&sort=-risk")).decode("utf-8-sig")
    assert sorted(text.split()[1:]) == sorted(each.label for each in many)
    assert len(asked) == 1
