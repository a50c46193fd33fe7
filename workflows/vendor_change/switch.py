"""Vendor changes: preview, transfer of engagements one ticket at a time, and who succeeded whom.

Each engagement is transferred in its own transaction. An interrupted run continues with the remaining ones; one that
cannot be transferred keeps the reason and holds up no other. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from hub.domain import history_sharing, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Organisation, Phase, Service, Ticket
from workflows.handoffs import briefing, engagements, transitions
from workflows.lifecycle.transitions import MoveRefused
from workflows.models import SwitchItem, VendorSwitch
from workflows.vendor_change import export

State = VendorSwitch.State
BATCH = 25


class NotSwitched(Exception):
    """The vendor change cannot be cancelled now; the message says why."""


def open_legs(switch: VendorSwitch) -> QuerySet[Leg]:
    """The leaving vendor's open engagements on tickets of the chosen services, or of all."""
    rows = Leg.objects.filter(organisation=switch.leaves, stage__in=OPEN_STAGES)
    services = list(switch.services.values_list("pk", flat=True)) if switch.pk else []
    if services:
        rows = rows.filter(ticket__service__in=services)
    return rows.select_related("ticket__status", "ticket__service", "organisation").order_by("pk")


@dataclass(frozen=True, kw_only=True)
class GoesOver:
    """One engagement as it would be transferred, with the hand-off pack for the new vendor."""

    leg: Leg
    pack: str
    why_not: str


def preview(switch: VendorSwitch, *, most: int = 200) -> list[GoesOver]:
    """What would be transferred now, up to `most` engagements. Nothing is written."""
    legs = list(open_legs(switch)[:most])
    engaged = set(
        Leg.objects.filter(
            organisation=switch.comes, stage__in=OPEN_STAGES, ticket__in=[leg.ticket_id for leg in legs]
        ).values_list("ticket_id", flat=True)
    )
    return [
        GoesOver(
            leg=leg,
            pack=briefing.brief(leg.ticket, to=switch.comes, reason=_reason(switch)),
            why_not=_("%(vendor)s already works on this ticket; only the old engagement ends.")
            % {"vendor": switch.comes}
            if leg.ticket_id in engaged
            else "",
        )
        for leg in legs
    ]


def _reason(switch: VendorSwitch) -> str:
    return _("%(comes)s takes over from %(leaves)s. %(reason)s") % {
        "comes": switch.comes,
        "leaves": briefing.known_as(switch.leaves, switch.comes),
        "reason": switch.reason,
    }


def due(*, at: datetime) -> list[int]:
    """Ids of at most five vendor changes with work to do."""
    return list(waiting(at=at).order_by("effective_at", "pk").values_list("pk", flat=True)[:5])


def waiting(*, at: datetime) -> QuerySet[VendorSwitch]:
    """Vendor changes with work to do: confirmed ones whose time has come, and running ones."""
    items = SwitchItem.objects.filter(switch=OuterRef("pk"))
    return VendorSwitch.objects.filter(
        state__in=[State.PLANNED, State.RUNNING], effective_at__lte=at, confirmed_at__isnull=False
    ).filter(
        # One in which only failed engagements are left waits for a person.
        Q(state=State.PLANNED) | Exists(items.filter(state="waiting")) | ~Exists(items.filter(state="failed"))
    )


def run(*, switch_id: int, at: datetime, batch: int = BATCH) -> int:
    """Continue a vendor change with up to `batch` engagements. Returns how many were processed."""
    switch = VendorSwitch.objects.select_related("leaves", "comes", "made_by").get(pk=switch_id)
    if switch.state not in (State.PLANNED, State.RUNNING) or switch.effective_at > at or switch.confirmed_at is None:
        return 0
    _begin(switch)
    count = 0
    for pk in list(switch.items.filter(state="waiting").order_by("pk").values_list("pk", flat=True)[:batch]):
        _go_over(pk, switch, at)
        count += 1
    if not switch.items.filter(state="waiting").exists():
        _finish(switch, at)
    return count


def confirm(switch: VendorSwitch, *, at: datetime, at_once: bool = False) -> None:
    """Confirm a planned vendor change: it starts at its time, or immediately with `at_once`."""
    changes: dict[str, Any] = {"confirmed_at": at} | ({"effective_at": at} if at_once else {})
    VendorSwitch.objects.filter(pk=switch.pk, state=State.PLANNED).update(**changes)


def _begin(switch: VendorSwitch) -> None:
    """List the engagements to transfer; ones offered in the meantime are added by the next run."""
    known = switch.items.values_list("leg_id", flat=True)
    SwitchItem.objects.bulk_create(
        [SwitchItem(switch=switch, leg=leg) for leg in open_legs(switch).exclude(pk__in=known)], ignore_conflicts=True
    )
    VendorSwitch.objects.filter(pk=switch.pk, state=State.PLANNED).update(state=State.RUNNING)


def _go_over(item_id: int, switch: VendorSwitch, at: datetime) -> None:
    try:
        with transaction.atomic():
            item = SwitchItem.objects.select_related("leg").get(pk=item_id)
            ticket = tickets.locked(item.leg.ticket)
            # Read under the ticket's lock, so that of two concurrent runs only one transfers it.
            item.refresh_from_db()
            if item.state != SwitchItem.State.WAITING:
                return
            _moved(item, ticket, switch, at)
    except (transitions.HandoffRefused, MoveRefused, tickets.NotEditable) as refused:
        SwitchItem.objects.filter(pk=item_id).update(state="failed", why=str(refused), done_at=at)


def _moved(item: SwitchItem, ticket: Any, switch: VendorSwitch, at: datetime) -> None:
    leg = Leg.objects.get(pk=item.leg_id)
    if leg.stage not in OPEN_STAGES:
        SwitchItem.objects.filter(pk=item.pk).update(state="left", done_at=at)
        return
    actor = Actor.person(switch.made_by) if switch.made_by is not None else Actor.system("vendor switch")
    reason = _reason(switch)
    engagements.recall(leg=leg, reason=reason, actor=actor, at=at)
    successor = ticket.legs.filter(organisation=switch.comes, stage__in=OPEN_STAGES).first()
    if successor is None:
        successor = engagements.offer(
            ticket=ticket,
            organisation=switch.comes,
            reason=reason,
            actor=actor,
            at=at,
            is_lead=leg.is_lead,
            is_blocking=leg.is_blocking,
        )
    SwitchItem.objects.filter(pk=item.pk).update(
        state="done", done_at=at, successor=None if _is_taken(successor) else successor
    )


def _is_taken(leg: Leg) -> bool:
    return SwitchItem.objects.filter(successor=leg).exists()


@transaction.atomic
def _finish(switch: VendorSwitch, at: datetime) -> None:
    fresh = VendorSwitch.objects.select_for_update(of=("self",)).get(pk=switch.pk)
    if fresh.state != State.RUNNING or fresh.items.filter(state="failed").exists():
        return  # a person has to retry or cancel what failed
    fresh.state, fresh.ended_at = State.DONE, at
    fresh.save(update_fields=["state", "ended_at"])
    if fresh.archives and not Leg.objects.filter(organisation=fresh.leaves_id, stage__in=OPEN_STAGES).exists():
        Organisation.objects.filter(pk=fresh.leaves_id, archived_at=None).update(archived_at=at)
    if fresh.shares_history:
        history_sharing.share(past(fresh), organisation=fresh.comes, why=_reason(fresh), by=fresh.made_by, at=at)


def past(switch: VendorSwitch) -> QuerySet[Ticket]:
    """Finished tickets of these services on which the leaving vendor worked and the new one never did."""
    rows = export.tickets_of(switch.leaves, switch.services.all() if switch.pk else ())
    over = rows.exclude(phase__in=[Phase.NEW, Phase.ACTIVE, Phase.WAITING])
    return over.exclude(pk__in=Leg.objects.filter(organisation=switch.comes).values("ticket"))


def again(switch: VendorSwitch) -> int:
    """Queue the failed engagements once more. Returns how many."""
    return switch.items.filter(state="failed").update(state="waiting", why="")


def call_off(switch: VendorSwitch, *, at: datetime) -> None:
    """Cancel a vendor change; transferred engagements stay. NotSwitched if it is over already."""
    changed = VendorSwitch.objects.filter(pk=switch.pk, state__in=[State.PLANNED, State.RUNNING]).update(
        state=State.CALLED_OFF, ended_at=at
    )
    if not changed:
        raise NotSwitched(_("This vendor change is already over."))


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a vendor change, in engagements."""

    total: int
    done: int
    failed: int

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


def progress(switch: VendorSwitch) -> Progress:
    counts = dict(switch.items.values_list("state").annotate(count=Count("pk")))
    return Progress(
        total=sum(counts.values()), done=counts.get("done", 0) + counts.get("left", 0), failed=counts.get("failed", 0)
    )


def successor(organisation: Organisation, service: Service | None, *, at: datetime) -> Organisation:
    """Who does now what this organisation did for the service; itself where it has no successor."""
    return [organisation, *_line(organisation, service, at)][-1]


def _line(organisation: Organisation, service: Service | None, at: datetime) -> Iterator[Organisation]:
    """The successors in order; a circular chain ends where it started."""
    seen = {organisation.pk}
    while True:
        rows = VendorSwitch.objects.filter(
            leaves=organisation, state__in=[State.RUNNING, State.DONE], effective_at__lte=at
        )
        of_service = Q(services=service.pk) if service is not None else Q(pk__isnull=True)
        found = rows.filter(Q(services__isnull=True) | of_service).select_related("comes")
        switch = found.order_by("-effective_at", "-pk").first()
        if switch is None or switch.comes_id in seen:
            return
        organisation = switch.comes
        seen.add(organisation.pk)
        yield organisation
