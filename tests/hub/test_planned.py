"""Queries of pages: planned for their own values, and given up when they take too long."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from console.views import ticket_list, totals
from hub.core.planned import TooSlow, planned
from hub.models import Organisation, SavedView, User, ViewPreference
from hub.queries import saved_views, sorting
from hub.queries.filter_fields import Reader
from tests import factories
from tests.console.test_pages import log_in

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def run(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def endless(*_args: Any, **_more: Any) -> Any:
    return run(ENDLESS)


@pytest.fixture
def manager(us: Organisation) -> User:
    return factories.member("manager", us)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_query_is_given_up_and_the_session_stays_usable() -> None:
    with pytest.raises(TooSlow), planned(seconds=0.05):
        run(ENDLESS)
    assert run("SELECT 1") == (1,)
    with planned(seconds=30):
        assert run("SELECT 2") == (2,)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_comes_after_it_has_all_the_time_there_is() -> None:
    with planned(seconds=0.05):
        run("SELECT 1")
    few = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) SELECT count(*) FROM n"
    assert run(few) == (500_000,)


@pytest.mark.postgresql
@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_plan_is_made_for_the_values_and_only_in_there(is_nested: bool) -> None:
    from django.db import transaction

    with transaction.atomic() if is_nested else planned():
        with planned(seconds=3):
            assert run("SHOW plan_cache_mode") == ("force_custom_plan",)
            assert run("SHOW statement_timeout") == ("3s",)
        if is_nested:
            assert run("SHOW plan_cache_mode") == ("auto",)
            assert run("SHOW statement_timeout") == ("0",)
    assert run("SHOW plan_cache_mode") == ("auto",)
    assert run("SHOW statement_timeout") == ("0",)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_list_that_takes_too_long_says_so_and_can_be_narrowed(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_list, "PATIENCE", 0.05)
    monkeypatch.setattr(ticket_list.risk_order, "page", endless)
    answer = log_in(manager).get("/tickets/?show=all&sort=assignee&priority=P1")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "This list takes too long. Narrow it" in page
    assert "sort=-changed" in page  # another order is a click away
    assert "P1" in page


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_totals_that_take_too_long_say_so(manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "PATIENCE", 0.05)
    monkeypatch.setattr(totals, "totals", endless)
    answer = log_in(manager).get("/tickets/totals/")
    assert "These totals take too long" in answer.content.decode()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_pinned_view_that_takes_too_long_has_no_number_and_holds_up_no_other_for_long(
    manager: User, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [SavedView.objects.create(owner=manager, name=name, query=f"priority={name}") for name in ("P1", "P2")]
    for view in views:
        ViewPreference.objects.create(user=manager, view=view, pinned_at=at)
    monkeypatch.setattr(saved_views, "PATIENCE", 0.05)
    counted = sorting.counted

    def slow_for_the_first(tickets: Any, **more: Any) -> int:
        return int(endless()[0]) if "P1" in str(tickets.query) else counted(tickets, **more)

    monkeypatch.setattr(saved_views.sorting, "counted", slow_for_the_first)
    reader = Reader(at=at, known=None, user_id=manager.pk)
    first, second = ([each.count for each in saved_views.counts(manager, reader)] for _ in range(2))
    assert first == [None, None]
    assert second == [None, 0]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_is_not_about_time_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), planned(seconds=1):
        raise ZeroDivisionError
    assert run("SELECT 1") == (1,)
