"""Sync issues of the installation itself: failed rules, actions, receivers of events and notices, and faults."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from connectors.models import Trouble
from connectors.queries.sync_issue import SyncIssue
from hub.models import FailedReceiver
from workflows.models import Endpoint, FailedAction, Notice, Pending
from workflows.rules.registry import ACTIONS

TROUBLE_SHOWN = timedelta(hours=24)


def failed_rules() -> QuerySet[Pending]:
    """Rules that failed."""
    return Pending.objects.filter(state=Pending.State.FAILED).select_related("ticket")


def rules(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="rule",
            row_id=row.pk,
            title=_("The rule %(rule)s failed") % {"rule": row.key},
            why=row.outcome,
            at=row.ended_at or row.due_at,
            ticket=row.ticket,
        )
        for row in failed_rules().order_by("-pk")[:most]
    ]


def failed_actions() -> QuerySet[FailedAction]:
    """Actions of rules that could not be run."""
    return FailedAction.objects.filter(resolved_at=None).select_related("ticket")


def actions(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="action",
            row_id=row.pk,
            title=_("%(rule)s: “%(action)s” could not be run") % {"rule": row.rule, "action": _label(row.kind)},
            why=row.why,
            at=row.at,
            ticket=row.ticket,
        )
        for row in failed_actions().order_by("-at", "-pk")[:most]
    ]


def _label(slug: str) -> str:
    kind = ACTIONS.get(slug)
    return str(kind.label) if kind is not None else slug


def failed_receivers() -> QuerySet[FailedReceiver]:
    """Receivers of events that failed."""
    return FailedReceiver.objects.filter(done_at=None).select_related("event__ticket")


def receivers(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="receiver",
            row_id=row.pk,
            title=_("“%(receiver)s” failed after an event") % {"receiver": row.receiver},
            why=row.error,
            at=row.failed_at,
            ticket=row.event.ticket,
        )
        for row in failed_receivers().order_by("-failed_at")[:most]
    ]


def failed_notices() -> QuerySet[Notice]:
    """Notices that were not sent."""
    return Notice.objects.filter(state=Notice.State.FAILED).select_related("ticket", "organisation")


def notices(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(
            kind="notice",
            row_id=row.pk,
            title=_("%(channel)s to %(recipient)s was not sent: %(subject)s")
            % {
                "channel": capfirst(row.get_channel_display()),
                "recipient": _recipient(row),
                "subject": row.subject,
            },
            why=row.why,
            at=row.made_at,
            ticket=row.ticket,
        )
        for row in failed_notices().order_by("-made_at", "-pk")[:most]
    ]


def _recipient(notice: Notice) -> str:
    endpoint = Endpoint.objects.filter(public_id=notice.to).first()
    return str(endpoint or notice.to)


def recent_troubles() -> QuerySet[Trouble]:
    """Faults that persist, or ended within the last day."""
    return Trouble.objects.filter(Q(ended_at=None) | Q(ended_at__gte=timezone.now() - TROUBLE_SHOWN))


def troubles(most: int) -> list[SyncIssue]:
    """An issue for each of them."""
    return [
        SyncIssue(kind="trouble", row_id=row.pk, title=_trouble_title(row), why=row.why, at=row.began_at)
        for row in recent_troubles().order_by("-pk")[: min(most, 10)]
    ]


def _trouble_title(row: Trouble) -> str:
    what = capfirst(row.get_kind_display())
    return what if row.ended_at is None else _("%(trouble)s (resolved)") % {"trouble": what}
