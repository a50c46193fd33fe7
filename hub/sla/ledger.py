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
    joined = Segments()
    for change in changes:
        joined.add(change)
    return joined.until(ends_at)


class Segments:
    """Joins changes to segments, one after the other in order of time."""

    def __init__(self, found: Iterable[Segment] = (), current: LedgerChange | None = None) -> None:
        """`found` and `current` continue what was joined before; of `found`, the last segment is enough."""
        self.found = list(found)
        self.current = current

    def add(self, change: LedgerChange) -> None:
        current = self.current
        if current is not None and change[1:] == current[1:]:
            return
        if current is not None and change.at > current.at:
            self.found.append(Segment(current.at, change.at, *current[1:]))
        if current is not None and change.at <= current.at:
            change = change._replace(at=current.at)
            last = self.found[-1] if self.found else None
            if last and Segment(last.start, None, *change[1:]) == last._replace(end=None):
                change = change._replace(at=self.found.pop().start)
        self.current = change

    def until(self, ends_at: int | None = None) -> list[Segment]:
        """The segments so far; the last one is running, or ends at `ends_at`."""
        current = self.current
        if current is None or (ends_at is not None and ends_at <= current.at):
            return self.found
        return [*self.found, Segment(current.at, ends_at, *current[1:])]


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
