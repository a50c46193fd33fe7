"""ConnectWise's picklists: boards and their statuses, priorities, companies, and the visibilities of notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.connectwise.api import Api
from connectors.connectwise.places import DISCUSSION, INTERNAL, RESOLUTION
from connectors.connectwise.values import Json, id_of
from connectors.kit.contract import Choice
from hub.core.sentences import sentence

MOST_BOARDS = 40
"""The most boards whose statuses are read; each board needs a separate request."""


def read(api: Api) -> dict[str, tuple[Choice, ...]]:
    """The picklists, by the kit's names."""
    boards = list(api.listed("service/boards"))
    return {
        "status": tuple(_statuses(api, boards)),
        "priority": tuple(
            Choice(value=str(p["id"]), label=p["name"], hint=str(p.get("level") or ""))
            for p in api.listed("service/priorities")
        ),
        "queue": tuple(
            Choice(value=str(b["id"]), label=b["name"], is_active=not b.get("inactiveFlag")) for b in boards
        ),
        "company": tuple(
            Choice(value=str(c["id"]), label=c["name"])
            for c in api.listed("company/companies", conditions="deletedFlag=false")
        ),
        "visibility": (
            Choice(value=DISCUSSION, label=sentence("Discussion (visible to the customer)")),
            Choice(value=RESOLUTION, label=sentence("Resolution (visible to the customer)")),
            Choice(value=INTERNAL, label=sentence("Internal")),
        ),
    }


def _statuses(api: Api, boards: Sequence[Json]) -> Iterator[Choice]:
    """The statuses of every board in use, starting with the connection's board; none until that one is chosen.

    Each board has its own statuses, and tickets are moved between boards. `escalationStatus` controls ConnectWise's SLA
    clocks, so it is the hint for a mapping.
    """
    ours = api.values.get("board_id") or ""
    if not ours:
        return
    in_use = [board for board in boards if not board.get("inactiveFlag") or str(board["id"]) == ours]
    in_use.sort(key=lambda board: str(board["id"]) != ours)
    for board in in_use[:MOST_BOARDS]:
        for status in api.listed(f"service/boards/{id_of(board['id'])}/statuses"):
            yield Choice(
                value=str(status["id"]),
                label=status["name"] if len(in_use) == 1 else f"{status['name']} · {board['name']}",
                is_active=not status.get("inactive"),
                is_closed=bool(status.get("closedStatus")),
                hint=str(status.get("escalationStatus") or ""),
                place=str(board["id"]),
            )
