"""What holds in every test of the connectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

_LINK = re.compile(r'^UPDATE "connectors_link"|FROM "connectors_link".* FOR (NO KEY )?UPDATE', re.DOTALL)
_TICKET = re.compile(r'FROM "hub_ticket".* FOR (NO KEY )?UPDATE', re.DOTALL)
_NEW_TICKET = re.compile(r'^INSERT INTO "hub_ticket"')


class LockOrder:
    """Notices a transaction that locks a ticket after a link: two such, one each way, wait for each other for ever."""

    def __init__(self) -> None:
        self.held: list[str] = []
        """What this transaction has locked so far."""
        self.wrong: list[str] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not connection.savepoint_ids:
            self.held.clear()  # in the test's own transaction alone
        elif _LINK.search(sql):
            self.held.append("link")
        elif _NEW_TICKET.search(sql):
            self.held.append("ticket")  # nobody else knows of it
        elif _TICKET.search(sql):
            if "link" in self.held and "ticket" not in self.held:
                self.wrong.append("a ticket was locked after a link")
            self.held.append("ticket")
        return execute(sql, params, many, context)


@pytest.fixture(autouse=True)
def lock_order(request: pytest.FixtureRequest) -> Iterator[None]:
    """On PostgreSQL, where rows are locked: a ticket always before its links."""
    uses_database = request.node.get_closest_marker("django_db") or "db" in request.fixturenames
    if not uses_database or connection.vendor != "postgresql":
        yield
        return
    order = LockOrder()
    with connection.execute_wrapper(order):
        yield
    assert order.wrong == []
