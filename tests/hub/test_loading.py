"""Many rows at once: COPY on PostgreSQL stores what INSERT stores, and sets the primary keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.models import Connection, Inbound
from hub.core.rows import load
from hub.models import Organisation
from tests import factories

pytestmark = pytest.mark.django_db


def test_rows_arrive_as_they_were_made() -> None:
    vendor, at = factories.OrganisationFactory(), timezone.now()
    made = Connection.objects.create(name="Loaded", organisation=vendor, connector="autotask")
    rows = [
        Inbound(
            connection=made,
            kind="hook",
            delivery=f'{number}\t"\\N',
            headers={"a": ["\t", None, 'é\\.\n"']},
            body=bytes(range(256)),
            state="new",
            received_at=at + timedelta(microseconds=number),
            next_attempt_at=None if number % 2 else at,
            remote_key="",
        )
        for number in range(20)
    ]
    load(rows)
    assert len({row.pk for row in rows}) == 20
    for row in rows:
        stored = Inbound.objects.get(pk=row.pk)
        for name in ("delivery", "headers", "received_at", "next_attempt_at", "remote_key", "state"):
            assert getattr(stored, name) == getattr(row, name)
        assert bytes(stored.body) == bytes(range(256))
    rows[0].state = "done"
    rows[0].save()  # a row that was loaded is one that exists
    assert Inbound.objects.filter(pk=rows[0].pk, state="done").exists()


def test_new_rows_do_not_meet_those_that_were_loaded() -> None:
    loaded = [Organisation(name=f"Loaded {number}", kind="vendor") for number in range(3)]
    load(loaded)
    assert Organisation.objects.create(name="After", kind="vendor").pk not in {row.pk for row in loaded}
    load([])


def test_a_constraint_refuses_all_of_them() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        load([Organisation(name="Twice", kind="vendor"), Organisation(name="Twice", kind="vendor")])
    assert not Organisation.objects.filter(name="Twice").exists()
