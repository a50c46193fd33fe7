"""Statements that are written as querysets and run for every change: compiled once per process, then only filled in.

Django builds and compiles a queryset anew each time it is evaluated, which costs several times what the database takes
for the answer. A function decorated with `select` or `update` is called once, with placeholders for its parameters;
its text and the way its rows become objects are kept:

    @statements.select
    def _with_connection(link_id: int) -> QuerySet[Link]:
        return Link.objects.select_related("connection").filter(pk=link_id)

    link = _with_connection.first(link.pk)

Such a function cannot look at its parameters, and their annotations say how they are passed to the database. A
parameter annotated as a sequence takes a few values (`is_few`), for a condition with `__in`.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from enum import Enum
from functools import cached_property
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import FlatValuesListIterable, ModelIterable, ValuesListIterable, get_related_populators
from django.db.models.sql import UpdateQuery

P = ParamSpec("P")
Row = TypeVar("Row")

_FIELDS: Mapping[type, type[Field[Any, Any]]] = {
    bool: models.BooleanField,
    int: models.BigIntegerField,
    float: models.FloatField,
    str: models.CharField,
    datetime: models.DateTimeField,
    dict: models.JSONField,
    list: models.JSONField,
}
"""The field that passes a parameter of this type to the database."""


class Misused(Exception):
    """A statement was called with a value that it cannot take. This is a fault of the caller, whatever was read."""


class Given(Expression):
    """The place of a parameter. It has no value while the statement is built, so nothing can depend on it."""

    def __init__(self, name: str, output_field: Field[Any, Any], place: int | None = None) -> None:
        super().__init__(output_field=output_field)
        self.name, self.place = name, place
        """`place` is the index in a list of values."""
        self.stored_in: Field[Any, Any] | None = None
        """The field that gets the value, and says how; None if the value is compared or part of an expression."""

    def __bool__(self) -> bool:
        if sys._getframe(1).f_globals["__name__"].startswith("django."):
            return True  # Django asks whether there is an expression at all
        raise TypeError(f"A compiled statement cannot depend on the value of “{self.name}”.")

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def kept_in(self, field: Field[Any, Any]) -> Given:
        """The same parameter as the new value of a field."""
        stored: Given = self.copy()
        stored.stored_in = field
        return stored

    def of(self, given: Mapping[str, Any]) -> Any:
        """The value as the database gets it, out of those given. Raises Misused for None where it is compared."""
        value = given[self.name]
        if self.place is not None:
            if not is_few(value):
                raise Misused(f"“{self.name}” has {len(value)} values; 1 to {MOST} are possible.")
            value = value[min(self.place, len(value) - 1)]
        if self.stored_in is not None:
            return self.stored_in.get_db_prep_save(value, connection)
        if value is None:
            raise Misused(f"“{self.name}” is not stored as it is, and cannot be None.")
        return self.output_field.get_db_prep_value(value, connection)


class Change(NamedTuple):
    """What an update changes: rows, and their new values by field."""

    rows: QuerySet[Any, Any]
    values: Mapping[str, Any]


class _Text(NamedTuple):
    """A compiled statement."""

    sql: str
    parameters: Sequence[Any]
    """Values, and a `Given` for each place of a parameter."""
    made: Callable[[Any], Iterator[Any]]
    """Turns rows of the database into what the queryset yields."""
    is_locking: bool = False


class Statement(Generic[P, Row]):
    """A statement with parameters. `build` is the function that gives it as a queryset."""

    def __init__(self, build: Callable[P, Any]) -> None:
        self.build = build
        self.__doc__, self.__name__ = build.__doc__, build.__name__
        self._texts: dict[str, _Text] = {}
        """The compiled statement by the kind of database."""
        ALL.append(self)

    @cached_property
    def places(self) -> dict[str, Given | list[Given]]:
        """A placeholder for each parameter, or several. Raises TypeError if its annotation names no known type."""
        hints = typing.get_type_hints(self.build)
        return {name: _places_for(hints[name], name) for name in signature(self.build).parameters}

    def text(self) -> _Text:
        """The statement for the database in use; compiled when it is first needed."""
        found = self._texts.get(connection.vendor)
        if found is None:
            build: Callable[..., Any] = self.build
            found = self._texts[connection.vendor] = _compiled(build(**self.places))
        return found

    def _run(self, cursor: Any, *args: P.args, **kwargs: P.kwargs) -> _Text:
        text = self.text()
        if text.is_locking and not connection.in_atomic_block:
            raise transaction.TransactionManagementError("Rows can be locked within a transaction only.")
        given = dict(zip(self.places, args, strict=False)) | kwargs
        cursor.execute(text.sql, [each.of(given) if isinstance(each, Given) else each for each in text.parameters])
        return text


class Select(Statement[P, Row]):
    """A query with parameters; its rows are those of its queryset."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[Row]:
        """The rows now."""
        with connection.cursor() as cursor:
            text = self._run(cursor, *args, **kwargs)
            found = cursor.fetchall()
        return list(text.made(found)) if found else []

    def first(self, *args: P.args, **kwargs: P.kwargs) -> Row | None:
        """The first row now, or None."""
        found = self(*args, **kwargs)
        return found[0] if found else None

    def one(self, *args: P.args, **kwargs: P.kwargs) -> Row:
        """The only row now. Raises ObjectDoesNotExist if there is none, or more than one."""
        found = self(*args, **kwargs)
        if len(found) != 1:
            raise ObjectDoesNotExist(f"{len(found)} rows were found by “{self.__name__}”, not 1.")
        return found[0]


class Update(Statement[P, int]):
    """An update with parameters."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Change the rows now; returns how many were changed."""
        with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
            self._run(cursor, *args, **kwargs)
            return int(cursor.rowcount)


ALL: list[Statement[..., Any]] = []
"""Every statement of the modules that are imported."""


def select(build: Callable[P, QuerySet[Any, Row]]) -> Select[P, Row]:
    """Compile the queryset that this function returns."""
    return Select(build)


def update(build: Callable[P, Change]) -> Update[P]:
    """Compile the update that this function returns."""
    return Update(build)


MOST = 10
"""The most values in a list that is a parameter; there must be one at least. Places that are left repeat the last."""


def _places_for(hint: Any, name: str) -> Given | list[Given]:
    if typing.get_origin(hint) is Sequence:
        field = _field_for(typing.get_args(hint)[0], name)
        return [Given(name, field, place) for place in range(MOST)]
    return Given(name, _field_for(hint, name))


def is_few(values: Sized) -> bool:
    """Whether a statement takes these values as a list."""
    return 0 < len(values) <= MOST


def _field_for(hint: Any, name: str) -> Field[Any, Any]:
    kinds = [kind for kind in typing.get_args(hint) if kind is not NoneType] if _is_union(hint) else [hint]
    plain = [typing.get_origin(kind) or kind for kind in kinds]
    if len(plain) == 1:
        for kind, field in _FIELDS.items():
            if plain[0] is kind or (issubclass(plain[0], Enum) and issubclass(plain[0], kind)):
                return field()
    raise TypeError(f"A compiled statement has no parameters of the type of “{name}”: {hint!r}.")


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, UnionType)


def _compiled(built: QuerySet[Any, Any] | Change) -> _Text:
    """Compile what a function returned. Raises TypeError for querysets of a kind that is not supported."""
    if isinstance(built, Change):
        if type(built.rows).update is not QuerySet.update:
            raise TypeError("An update of these rows does more than a statement can.")
        query: Any = built.rows.query.chain(UpdateQuery)
        query.add_update_values(dict(built.values))
        query.values = [
            (field, model, value.kept_in(field) if isinstance(value, Given) else value)
            for field, model, value in query.values
        ]
        query.clear_ordering(force=True)
        if query.related_updates:
            raise TypeError("A compiled update changes one table only.")
        sql, parameters = query.get_compiler(built.rows.db).as_sql()
        return _Text(sql, parameters, iter)
    if built._prefetch_related_lookups or built._known_related_objects:  # type: ignore[attr-defined]
        raise TypeError("A compiled query reads no related rows beside its own and does not know their objects.")
    compiler = built.query.get_compiler(built.db)
    sql, parameters = compiler.as_sql()
    has_lock = built.query.select_for_update and connection.features.has_select_for_update
    return _Text(sql, parameters, _maker(built, compiler), has_lock)


def _maker(built: QuerySet[Any, Any], compiler: Any) -> Callable[[Any], Iterator[Any]]:
    """How rows become what the queryset yields: objects with their related ones, tuples, or single values."""
    converters = compiler.get_converters([column[0] for column in compiler.select[0 : compiler.col_count]])

    def converted(found: Any) -> Iterator[Any]:
        return compiler.apply_converters(found, converters) if converters else iter(found)

    kind = built._iterable_class
    if kind is ModelIterable:
        made = _objects(compiler)
        return lambda found: made(converted(found))
    if kind is FlatValuesListIterable:
        return lambda found: (row[0] for row in converted(found))
    if kind is ValuesListIterable:
        return lambda found: map(tuple, converted(found))
    raise TypeError(f"A compiled query yields objects, tuples or single values, not what {kind.__name__} yields.")


def _objects(compiler: Any) -> Callable[[Iterator[Any]], Iterator[Model]]:
    """Make the objects of a query with those of its related rows, as `QuerySet` does."""
    model, fields = compiler.klass_info["model"], compiler.klass_info["select_fields"]
    begin, end = fields[0], fields[-1] + 1
    names = [column[0].target.attname for column in compiler.select[begin:end]]
    related = get_related_populators(compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]
    annotations = compiler.annotation_col_map or {}

    def made(found: Iterator[Any]) -> Iterator[Model]:
        for row in found:
            made = model.from_db(DEFAULT_DB_ALIAS, names, row[begin:end])
            for each in related:
                each.populate(row, made)
            for name, place in annotations.items():
                setattr(made, name, row[place])
            yield made

    return made
