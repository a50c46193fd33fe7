"""E-mails to organisations without a system: each offer and message, and a digest every working day.

An organisation without a system is one that got an offer by e-mail.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.models import OPEN_STAGES, Leg, Message, Organisation, Stage
from hub.queries.calendars import calendar_of
from hub.sla.calendars import load_zone
from workflows.handoffs import guest_links
from workflows.models import Digest, Notice
from workflows.notifications import notify
from workflows.notifications.notify import Told

HOUR = 7
"""The hour of the digest, in the organisation's own time zone, on its working days."""


def offered(leg: Leg, *, at: datetime) -> list[Notice]:
    """E-mail an offer to an organisation without a system, with the guest link to answer it."""
    told = Told(
        key=f"offer:{leg.public_id}", kind="offer", ticket=leg.ticket, leg=leg, url=_page(leg, at), is_urgent=True
    )
    return notify.tell(told, notify.vendor(leg.organisation), at=at)


def said(leg: Leg, message: Message, *, at: datetime) -> list[Notice]:
    """E-mail the organisation a message that is addressed to it."""
    told = Told(
        key=f"message:{message.public_id}:{leg.public_id}",
        kind="message",
        ticket=leg.ticket,
        leg=leg,
        text=f"{message.author_organisation}, {message.author_name}:\n\n{message.body}",
        url=_page(leg, at),
        is_urgent=True,
    )
    return notify.tell(told, notify.vendor(leg.organisation), at=at)


def withdrawn(leg: Leg, *, at: datetime) -> list[Notice]:
    """E-mail the organisation that its engagement has ended: recalled, or expired."""
    told = Told(key=f"over:{leg.public_id}", kind="withdrawn", ticket=leg.ticket, leg=leg, is_urgent=True)
    return notify.tell(told, notify.vendor(leg.organisation), at=at)


def _page(leg: Leg, at: datetime) -> str:
    return guest_links.address(guest_links.open_for(leg, at=at), hub_url=settings.PUBLIC_URL)


def is_reached_by_mail(leg: Leg) -> bool:
    """Whether this engagement was offered by e-mail."""
    return Notice.objects.filter(leg=leg, kind="offer").exists()


# -- once a day


def due_digests(*, limit: int = 20) -> list[int]:
    """Primary keys of digests due now. Organisations that have got their first offer are scheduled first."""
    now = timezone.now()
    new = Organisation.objects.filter(notices__kind="offer", digest__isnull=True).distinct()
    for organisation in new.select_related("calendar")[:limit]:
        Digest.objects.get_or_create(organisation=organisation, defaults={"next_run_at": next_turn(organisation, now)})
    rows = Digest.objects.filter(next_run_at__lte=now).order_by("next_run_at", "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def waiting(*, at: datetime) -> QuerySet[Organisation]:
    """Organisations whose digest is due, and those that have got their first offer and no digest yet."""
    return Organisation.objects.filter(
        Q(digest__next_run_at__lte=at) | Q(digest__isnull=True, notices__kind="offer")
    ).distinct()


@transaction.atomic
def run(*, digest_id: int, at: datetime) -> Notice | None:
    """Send one organisation the digest of its open engagements; None if it has none or is not due."""
    now = timezone.now()
    digest = Digest.objects.select_for_update(of=("self",)).select_related("organisation__calendar").get(pk=digest_id)
    if digest.next_run_at > now:
        return None
    turn, digest.next_run_at = digest.next_run_at, next_turn(digest.organisation, now)
    digest.save(update_fields=["next_run_at"])
    legs = [leg for leg in open_legs(digest.organisation) if is_reached_by_mail(leg)]
    if not legs:
        return None
    entries = [_entry(leg, at) for leg in legs]
    told = Told(
        key=f"digest:{digest.organisation.public_id}:{turn:%Y-%m-%d}",
        kind="digest",
        items=tuple(entries),
        text="\n\n".join(entries),
    )
    return next(iter(notify.tell(told, notify.vendor(digest.organisation), at=at)), None)


def open_legs(organisation: Organisation) -> list[Leg]:
    rows = Leg.objects.filter(organisation=organisation, stage__in=OPEN_STAGES)
    return list(rows.select_related("ticket", "organisation").order_by("offered_at", "pk"))


def _entry(leg: Leg, at: datetime) -> str:
    """The ticket, its priority and what to do, and the guest link."""
    facts = [leg.ticket.priority, _what_to_do(leg)]
    if days := (at - leg.offered_at).days:
        facts.append(ngettext("with you for %(days)d day", "with you for %(days)d days", days) % {"days": days})
    return f"{leg.ticket.label} {leg.ticket.title}\n{', '.join(facts)}\n{_page(leg, at)}"


def _what_to_do(leg: Leg) -> str:
    if leg.stage != Stage.OFFERED:
        return str(leg.get_stage_display())
    if leg.deadline_at is None:
        return _("please answer")
    return _("please answer by %(until)s") % {"until": f"{leg.deadline_at:%Y-%m-%d %H:%M} UTC"}


def next_turn(organisation: Organisation, after: datetime) -> datetime:
    """The next HOUR in the organisation's time zone on one of its working days; without a calendar, on a weekday."""
    zone = load_zone(organisation.time_zone)
    day = after.astimezone(zone).date()
    for step in range(30):
        morning = datetime(day.year, day.month, day.day, HOUR, tzinfo=zone) + timedelta(days=step)
        if morning <= after:
            continue
        if organisation.calendar is None:
            works = morning.weekday() < 5
        else:
            midnight = morning.replace(hour=0)
            window = (int(midnight.timestamp()), int((midnight + timedelta(days=1)).timestamp()))
            works = bool(calendar_of(organisation.calendar).openings(*window))
        if works:
            return morning.astimezone(UTC)
    return after + timedelta(days=30)
