"""The SQL for the answers of the console's pages, each by the best index there is: no page can be faster."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import psycopg

ROUNDS = 15
_OPEN = "phase IN ('new', 'active', 'waiting') AND imported_from_id IS NULL"
_TOKENS = "array_to_tsvector(string_to_array(tokens, ' '))"
FLOORS: Mapping[str, str] = {
    "board.manager": f"SELECT hold_reason, holder_id, count(*) FROM hub_ticket WHERE {_OPEN} GROUP BY 1, 2",
    "list.manager": f"SELECT * FROM hub_ticket WHERE {_OPEN} ORDER BY changed_at DESC, number DESC LIMIT 50",
    "list.last": f"SELECT * FROM hub_ticket WHERE {_OPEN} ORDER BY changed_at, number LIMIT 50",
    "list.breached": (
        f"SELECT * FROM hub_ticket WHERE {_OPEN} AND id IN (SELECT ticket_id FROM hub_clock WHERE is_current "
        "AND NOT state IN ('stopped', 'cancelled') AND breach_at <= now()) ORDER BY changed_at DESC LIMIT 50"
    ),
    "list.ended": (
        "SELECT * FROM hub_ticket WHERE NOT phase IN ('new', 'active', 'waiting') AND imported_from_id IS NULL "
        "ORDER BY changed_at DESC, number DESC LIMIT 50"
    ),
    "list.vendor": (
        f"SELECT * FROM hub_ticket t WHERE {_OPEN} AND EXISTS (SELECT FROM hub_leg WHERE ticket_id = t.id AND "
        "organisation_id = (SELECT id FROM hub_organisation WHERE name = 'Vendor 03')) "
        "ORDER BY changed_at DESC LIMIT 50"
    ),
    "search.number": "SELECT * FROM hub_ticket WHERE number = (SELECT max(number) FROM hub_ticket)",
    "search.none": f"SELECT id FROM hub_searchentry WHERE {_TOKENS} @@ '''qqqxxxjjj'':*'::tsquery LIMIT 50",
    "search.common": (
        f"SELECT id FROM hub_searchentry WHERE {_TOKENS} @@ '''vpn'''::tsquery ORDER BY at DESC, id DESC LIMIT 50"
    ),
    "ticket.events": (
        "SELECT * FROM hub_event WHERE ticket_id = (SELECT id FROM hub_ticket WHERE title = 'Two hundred events' "
        "ORDER BY number LIMIT 1) ORDER BY seq"
    ),
}
"""By page."""


def measured(url: str) -> dict[str, float]:
    """Milliseconds of each, in a session of its own; the median."""
    found = {}
    with psycopg.connect(url, autocommit=True) as session:
        for name, query in FLOORS.items():
            taken = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                session.execute(query).fetchall()
                taken.append(1000 * (time.perf_counter() - began))
            found[name] = statistics.median(taken)
    return found
