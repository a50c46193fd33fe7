"""What no page can mean is refused with a page of our own, on both databases and for everybody."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.urls import reverse

from hub.models import Organisation
from tests import factories
from tests.console.test_pages import log_in
from tests.workflows.building import draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(us: Organisation) -> Client:
    return log_in(factories.member("admin", us, is_staff=True, is_superuser=True))


@pytest.mark.parametrize("url", ["/tickets/%00/", "/files/%00/", "/v/%00/", "/sync/connections/a%00b/"])
def test_a_nul_in_an_address_is_no_page(admin: Client, url: str) -> None:
    for client in (admin, Client()):
        assert client.get(url).status_code == 404


@pytest.mark.parametrize("query", ["q=a%00b", "holder=%00", "priority=%00", "party=%00", "show=%00", "a%00=b"])
def test_a_nul_in_a_query_is_left_out(admin: Client, query: str) -> None:
    assert admin.get(f"/tickets/?{query}").status_code == 200


def test_a_nul_in_a_cookie_a_header_or_a_form_is_refused(admin: Client) -> None:
    assert admin.get("/", headers={"User-Agent": "a\x00b"}).status_code == 400
    assert admin.post("/tickets/new/", {"title": "a\x00b"}).status_code in (400, 404)
    assert admin.post("/log-in/", {"username": "a\x00b", "password": "x"}).status_code == 400
    admin.cookies["door_name"] = "a\x00b"  # goes out quoted in octal, as a browser may send it
    assert admin.get("/").status_code == 400


@pytest.mark.parametrize("kind", ["state", "transition", "escalation"])
@pytest.mark.parametrize("row", ["x", "²", "9" * 5000])
def test_a_row_of_the_builder_without_a_number_is_not_found(admin: Client, kind: str, row: str) -> None:
    version = draft()

    assert admin.get(reverse(f"admin:workflows_{kind}", args=[version.pk, row])).status_code == 404


@pytest.mark.parametrize("count", ["x", "²", "1e400", "9" * 5000])
def test_a_count_of_rows_that_is_none_counts_nothing(admin: Client, count: str) -> None:
    version = draft()
    counts = {"guard-count": count, "action-count": count, "step-count": count, "step0action-count": count}

    for kind in ("transition", "escalation"):
        answer = admin.post(reverse(f"admin:workflows_{kind}", args=[version.pk, "new"]), counts)

        assert answer.status_code == 200


def test_a_very_long_name_is_only_a_failed_log_in(us: Organisation, settings: Any) -> None:
    settings.AXES_ENABLED = True

    assert Client().post("/log-in/", {"username": "x" * 400, "password": "y"}).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"), [(DataError, 400), (OverflowError, 400), (OperationalError, 503), (KeyError, 500)]
)
def test_a_fault_has_a_page_with_a_number(admin: Client, monkeypatch: Any, error: type[Exception], status: int) -> None:
    def fail(*_args: Any, **_more: Any) -> Any:
        raise error

    monkeypatch.setattr("hub.queries.tickets.narrowed", fail)
    admin.raise_request_exception = False

    answer = admin.get("/tickets/")

    assert answer.status_code == status
    assert b"Error number" in answer.content
    assert answer.has_header("Retry-After") is (status == 503)
