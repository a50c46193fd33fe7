"""Engagements of a ticket with their clocks and possible actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.models import Link
from connectors.queries.deliveries import Delivery, latest_changes
from hub.models import Leg, Stage, Target
from hub.queries.tickets import Badge
from workflows.handoffs import verbs
from workflows.handoffs.verbs import LegVerb


@dataclass(frozen=True, kw_only=True)
class EngagementRow:
    """One engagement as the ticket page shows it."""

    leg: Leg
    link: Link | None
    badges: Sequence[Badge]
    last_change: Delivery | None
    """How far the last change of fields has come in the organisation's system; None without such a system."""
    actions: Sequence[tuple[str, LegVerb]]

    @property
    def plain(self) -> list[tuple[str, LegVerb]]:
        """The actions that take no text."""
        return [(name, verb) for name, verb in self.actions if not verb.takes_reason and not verb.takes_message]

    @property
    def with_text(self) -> list[tuple[str, LegVerb]]:
        """The actions that take a reason, a resolution or a message."""
        return [(name, verb) for name, verb in self.actions if verb.takes_reason or verb.takes_message]


def engagement_rows(legs: Iterable[Leg], badges: Sequence[Badge], *, has_sent: bool = True) -> Iterator[EngagementRow]:
    """The rows in the order of `legs` (newest first). An organisation's clocks are shown at its newest engagement.

    `has_sent`: whether anything of the ticket was sent to a vendor's system, if that is known.
    """
    seen: set[int] = set()
    legs = list(legs)
    sent = latest_changes(legs) if has_sent else {}
    for leg in legs:
        is_newest = leg.organisation_id not in seen
        seen.add(leg.organisation_id)
        theirs = [b for b in badges if b.clock.party_id == leg.organisation_id and b.clock.contract.kind == "uc"]
        possible = verbs.possible(leg, has_system=hasattr(leg, "link"))
        yield EngagementRow(
            leg=leg,
            link=getattr(leg, "link", None),
            last_change=sent.get(leg.pk),
            badges=[badge for badge in theirs if is_newest and _counts(leg, badge)],
            actions=[(name, verbs.OURS[name]) for name in possible],
        )


def _counts(leg: Leg, badge: Badge) -> bool:
    """Whether a clock applies to an engagement. If the work was not done, only the acceptance clock can be met."""
    if leg.is_open or leg.stage == Stage.DONE or badge.state == "breached":
        return True
    return badge.clock.target == Target.Kind.ACKNOWLEDGE and leg.answered_at is not None
