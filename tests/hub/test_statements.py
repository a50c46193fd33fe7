"""A statement compiled once does what its queryset does, whatever its parameters are."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.sql import UpdateQuery
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import connectors.engine
import hub.domain
import workflows
from connectors.models import Connection, Link
from hub.core import rows, statements
from hub.core.sentences import sentence
from hub.core.statements import Change, Given
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Event, Organisation, Ticket
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(us: Organisation, agent: Actor, at: datetime) -> Ticket:
    return tickets.open_ticket(title="VPN down", priority="P3", actor=agent, at=at)


SAMPLES: dict[type[Any], Any] = {
    models.BooleanField: True,
    models.BigIntegerField: 4711,
    models.FloatField: 17.25,
    models.CharField: sentence("%(count)s records", count=3),  # which a SentenceField stores in its own way
    models.DateTimeField: datetime(2026, 3, 16, 9, 30, 15, 250, tzinfo=UTC),
    models.JSONField: {"fields": {"title": "VPN down"}},
}


@statements.select
def in_order(at: datetime, kind: str) -> QuerySet[Organisation]:
    """Organisations archived until then."""
    return Organisation.objects.filter(archived_at__lte=at, kind=kind).order_by("name")


@statements.select
def with_owner(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.select_related("owner", "service").filter(pk=ticket_id)


@statements.select
def counted(kind: str) -> QuerySet[Organisation, tuple[str, int]]:
    named = Organisation.objects.filter(kind=kind).values("kind").annotate(count=Count("pk"))
    return named.values_list("kind", "count")


@statements.select
def locked(ticket_id: int) -> QuerySet[Ticket]:
    return Ticket.objects.select_for_update().filter(pk=ticket_id)


@statements.update
def archive(kind: str, at: datetime | None) -> Change:
    return Change(Organisation.objects.filter(kind=kind), {"archived_at": at, "contact_name": F("name")})


def test_the_rows_are_those_of_the_queryset(at: datetime) -> None:
    for number in range(4):
        factories.OrganisationFactory(name=f"V{3 - number}", archived_at=at + timedelta(hours=number))
    for hours in (-1, 0, 2, 9):
        until = at + timedelta(hours=hours)
        anew = list(Organisation.objects.filter(archived_at__lte=until, kind="vendor").order_by("name"))
        assert in_order(until, "vendor") == anew
        assert [vars(each) | {"_state": None} for each in in_order(until, kind="vendor")] == [
            vars(each) | {"_state": None} for each in anew
        ]
        assert in_order.first(until, "vendor") == (anew[0] if anew else None)
    assert counted("vendor") == [("vendor", 4)]
    assert in_order(at, "no such kind") == []
    with pytest.raises(ObjectDoesNotExist, match="4 rows were found by “in_order”"):
        in_order.one(at + timedelta(hours=9), "vendor")


def test_related_rows_come_with_the_row(ticket: Ticket) -> None:
    with CaptureQueriesContext(connection) as sent:
        found = with_owner.one(ticket.pk)
        assert (found.owner, found.service) == (ticket.owner, ticket.service)
    assert len(sent) == 1
    assert not found._state.adding
    found.title = "Changed"
    found.save(update_fields=["title"])
    assert Ticket.objects.get(pk=ticket.pk).title == "Changed"


def test_an_update_counts_rows_and_takes_none_as_a_value(at: datetime) -> None:
    for number in range(3):
        factories.OrganisationFactory(name=f"V{number}")
    assert archive("vendor", at) == 3
    assert set(Organisation.objects.filter(kind="vendor").values_list("archived_at", "contact_name")) == {
        (at, "V0"),
        (at, "V1"),
        (at, "V2"),
    }
    assert archive("vendor", None) == 3
    assert not Organisation.objects.filter(kind="vendor", archived_at__isnull=False).exists()
    assert archive("no such kind", at) == 0


@statements.select
def among(names: Sequence[str]) -> QuerySet[Organisation, str]:
    return Organisation.objects.filter(name__in=names).order_by("name").values_list("name", flat=True)


def test_a_few_values_are_a_list() -> None:
    for number in range(12):
        factories.OrganisationFactory(name=f"V{number:02}")
    assert among(["V03"]) == ["V03"]
    assert among(["V03", "V05", "V99"]) == ["V03", "V05"]
    assert among([f"V{number:02}" for number in range(10)]) == [f"V{number:02}" for number in range(10)]
    assert [statements.is_few(range(size)) for size in (0, 1, 10, 11)] == [False, True, True, False]
    with pytest.raises(statements.Misused, match="11 values"):
        among([f"V{number:02}" for number in range(11)])


def test_none_is_not_compared() -> None:
    with pytest.raises(statements.Misused, match="“at” is not stored as it is, and cannot be None"):
        in_order(None, "vendor")  # type: ignore[arg-type]


def test_a_statement_that_looks_at_a_parameter_is_refused() -> None:
    @statements.select
    def curious(name: str) -> QuerySet[Organisation]:
        return Organisation.objects.filter(name=name) if name else Organisation.objects.all()

    statements.ALL.remove(curious)
    with pytest.raises(TypeError, match="cannot depend on the value of “name”"):
        curious("x")


def test_what_cannot_be_compiled_is_refused(ticket: Ticket) -> None:
    def refused(build: Any, match: str) -> None:
        with pytest.raises(TypeError, match=match):
            statements._compiled(build)

    refused(Organisation.objects.prefetch_related("people"), "no related rows beside its own")
    refused(Organisation.objects.values("name"), "ValuesIterable")
    refused(ticket.events.all(), "does not know their objects")
    refused(Change(Connection.objects.all(), {"name": "x"}), "does more than a statement")
    refused(Change(Event.objects.all(), {"origin": "x"}), "does more than a statement")

    @statements.select
    def of_ticket(ticket: Ticket) -> QuerySet[Organisation]:
        return Organisation.objects.all()

    statements.ALL.remove(of_ticket)
    with pytest.raises(TypeError, match="no parameters of the type of “ticket”"):
        of_ticket(ticket)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_rows_are_locked_within_a_transaction_only(ticket: Ticket) -> None:
    pk = ticket.pk
    with transaction.atomic():
        assert locked.one(pk).pk == pk
    with pytest.raises(transaction.TransactionManagementError):
        locked(pk)


def test_a_failed_update_ends_the_transaction_as_one_of_django_does(at: datetime) -> None:
    @statements.update
    def rename(name: str) -> Change:
        return Change(Organisation.objects.filter(kind="vendor"), {"public_id": name})

    statements.ALL.remove(rename)
    factories.OrganisationFactory(), factories.OrganisationFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        rename("01HZZZZZZZZZZZZZZZZZZZZZZZ")
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            rename("01HZZZZZZZZZZZZZZZZZZZZZZZ")
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def every_statement() -> Sequence[statements.Statement[..., Any]]:
    for package in (connectors.engine, hub.domain, workflows):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return statements.ALL


def test_every_statement_has_the_text_that_its_queryset_has() -> None:
    """With sample values put in, the compiled text is what Django makes of the same queryset with these values."""
    found = [each for each in every_statement() if not each.build.__module__.startswith("tests.")]
    assert len(found) >= 70
    for statement in found:
        with transaction.atomic():
            text = statement.text()
            values = {name: sample(given) for name, given in statement.places.items()}
            sql, parameters = django_text(statement.build(**values))  # type: ignore[call-arg]
        filled = [each.of(values) if isinstance(each, Given) else each for each in text.parameters]
        name = f"{statement.build.__module__}.{statement.__name__}"
        assert plain(text.sql) == plain(sql), name
        assert sorted(map(shown, filled)) == sorted(map(shown, distinct(parameters, filled))), name


def sample(given: Given | list[Given]) -> Any:
    """A value for a parameter; for a list of values, one that fits."""
    if isinstance(given, list):
        return [SAMPLES[type(given[0].output_field)]]
    return SAMPLES[type(given.output_field)]


def django_text(built: QuerySet[Any, Any] | Change) -> tuple[str, Sequence[Any]]:
    if isinstance(built, Change):
        query: Any = built.rows.query.chain(UpdateQuery)
        query.add_update_values(dict(built.values))
        query.clear_ordering(force=True)
        return query.get_compiler("default").as_sql()  # type: ignore[no-any-return]
    return built.query.get_compiler("default").as_sql()


def plain(sql: str) -> str:
    """Without the parentheses around a parameter, and with one place for equal values of a list."""
    text = sql.replace("(%s)", "%s")
    while "%s, %s" in text:
        text = text.replace("%s, %s", "%s")
    return text.replace("IN %s", "IN (%s)")


def distinct(parameters: Sequence[Any], filled: Sequence[Any]) -> list[Any]:
    """The parameters of Django, which sends equal values of a list once, as often as they are filled in."""
    found = list(parameters)
    for each in filled:
        missing = sum(shown(each) == shown(other) for other in filled) - sum(
            shown(each) == shown(other) for other in found
        )
        found += [each] * max(0, missing)
    return found


def shown(value: Any) -> str:
    value = getattr(value, "obj", value)  # psycopg's wrapper of JSON
    return json.dumps(value, default=str, sort_keys=True).replace("+00:00", "")


def test_one_row_is_inserted_and_gets_its_key(us: Organisation, ticket: Ticket) -> None:
    link_like = factories.OrganisationFactory.build(name="Initech", kind="vendor")
    with CaptureQueriesContext(connection) as sent:
        rows.insert(link_like)
    assert len(sent) == 1
    assert vars(Organisation.objects.get(pk=link_like.pk)) | {"_state": 0} == vars(link_like) | {"_state": 0}
    with pytest.raises(ValueError, match="stored already"):
        rows.insert(link_like)
    again = factories.OrganisationFactory.build(public_id=link_like.public_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert(again)


def test_only_what_is_a_number_is_passed_on_as_it_is(ticket: Ticket) -> None:
    ticket.number, ticket.is_major = "4711", 1  # type: ignore[assignment]
    rows.save(ticket, ["number", "is_major"])
    fresh = Ticket.objects.get(pk=ticket.pk)
    assert (fresh.number, fresh.is_major) == (4711, True)
    ticket.number = "many"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="number"):
        rows.save(ticket, ["number"])


def test_fields_are_saved_and_no_others(us: Organisation, at: datetime) -> None:
    row = factories.OrganisationFactory(name="Initech")
    Organisation.objects.filter(pk=row.pk).update(contact_name="Milton")
    row.name, row.archived_at, row.contact_name = "Initrode", at, "Nobody"
    with CaptureQueriesContext(connection) as sent:
        rows.save(row, ["name", "archived_at", "name"])
    assert len(sent) == 1
    fresh = Organisation.objects.get(pk=row.pk)
    assert (fresh.name, fresh.archived_at, fresh.contact_name) == ("Initrode", at, "Milton")

    rows.save(row, [])  # nothing to do, as with `save(update_fields=[])`
    Organisation.objects.filter(pk=row.pk).delete()
    with pytest.raises(DatabaseError, match="not in the database any more"), transaction.atomic():
        rows.save(row, ["name"])


def test_foreign_keys_are_saved_by_their_names(ticket: Ticket) -> None:
    ticket.holder = other = factories.OrganisationFactory()
    ticket.held_since = since = timezone.now().replace(microsecond=0)
    rows.save(ticket, ["holder", "held_since"])
    fresh = Ticket.objects.get(pk=ticket.pk)
    assert (fresh.holder, fresh.held_since) == (other, since)


def test_conditions_are_compiled_with_their_parameters() -> None:
    @statements.select
    def either(one: int, two: int) -> QuerySet[Link, int]:
        return Link.objects.filter(Q(pk=one) | Q(pk=two)).values_list("pk", flat=True)

    statements.ALL.remove(either)
    assert either(1, 2) == []
    assert [each.name for each in either.text().parameters] == ["one", "two"]
