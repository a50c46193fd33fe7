"""How vendors answer offers, and why they return tickets: counted from engagements, clocks and events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import Coalesce

from hub.models import Clock, Contract, Event, EventKind, Leg, Organisation, ReasonCode, Stage, Target


@dataclass(frozen=True, kw_only=True)
class Card:
    """Figures on one organisation's engagements that were offered in a period."""

    organisation: Organisation
    offered: int
    done: int
    declined: int
    unanswered: int
    """Offers that expired."""
    returned: int
    blocked: int
    """Returns beyond the limit of the workflow, within the period; joint triage started instead."""
    answer_seconds: int | None
    """Median seconds from delivery to the first answer, around the clock; None without answers."""
    promises: int
    """Acknowledgement clocks of their contracts that stopped or were breached."""
    kept: int
    """Those of `promises` that were not breached."""
    reasons: tuple[tuple[str, int], ...]
    """Coded reasons of declines, returns and blocked returns, the most frequent first."""

    @property
    def kept_percent(self) -> int | None:
        return 100 * self.kept // self.promises if self.promises else None


def cards(*, since: datetime, until: datetime) -> list[Card]:
    """One card per organisation except ours with an offer in the period [since, until), most offers first.

    The number of queries does not depend on the number of organisations.
    """
    legs = Leg.objects.filter(offered_at__gte=since, offered_at__lt=until, organisation__is_us=False)
    stages: Mapping[int, Counter[str]] = _counted(legs, "stage")
    reasons = _counted(legs.exclude(reason_code="").filter(stage__in=[Stage.DECLINED, Stage.RETURNED]), "reason_code")
    answers = _answers(legs)
    promises = _promises(since, until)
    blocked, codes = _blocked(since, until)
    labels = dict(ReasonCode.choices)
    found = []
    for organisation in Organisation.objects.filter(pk__in=stages).order_by("name"):
        of, (met, judged) = stages[organisation.pk], promises.get(organisation.pk, (0, 0))
        why = reasons[organisation.pk] + codes[organisation.public_id]
        found.append(
            Card(
                organisation=organisation,
                offered=sum(of.values()),
                done=of[Stage.DONE],
                declined=of[Stage.DECLINED],
                unanswered=of[Stage.EXPIRED],
                returned=of[Stage.RETURNED],
                blocked=blocked[organisation.public_id],
                promises=judged,
                kept=met,
                answer_seconds=int(median(answers[organisation.pk])) if answers[organisation.pk] else None,
                reasons=tuple((str(labels[code]), count) for code, count in why.most_common()),
            )
        )
    return sorted(found, key=lambda card: -card.offered)


def _counted(legs: Any, name: str) -> Mapping[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for organisation, value, count in legs.order_by().values_list("organisation", name).annotate(count=Count("pk")):
        found[organisation][value] = count
    return found


def _answers(legs: Any) -> Mapping[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    begun = Coalesce("delivered_at", "offered_at")  # an organisation without a system receives the offer at once
    answered = legs.filter(answered_at__isnull=False, is_born_there=False)
    for organisation, since, at in answered.order_by().values_list("organisation", begun, "answered_at"):
        found[organisation].append(max(0.0, (at - since).total_seconds()))
    return found


def _promises(since: datetime, until: datetime) -> dict[int, tuple[int, int]]:
    """By key of the organisation: acknowledgement targets that were met, and those that are decided."""
    clocks = Clock.objects.filter(
        contract__kind=Contract.Kind.UC, target=Target.Kind.ACKNOWLEDGE, started_at__gte=since, started_at__lt=until
    ).filter(Q(state=Clock.State.STOPPED) | Q(is_breached=True))
    rows = clocks.order_by().values_list("party").annotate(kept=Count("pk", filter=Q(is_breached=False)), n=Count("pk"))
    return {party: (kept, count) for party, kept, count in rows}


def _blocked(since: datetime, until: datetime) -> tuple[Counter[str], Mapping[str, Counter[str]]]:
    """By public id of the organisation: the number of blocked returns, and their coded reasons."""
    events = Event.objects.filter(kind=EventKind.RETURN_BLOCKED, occurred_at__gte=since, occurred_at__lt=until)
    counts: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = defaultdict(Counter)
    for payload in events.values_list("payload", flat=True):
        organisation, code = payload.get("organisation", ""), payload.get("code", "")
        counts[organisation] += 1
        if code in ReasonCode.values:
            codes[organisation][code] += 1
    return counts, codes
