"""Autotask's queries: the filters they are made of, and the paths they go to.

https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/API_Calls/REST_Basic_Query_Calls.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.autotask.values import Json

MOST_IN_LIST = 200
"""Values in one `in` filter. A query takes 500 OR conditions at most; shorter lists keep answers small."""


def endpoint(path: str) -> str:
    """The entity a path belongs to: only three simultaneous requests are allowed for each.

    >>> endpoint("V1.0/Tickets/7/Notes"), endpoint("https://x/ATServicesRest/V1.0/Tickets/query?paging=1")
    ('Tickets', 'Tickets')
    """
    return path.partition("V1.0/")[2].partition("/")[0].partition("?")[0]


def condition(op: str, field: str, value: Any) -> Json:
    return {"op": op, "field": field, "value": value}


def eq(field: str, value: Any) -> Json:
    return condition("eq", field, value)


def gte(field: str, value: Any) -> Json:
    return condition("gte", field, value)


def exists(field: str) -> Json:
    """The field has a value; this operator takes none itself."""
    return {"op": "exist", "field": field}


def chunks(keys: Iterable[int]) -> Iterator[list[int]]:
    """The IDs in order, in lists that are short enough for one `in` filter."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), MOST_IN_LIST):
        yield wanted[start : start + MOST_IN_LIST]
