"""Pages of a list by keyset: every ticket once, in the same order in both directions, whatever lies between."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.rows import columns
from console.rows.tickets import TicketRow
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Organisation, Ticket
from hub.queries import business_risk, risk_order, sorting
from hub.queries.filter_fields import Reader
from hub.queries.sorting import END, SORTS
from tests import factories
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db

IN_THE_DATABASE = [slug for slug in SORTS if slug != "risk"]


@pytest.fixture
def reader(us: Organisation, agent: Actor, at: datetime) -> Reader:
    """Eleven tickets with equal and missing values."""
    factories.contract(us, goals={"resolve": {"P1": 3600, "P2": 7200, "P3": None}})
    services = [factories.ServiceFactory(name=name) for name in ("Ärger", "mail", "Payroll")]
    users = [factories.member("agent", us, name=name) for name in ("Ada", "Bob")]
    for n in range(11):
        ticket = tickets.open_ticket(
            title=f"T{n}",
            priority=("P1", "P2", "P3")[n % 3],
            service=services[n % 4] if n % 4 < 3 else None,
            actor=agent,
            at=at + timedelta(minutes=n // 3),
        )
        if n % 3 < 2:
            tickets.assign(ticket=ticket, assignee=users[n % 3], actor=agent, at=at + timedelta(minutes=n // 3))
    return Reader(user_id=users[0].pk, at=at + timedelta(hours=1))


def walked(reader: Reader, asked: str, *, size: int, backwards: bool = False) -> list[list[int]]:
    """The numbers on each page, from the first to the last page or the other way."""
    order, pages = sorting.order(asked, reader), list[list[int]]()
    place = {"before": END} if backwards else {}
    while True:
        page = risk_order.page(Ticket.objects.all(), order, reader, size=size, **place)
        pages.append([ticket.number for ticket in page.rows])
        following = page.before if backwards else page.after
        if not following:
            return pages
        place = {"before" if backwards else "after": following}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("slug", SORTS)
@pytest.mark.parametrize("size", [1, 3, 11, 50])
def test_every_ticket_is_on_one_page_in_both_directions(reader: Reader, slug: str, descending: bool, size: int) -> None:
    asked = f"-{slug}" if descending else slug
    pages = walked(reader, asked, size=size)
    numbers = [number for page in pages for number in page]
    assert sorted(numbers) == sorted(Ticket.objects.values_list("number", flat=True))
    assert all(len(page) == size for page in pages[:-1])

    back = [number for page in reversed(walked(reader, asked, size=size, backwards=True)) for number in page]
    assert back == numbers


@pytest.mark.parametrize("slug", IN_THE_DATABASE)
def test_values_rise_or_fall_and_those_without_come_last(reader: Reader, slug: str) -> None:
    for asked in (slug, f"-{slug}"):
        rows = sorting.page(Ticket.objects.all(), sorting.order(asked, reader), reader, size=50).rows
        values = [getattr(row, "sort_value") for row in rows]  # noqa: B009
        known = [value for value in values if value is not None]
        assert values[: len(known)] == known
        if not isinstance(known[0], str):  # databases order texts each in their way
            assert known == sorted(known, reverse=asked.startswith("-"))
        ties = [row.number for row, value in zip(rows, values, strict=True) if value == known[0]]
        assert ties == sorted(ties, reverse=asked.startswith("-"))


def test_a_ticket_that_moves_meanwhile_moves_no_other(reader: Reader) -> None:
    order = sorting.order("-changed", reader)
    first = sorting.page(Ticket.objects.all(), order, reader, size=4)
    last = walked(reader, "-changed", size=4)[-1][-1]
    Ticket.objects.filter(number=last).update(changed_at=reader.at)

    second = sorting.page(Ticket.objects.all(), order, reader, size=4, after=first.after)
    assert not {row.number for row in first.rows} & {row.number for row in second.rows}
    assert len(second.rows) == 4


@pytest.mark.parametrize(
    "text",
    ["", "x", ":", "1:", "²", "9" * 30, "5:yesterday", "5:2026-01-01T00:00:00", "\x00", "-1", "5:nan", "5:1e999"],
)
@pytest.mark.parametrize("slug", ["changed", "due", "priority", "number", "risk"])
def test_any_place_is_answered(reader: Reader, text: str, slug: str) -> None:
    order = sorting.order(slug, reader)
    for place in ({"after": text}, {"before": text}):
        risk_order.page(Ticket.objects.all(), order, reader, size=3, **place)


@pytest.mark.parametrize("asked", ["", "-", "nonsense", "--changed", "\x00"])
def test_an_unknown_order_is_the_latest_change_first(reader: Reader, asked: str) -> None:
    assert sorting.order(asked, reader).text == "-changed"


def test_a_reader_who_does_not_know_the_holders_may_not_sort_by_them(reader: Reader) -> None:
    restricted = Reader(user_id=reader.user_id, at=reader.at, known=frozenset())
    for slug in set(SORTS) - sorting.FOR_EVERYBODY:
        assert sorting.order(slug, restricted).text == "-changed"


def test_a_page_takes_one_query(reader: Reader) -> None:
    for slug in IN_THE_DATABASE:
        with CaptureQueriesContext(connection) as asked:
            sorting.page(
                Ticket.objects.all(),
                sorting.order(slug, reader),
                reader,
                size=3,
                after="1002:2026-03-16T09:00:00+00:00",
            )
        assert len(asked) == 1


def test_a_count_stops_at_its_limit(reader: Reader) -> None:
    assert sorting.counted(Ticket.objects.all(), most=5) == 6
    assert sorting.counted(Ticket.objects.all(), most=50) == 11


# -- by business risk


@pytest.mark.parametrize("most", [1000, 4])
def test_a_list_by_risk_begins_as_fix_this_first_does(
    reader: Reader, agent: Actor, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(risk_order, "MOST", most)
    if most == 4:
        monkeypatch.setattr(business_risk, "SOONEST", 3)
        monkeypatch.setattr(business_risk, "MORE", 2)
    ended = Ticket.objects.order_by("number")[2]
    transitions.move(ticket=ended, name="cancel", actor=agent, at=reader.at)
    first = [each.ticket.number for each in business_risk.fix_first(reader, most=4)]
    numbers = [number for page in walked(reader, "-risk", size=3) for number in page]
    assert numbers[:4] == first
    assert numbers[-1] == ended.number or most == 4
    assert len(set(numbers)) == 11
    ranked, are_all = business_risk.ranked(Ticket.objects.all(), reader, most=1000)
    assert are_all
    risks = [each.stakes.risk for each in ranked]
    assert len(risks) == 10
    assert risks == sorted(risks, reverse=True)
    lowest = [number for page in walked(reader, "risk", size=3) for number in page]
    if most == 1000:
        assert lowest[-1] == ended.number  # what puts nothing at stake comes last in both directions


def test_a_list_by_risk_says_why(reader: Reader) -> None:
    ticket = Ticket.objects.select_related("service", "requester").exclude(service=None).first()
    assert ticket is not None
    stakes = business_risk.stakes_of([ticket], reader)[ticket.pk]
    row = TicketRow(ticket=ticket, status="", is_holder_known=True, badges=(), held=0, stakes=stakes)
    assert str(columns.exported(columns.COLUMNS["risk"], row)).startswith(f"{ticket.service}, tier")


def test_a_ticket_whose_risk_rises_is_on_no_page_twice(reader: Reader) -> None:
    order = sorting.order("-risk", reader)
    first = risk_order.page(Ticket.objects.all(), order, reader, size=3)
    later = Reader(user_id=reader.user_id, at=reader.at + timedelta(minutes=40))
    second = risk_order.page(Ticket.objects.all(), order, later, size=50, after=first.after)
    ranked = [each.number for each in business_risk.ranked(Ticket.objects.all(), later, most=1000)[0]]
    here = ranked.index(first.rows[-1].number)
    assert [row.number for row in second.rows][: len(ranked) - here - 1] == ranked[here + 1 :]
