"""The conditions of a list as chips, each with links that change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext

from hub.queries.filter_fields import ME, Field, Reader, allowed
from hub.queries.filters import NONE, Condition, Filters


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One condition."""

    name: str
    """The name of its parameter."""
    label: str
    values: tuple[str, ...]
    """The names of its values."""
    gone: tuple[str, ...]
    """Values that no longer exist."""
    is_not: bool
    is_known: bool
    """Whether there is such a field for this reader."""
    is_alternative: bool
    """Whether it begins another alternative than the chip before it."""
    without: str
    """The query string of the list without this condition."""


def chips(filters: Filters, reader: Reader, *, kept: str) -> list[Chip]:
    """The conditions in their order; `kept` is what the query string has besides them."""
    fields = allowed(reader)
    ordered = sorted(filters.conditions, key=lambda condition: condition.group)
    groups = [0, *(condition.group for condition in ordered)]
    return [
        replace(_chip(condition, fields, filters, reader, kept), is_alternative=before not in (0, condition.group))
        for before, condition in zip(groups, ordered, strict=False)
    ]


def _chip(condition: Condition, fields: Mapping[str, Field], filters: Filters, reader: Reader, kept: str) -> Chip:
    field = fields.get(condition.field)
    known = value_labels(field, condition.values, reader) if field is not None else {}
    rest = replace(filters, conditions=tuple(each for each in filters.conditions if each is not condition))
    return Chip(
        name=condition.name,
        label=str(field.label) if field is not None else condition.field,
        values=tuple(known[value] for value in condition.values if value in known),
        gone=tuple(value for value in condition.values if value not in known),
        is_not=condition.is_not,
        is_known=field is not None,
        is_alternative=False,
        without=f"{rest.query}&{kept}" if kept else rest.query,
    )


def value_labels(field: Field, values: tuple[str, ...], reader: Reader) -> dict[str, str]:
    """The names of the values that exist."""
    found = dict(field.labels(values, reader))
    if NONE in values and field.empty:
        found[NONE] = str(field.empty)
    if ME in values and field.slug == "assignee":
        found[ME] = gettext("me")
    return found
