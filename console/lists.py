"""A list of tickets as its address names it: filters, the text that is searched, and what is shown of each ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from console.rows.columns import Column
from hub.models import User
from hub.queries.filter_fields import FIELDS, Reader
from hub.queries.filters import Filters, parsed


def filters_of(asked: QueryDict) -> Filters:
    """The filters in a query string. A search without a filter includes ended and imported tickets."""
    joined = {name: ",".join(values) for name, values in asked.lists()}
    return parsed(joined, fields=list(FIELDS), show="any" if text_of(asked) else "open")


def text_of(asked: Mapping[str, str]) -> str:
    """The text that is searched; empty if none is."""
    return asked.get("q", "").replace("\x00", "").strip()[:200]


@dataclass(frozen=True, kw_only=True)
class ShownAs:
    """Who looks at a list, and with which columns."""

    user: User
    reader: Reader
    columns: Sequence[Column]

    @property
    def needs(self) -> set[str]:
        return {column.needs for column in self.columns if column.needs}

    @property
    def relations(self) -> set[str]:
        return {column.relation for column in self.columns if column.relation}
