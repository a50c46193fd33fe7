"""Engagements of a ticket with their clocks and possible actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from connectors.models import Link
from hub.models import Leg, Stage, Target
from hub.queries.tickets import Badge
from workflows.handoffs import verbs


@dataclass(frozen=True, kw_only=True)
class EngagementRow:
    """One engagement as the ticket page shows it."""

    leg: Leg
    link: Link | None
    badges: Sequence[Badge]
    actions: Sequence[tuple[str, str | Promise]]
    asks_code: bool
    """Whether one of the actions takes a coded reason."""


def engagement_rows(legs: Iterable[Leg], badges: Sequence[Badge]) -> Iterator[EngagementRow]:
    """The rows in the order of `legs` (newest first). An organisation's clocks are shown at its newest engagement."""
    seen: set[int] = set()
    for leg in legs:
        is_newest = leg.organisation_id not in seen
        seen.add(leg.organisation_id)
        theirs = [b for b in badges if b.clock.party_id == leg.organisation_id and b.clock.contract.kind == "uc"]
        possible = verbs.possible(leg, has_system=hasattr(leg, "link"))
        yield EngagementRow(
            leg=leg,
            link=getattr(leg, "link", None),
            badges=[badge for badge in theirs if is_newest and _counts(leg, badge)],
            actions=[(name, verbs.OURS[name].label) for name in possible],
            asks_code=not verbs.WITH_CODE.isdisjoint(possible),
        )


def _counts(leg: Leg, badge: Badge) -> bool:
    """Whether a clock applies to an engagement. If the work was not done, only the acceptance clock can be met."""
    if leg.is_open or leg.stage == Stage.DONE or badge.state == "breached":
        return True
    return badge.clock.target == Target.Kind.ACKNOWLEDGE and leg.answered_at is not None
