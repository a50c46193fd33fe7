"""The timed job that lets offers expire that were not answered in time."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hub.domain.actors import Actor
from hub.models import Leg, Stage
from workflows.handoffs import returns, transitions


def due_legs(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of delivered offers whose deadline has passed, oldest deadline first."""
    return list(waiting(at=at).order_by("deadline_at", "pk").values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Leg]:
    """Delivered offers whose deadline has passed."""
    return Leg.objects.filter(stage=Stage.OFFERED, delivered_at__isnull=False, deadline_at__lte=at)


def expire(*, leg_id: int, at: datetime) -> None:
    """Let an unanswered offer expire; no change if it was answered in the meantime."""
    leg = Leg.objects.select_related("ticket").get(pk=leg_id)
    if leg.deadline_at is None or leg.delivered_at is None or leg.deadline_at > at:
        return
    try:
        returns.expire(leg=leg, actor=Actor.timer("acceptance deadline", _("acceptance deadline")), at=at)
    except transitions.HandoffRefused:
        return
