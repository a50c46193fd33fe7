"""A query compiled once gives what the same query gives when it is built anew, whatever the time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q, QuerySet
from django.utils import timezone

from hub.core import clock, jobs
from hub.core.clock import Times
from hub.core.compiled import Compiled
from hub.models import Organisation
from tests import factories

pytestmark = pytest.mark.django_db


def text_of(rows: QuerySet[Any, Any]) -> tuple[str, Sequence[Any]]:
    return rows.query.get_compiler(rows.db).as_sql()


def test_both_clocks_and_distances_from_them_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    at = timezone.now().replace(microsecond=0)
    rows = [factories.OrganisationFactory(archived_at=at + timedelta(hours=hours)) for hours in range(-3, 4)]

    def build() -> tuple[str, Sequence[Any]]:
        found = Organisation.objects.filter(
            Q(archived_at__gt=clock.system() - timedelta(hours=2)), archived_at__lte=clock.now(), kind="vendor"
        )
        return text_of(found.order_by("pk").values_list("pk", "name"))

    compiled = Compiled(build)
    for system, record, expected in ((0, 0, rows[2:4]), (1, 2, rows[3:6]), (0, -1, rows[2:3])):
        shown = Times(at + timedelta(hours=record), at + timedelta(hours=system))
        monkeypatch.setattr(clock, "times", lambda shown=shown: shown)
        assert compiled.rows() == [(row.pk, row.name) for row in expected]


def test_a_query_that_depends_on_the_time_in_another_way_is_refused() -> None:
    with pytest.raises(ValueError, match="becomes"):
        Compiled(lambda: ("SELECT %s", [clock.now().replace(year=clock.system().year + clock.now().day)]))
    with pytest.raises(ValueError, match="itself"):
        Compiled(lambda: (f"SELECT {clock.now().day}", []))


def test_every_job_can_be_compiled(us: Organisation) -> None:
    """Each waiting query reads the time from the two clocks, and only as parameters."""
    at, kinds = clock.times(), tuple(jobs.registered().values())
    assert jobs._which(kinds, "any").parameters
    for shift in (timedelta(0), timedelta(days=400)):
        with clock.standing(Times(at.record + shift, at.system + shift)):
            anew = [job.name for job in kinds if job.waiting().exists()]
            assert [job.name for job in jobs.with_work()] == anew


def test_the_time_of_the_record_goes_on_after_compiling(us: Organisation) -> None:
    before = clock.now()
    jobs._which(tuple(jobs.registered().values()), "another")
    assert clock.now() >= before
