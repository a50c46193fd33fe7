"""A list that refuses its n-th page: on from the last change where it is sorted so, and what is missing is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.engine.inbound import polling
from connectors.kit.contract import Connector, Page
from connectors.kit.errors import ConnectorError, Forbidden, Refused
from connectors.kit.simulating import Answer, Request
from connectors.models import Connection
from connectors.queries import sync_issues
from hub.models import Organisation
from tests import factories
from tests.connectors.rest.vendor import START, Clock, Vendor, connector, document
from tests.console.test_pages import log_in

SIZE, PAGES = 10, 3
FRESHSERVICE = Path("connectors/rest/profiles/freshservice/profile.toml").read_text()


def row(number: int, changed: datetime) -> dict[str, object]:
    at = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": number,
        "subject": f"No {number}",
        "status": 2,
        "priority": 2,
        "group_id": 7,
        "custom_fields": {},
        "created_at": "2026-03-01T09:00:00Z",
        "updated_at": at,
    }


def freshservice(rows: list[dict[str, object]], *, status: int = 400) -> Connector:
    """As it answers: pages of what changed since, sorted as asked, and no more than so many pages."""

    def answer(request: Request) -> Answer:
        query = request.query
        page, per = int(query["page"]), int(query["per_page"])
        assert (query["order_by"], query["order_type"]) == ("updated_at", "asc")
        if page > PAGES:
            wrong = {"field": "page", "message": "There is nothing beyond this page.", "code": "invalid_value"}
            return Answer(status=status, body={"description": "Validation failed", "errors": [wrong]})
        since = query["updated_since"]
        listed = [each for each in rows if str(each["updated_at"]) >= since]
        listed.sort(key=lambda each: str(each["updated_at"]))
        return Answer(body={"tickets": listed[(page - 1) * per : page * per]})

    text = FRESHSERVICE.replace('{ style = "time", size = 100 }', f'{{ style = "time", size = {SIZE} }}')
    clock = Clock()
    clock.at = START + timedelta(days=1)
    return connector(
        text,
        Vendor(answer),
        clock=clock,
        address="https://d.freshservice.com",
        api_key="k",
        email="h@n.test",
        group="7",
    )


def read(made: Connector, cursor: str = "2026-03-16T09:00:00Z", *, most: int = 60) -> tuple[set[str], list[Page]]:
    pages = []
    for _ in range(most):
        page = made.changes_since(cursor)
        pages.append(page)
        cursor = page.cursor
        if not page.more:
            return {ticket.key for page in pages for ticket in page.tickets}, pages
    raise AssertionError("it never ends")


def test_a_list_sorted_by_change_is_read_to_its_end() -> None:
    rows = [row(n, START + timedelta(seconds=n * 7)) for n in range(1, 96)]
    seen, pages = read(freshservice(rows))

    assert len(seen) == 95
    assert [page.left_out for page in pages if page.left_out] == []


def test_one_instant_that_fills_the_limit_is_told_and_the_rest_is_read() -> None:
    """An import there: forty-five changed at once, thirty are all that is shown."""
    at = START + timedelta(hours=1)
    rows = [row(n, START + timedelta(seconds=n)) for n in range(1, 6)]
    rows += [row(n, at) for n in range(100, 145)]
    rows += [row(n, at + timedelta(minutes=n - 199)) for n in range(200, 215)]
    seen, pages = read(freshservice(rows))

    assert {f"{n}" for n in range(1, 6)} | {f"{n}" for n in range(200, 215)} <= seen
    assert len({key for key in seen if 100 <= int(key) < 145}) == 30
    [told] = [page.left_out for page in pages if page.left_out]
    assert told.startswith(
        "Some records that changed at 2026-03-16 10:00:00 UTC were not listed. Freshservice returns no"
    )
    assert "There is nothing beyond this page." in told


PAGED = document(list='paging = { style = "page", size = 10, total = "answer.total" }').replace(
    'query = { since = "{since}" }', 'query = { since = "{since}", page = "{page}" }'
)


def paged(total: object, *, status: int = 400) -> Connector:
    def answer(request: Request) -> Answer:
        page = int(request.query["page"])
        if page > PAGES:
            return Answer(status=status, body={"message": "too deep"})
        items = [
            {
                "id": page * 100 + n,
                "title": "x",
                "made": "2026-03-16T09:30:00Z",
                "changed": "2026-03-16T09:30:00Z",
                "ref": "",
            }
            for n in range(10)
        ]
        return Answer(body={"items": items, "total": total})

    return connector(PAGED, Vendor(answer))


@pytest.mark.parametrize(
    ("total", "told", "were"),
    [
        (45, "15 records", "were"),
        (31, "1 record", "was"),
        (None, "Some records", "were"),
        ("45", "Some records", "were"),
    ],
)
def test_a_list_that_cannot_be_sorted_says_how_many_are_missing_and_the_poll_ends(
    total: object, told: str, were: str
) -> None:
    seen, pages = read(paged(total))

    assert len(seen) == 30
    assert pages[-1].left_out.startswith(
        f"{told} that changed since 2026-03-16 09:00 UTC {were} not listed. Desk returns no"
    )
    assert "too deep" in pages[-1].left_out
    following, pages = read(paged(total), pages[-1].cursor)  # the next poll begins anew, and gets as far
    assert len(following) == 30


@pytest.mark.parametrize(("status", "error"), [(403, Forbidden), (500, ConnectorError), (401, ConnectorError)])
def test_another_no_is_no_limit_of_pages(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(paged(45, status=status))


def test_a_first_page_that_is_refused_is_an_error() -> None:
    made = connector(PAGED, Vendor(lambda _request: Answer(status=400, body={"message": "no such filter"})))
    with pytest.raises(Refused, match="no such filter"):
        read(made)


@pytest.mark.django_db
def test_what_was_left_out_stands_on_the_synchronisation_page_until_somebody_has_seen_to_it(us: Organisation) -> None:
    made = Connection.objects.create(
        name="Desk", organisation=factories.OrganisationFactory(), connector="autotask", state="active", left_out=""
    )
    page = Page(tickets=(), cursor="x", left_out="15 records were not listed.")
    Connection.objects.filter(pk=made.pk).update(cursor="")
    polling._keep_left_out(made, page)
    polling._keep_left_out(made, Page(tickets=(), cursor="x"))

    [row] = [each for each in sync_issues.stuck() if each.kind == "left_out"]
    assert (row.title, row.why) == ("Records of Desk were not listed", "15 records were not listed.")
    client = log_in(factories.member("agent", us))
    assert "Mark as handled" in client.get("/sync/").content.decode()
    client.post(f"/sync/left_out/{made.pk}/retry/")
    assert [each for each in sync_issues.stuck() if each.kind == "left_out"] == []
