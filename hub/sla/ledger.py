"""The ledger: every second of a ticket's life has exactly one holder and one charge.

Segments are half-open, in whole Unix seconds, without gaps or overlaps from the opening on.
docs/ledger.md explains the charges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple


class Charge(StrEnum):
    """What a second is charged to. The first value that applies is used."""

    CONTESTED = "contested"
    HUB = "hub"
    NOBODY = "nobody"
    REQUESTER = "requester"
    HOLDER = "holder"


class LedgerChange(NamedTuple):
    """The holder and the charge from ``at`` on."""

    at: int
    holder: str
    charge: Charge
    charged_to: str
    """Public id of the organisation charged; empty unless the charge is ``holder``."""
    reason: str


class Segment(NamedTuple):
    start: int
    end: int | None
    """None while the segment is running."""
    holder: str
    charge: Charge
    charged_to: str
    reason: str


def segments(changes: Iterable[LedgerChange], *, ends_at: int | None = None) -> list[Segment]:
    """The changes, in order of time, as segments: equal neighbours are merged and empty segments dropped.

    >>> us = LedgerChange(0, "us", Charge.HOLDER, "us", "working")
    >>> [s[:3] for s in segments([us, us._replace(at=5), us._replace(at=9, holder="vendor")], ends_at=20)]
    [(0, 9, 'us'), (9, 20, 'vendor')]
    """
    found: list[Segment] = []
    current: LedgerChange | None = None
    for turn in changes:
        if current is not None and turn[1:] == current[1:]:
            continue
        if current is not None and turn.at > current.at:
            found.append(Segment(current.at, turn.at, *current[1:]))
        if current is not None and turn.at <= current.at:
            turn = turn._replace(at=current.at)
            if found and Segment(found[-1].start, None, *turn[1:]) == found[-1]._replace(end=None):
                turn = turn._replace(at=found.pop().start)
        current = turn
    if current is not None and (ends_at is None or ends_at > current.at):
        found.append(Segment(current.at, ends_at, *current[1:]))
    return found


class Unbalanced(NamedTuple):
    """A fault in the ledger: where it is (Unix seconds) and what is wrong."""

    at: int
    what: str


def faults(found: Sequence[Segment], *, opened_at: int) -> list[Unbalanced]:
    """The gaps, overlaps and empty segments in the time from ``opened_at`` on."""
    wrong = []
    at = opened_at
    for index, segment in enumerate(found):
        if segment.start != at:
            wrong.append(Unbalanced(at, f"{'gap' if segment.start > at else 'overlap'} until {segment.start}"))
        if segment.end is None and index != len(found) - 1:
            wrong.append(Unbalanced(segment.start, "an open segment that is not the last"))
        if segment.end is not None and segment.end <= segment.start:
            wrong.append(Unbalanced(segment.start, "an empty segment"))
        at = segment.end if segment.end is not None else segment.start
    return wrong


def seconds_by(found: Iterable[Segment], key: str, *, as_of: int) -> dict[str, int]:
    """Seconds up to ``as_of`` for each value of an attribute of the segments (``holder``, ``charge``, ``reason``)."""
    sums: Counter[str] = Counter()
    for segment in found:
        end = as_of if segment.end is None else min(segment.end, as_of)
        if end > segment.start:
            sums[str(getattr(segment, key))] += end - segment.start
    return dict(sums)
