"""Which clocks are breached, at risk or running at an instant."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from hub.models import Clock, Contract

ENDED = (Clock.State.STOPPED, Clock.State.CANCELLED)


def late_clocks(*, at: datetime, of: Collection[int] | None = None) -> QuerySet[Clock]:
    """Clocks that are breached at `at` and have not ended; `of` limits them to UC clocks of these parties."""
    # A current clock that is breached was so at `breach_at`; one that is running will be.
    rows = Clock.objects.filter(breach_at__lte=at, is_current=True).exclude(state__in=ENDED)
    return _of(rows, of)


def soon_clocks(*, at: datetime, of: Collection[int] | None = None) -> QuerySet[Clock]:
    """Running clocks at risk at `at`: three quarters of the goal are used, or the next working hour is the last one."""
    rows = Clock.objects.filter(risk_at__lte=at, is_current=True, state=Clock.State.ACTIVE, is_breached=False)
    return _of(rows.filter(breach_at__gt=at), of)


def running_clocks(*, of: Collection[int] | None = None) -> QuerySet[Clock]:
    """Running clocks with a goal that lists show: of service levels, or the UC clocks of these parties."""
    rows = Clock.objects.filter(is_current=True, state=Clock.State.ACTIVE, due_at__isnull=False)
    return rows.filter(contract__kind=Contract.Kind.SLA) if of is None else _of(rows, of)


def _of(rows: QuerySet[Clock], of: Collection[int] | None) -> QuerySet[Clock]:
    return rows if of is None else rows.filter(party__in=of, contract__kind=Contract.Kind.UC)
