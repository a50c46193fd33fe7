"""Rows that are stored once, with a single statement and no transaction around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from types import NoneType
from typing import Any, cast

from django.db import DatabaseError, connection, models, transaction
from django.db.models import Field, Model


def insert_once(rows: Sequence[Model]) -> int:
    """Store new rows of one model, without those that a unique constraint knows already; returns how many were stored.

    Outside of a transaction they are committed when this returns: one round trip, where `bulk_create` takes three. No
    signals are sent, and primary keys are not set.
    """
    if not rows:
        return 0
    into, fields = _insert_into(type(rows[0]))
    places = ", ".join(["(" + ", ".join(["%s"] * len(fields)) + ")"] * len(rows))
    values = [value for row in rows for value in _values(row, fields)]
    with connection.cursor() as cursor:
        cursor.execute(f"{into} VALUES {places} ON CONFLICT DO NOTHING", values)
        return int(cursor.rowcount)


def insert_if(row: Model, condition: str, parameters: Sequence[str | int]) -> bool:
    """Store a new row if the SQL condition holds and no unique constraint knows the row already; whether it was stored.

    The condition is part of the same statement, so nothing changes between the two.
    """
    into, fields = _insert_into(type(row))
    places = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f"{into} SELECT {places} WHERE {condition} ON CONFLICT DO NOTHING", [*_values(row, fields), *parameters]
        )
        return bool(cursor.rowcount == 1)


def insert(row: Model) -> None:
    """Store one new row and set its primary key, with one statement. No signals are sent.

    Raises IntegrityError if a constraint does not allow the row, and ValueError if it is stored already.
    """
    if not row._state.adding:
        raise ValueError(f"{row!r} is stored already.")
    into, fields = _insert_into(type(row))
    places = ", ".join(["%s"] * len(fields))
    returning = connection.ops.quote_name(str(_key_of(type(row)).column))
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(f"{into} VALUES ({places}) RETURNING {returning}", _values(row, fields))
        [row.pk] = cursor.fetchone()
    row._state.adding, row._state.db = False, connection.alias


def save(row: Model, names: Iterable[str]) -> None:
    """Store these fields of a row that is in the database, as `Model.save(update_fields=…)` does. No signals are sent.

    Raises DatabaseError if the row is gone.
    """
    named = tuple(dict.fromkeys(names))
    if not named:
        return
    text, fields = _update_of(type(row), named)
    values = _values(row, fields, is_new=False)
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(text, [*values, row.pk])
        if cursor.rowcount != 1:
            raise DatabaseError(f"{row!r} is not in the database any more.")


LOADED_TOGETHER = 1000
"""The most rows in one statement where there is no COPY."""


def load(rows: Sequence[Model]) -> None:
    """Store many new rows of one model and set their primary keys; on PostgreSQL with COPY. No signals are sent.

    Raises IntegrityError if a constraint does not allow one of them.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, batch_size=LOADED_TOGETHER)
        return
    quote, key = connection.ops.quote_name, _key_of(model)
    fields = tuple(field for field in model._meta.concrete_fields if not field.primary_key)
    columns = ", ".join(quote(str(field.column)) for field in (key, *fields))
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, key.column, len(rows)],
        )
        for row, (number,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = number
        text = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
        # An error of COPY comes from psycopg itself, past Django's cursor.
        with connection.wrap_database_errors, cursor.copy(text) as copy:
            for row in rows:
                copy.write_row([row.pk, *_values(row, fields)])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


@cache
def _insert_into(model: type[Model]) -> tuple[str, tuple[Field[Any, Any], ...]]:
    fields = tuple(field for field in model._meta.concrete_fields if not field.primary_key)
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    return f"INSERT INTO {quote(model._meta.db_table)} ({names})", fields


@cache
def _update_of(model: type[Model], names: tuple[str, ...]) -> tuple[str, tuple[Field[Any, Any], ...]]:
    fields = tuple(cast("Field[Any, Any]", model._meta.get_field(name)) for name in names)
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote(str(_key_of(model).column))
    places = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    return f"UPDATE {table} " + f"SET {places} WHERE {key} = %s", fields


def _key_of(model: type[Model]) -> Field[Any, Any]:
    key = model._meta.pk
    assert key is not None
    return key


def _values(row: Model, fields: Sequence[Field[Any, Any]], *, is_new: bool = True) -> list[Any]:
    return [
        value
        if type(value := getattr(row, field.attname)) in _passed_on(field)
        else field.get_db_prep_save(field.pre_save(row, is_new), connection)
        for field in fields
    ]


_WHOLE_NUMBERS = {
    models.AutoField,
    models.BigAutoField,
    models.BigIntegerField,
    models.IntegerField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.SmallIntegerField,
}


@cache
def _passed_on(field: Field[Any, Any]) -> tuple[type[Any], ...]:
    """The types of values that the database gets as they are: numbers, and keys that are numbers."""
    kind = type(field.target_field if type(field) is models.ForeignKey else field)
    return (int, NoneType) if kind in _WHOLE_NUMBERS else (bool, NoneType) if kind is models.BooleanField else ()
