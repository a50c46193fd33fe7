"""The outbox: what has to be sent to the vendors is queued by events, and bound to what it became there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from connectors.engine import correlation_marks, mapping
from connectors.engine.mapping import agreement
from connectors.kit.contract import RemoteTicket
from connectors.models import Binding, Connection, Lane, Link, Outbound, PackPlace
from hub.core import statements, wakeups
from hub.core.clock import now
from hub.core.rows import insert, insert_once
from hub.core.statements import Change
from hub.domain import holding, tickets
from hub.domain.actors import Actor
from hub.domain.signals import reacts_to
from hub.models import OPEN_STAGES, ActorKind, Event, EventKind, Leg, Message
from workflows.handoffs import briefing, stages, vendor_mail

FIELDS_KINDS = frozenset(
    {
        EventKind.TICKET_EDITED,
        EventKind.PRIORITY_CHANGED,
        EventKind.TICKET_MOVED,
        EventKind.LEG_RECALLED,
        EventKind.LEG_EXPIRED,
        EventKind.LEG_RESUMED,
        EventKind.LEG_REOPENED,
        EventKind.LEG_ACCEPTED,
        EventKind.LEG_STARTED,
        EventKind.LEG_DONE,
    }
)


# -- queueing


OTHER_KINDS = frozenset(
    {EventKind.LEG_OFFERED, EventKind.MESSAGE_ADDED, EventKind.ATTACHMENT_ADDED, EventKind.ACTION_UNDONE}
)


@reacts_to(FIELDS_KINDS | OTHER_KINDS, name="outbox")
def queue(event: Event) -> None:
    """Queue what an event means for every linked organisation except the one it came from."""
    kind, payload, is_urgent = event.kind, event.payload, _is_urgent(event)
    if kind == EventKind.LEG_OFFERED:
        _engage(event)
    elif kind == EventKind.MESSAGE_ADDED:
        links = _of_legs(payload["legs"])
        wanted = _to_be_told(links, event.origin)
        message = _message.one(payload["message"]) if wanted else None
        for link in wanted:
            _add(link, Lane.NOTES, Outbound.Kind.NOTE, message=message, is_urgent=is_urgent)
        if len(links) < len(set(payload["legs"])):
            mail_message(payload["message"], payload["legs"], event)
    elif kind == EventKind.ATTACHMENT_ADDED:
        message = Message.objects.get(public_id=payload["message"])
        legs = [leg.public_id for leg in message.legs.all()]
        links = _of_legs(legs)
        for link in _to_be_told(links, event.origin):
            attachment = message.attachments.get(public_id=payload["attachment"])
            _add(link, Lane.FILES, Outbound.Kind.FILE, message=message, attachment=attachment, is_urgent=is_urgent)
    elif kind == EventKind.ACTION_UNDONE:
        for link in _followed(event.ticket_id):
            if _has_news(link):  # what was undone may have been sent together with something else
                queue_fields(link, is_urgent=is_urgent)
    elif kind in FIELDS_KINDS:
        if kind in (EventKind.LEG_RECALLED, EventKind.LEG_EXPIRED):
            _mail_that_it_is_over(event)
        for link in _followed(event.ticket_id):
            if link.connection.public_id != event.origin and _has_news(link):
                queue_fields(link, is_urgent=is_urgent, is_change=True)


def _of_legs(public_ids: Sequence[str]) -> list[Link]:
    """The links of these engagements."""
    if statements.is_few(public_ids):
        return _of_few_legs(public_ids)
    return list(Link.objects.filter(leg__public_id__in=public_ids).select_related("connection"))


@statements.select
def _of_few_legs(public_ids: Sequence[str]) -> QuerySet[Link]:
    return Link.objects.filter(leg__public_id__in=public_ids).select_related("connection")


@statements.select
def _message(public_id: str) -> QuerySet[Message]:
    return Message.objects.filter(public_id=public_id)


@statements.select
def _followed(ticket_id: int) -> QuerySet[Link]:
    """The links of a ticket that are neither archived nor of a record that was merged."""
    links = Link.objects.filter(leg__ticket=ticket_id).exclude(state__in=[Link.State.ARCHIVED, Link.State.ALIAS])
    return links.select_related("connection", "leg__ticket")


def _is_urgent(event: Event) -> bool:
    """Whether a person did it, who may wait for the vendor to see it."""
    return event.actor_kind == ActorKind.PERSON


def _engage(event: Event) -> None:
    """Queue a new record for an engagement of an organisation with a live connection.

    For any other organisation the engagement counts as delivered at once, and is offered by e-mail.
    """
    leg = _leg.one(event.payload["leg"])
    connection = _live.first(leg.organisation_id)
    if connection is None:
        if not holding.holds_back(leg.ticket_id):
            offer_without_a_system(leg, at=event.recorded_at)
        return
    link = Link.objects.create(leg=leg, connection=connection, reference=correlation_marks.reference(leg.public_id))
    is_urgent = _is_urgent(event)
    _add(link, Lane.FIELDS, Outbound.Kind.CREATE, is_urgent=is_urgent)
    where = mapping.published(connection).pack
    if where == PackPlace.NOTE and briefing.beside_description(leg.pack):
        _add(link, Lane.NOTES, Outbound.Kind.NOTE, is_urgent=is_urgent)
    elif where == PackPlace.FILE:
        _add(link, Lane.FILES, Outbound.Kind.FILE, is_urgent=is_urgent)


def has_system(leg: Leg) -> bool:
    """Whether the engagement's organisation has a live connection."""
    return _live.first(leg.organisation_id) is not None


def offer_without_a_system(leg: Leg, *, at: datetime, occurred_at: datetime | None = None) -> None:
    """Count the engagement as delivered, and offer it to another organisation by e-mail."""
    stages.confirm_delivery(leg=leg, actor=Actor.system("delivery"), at=at, occurred_at=occurred_at)
    if not leg.organisation.is_us:
        vendor_mail.offered(leg, at=at)


def _mail_that_it_is_over(event: Event) -> None:
    """E-mail an organisation that was offered the ticket by e-mail, and has no record of it, that this has ended."""
    leg = _leg.one(event.payload["leg"])
    if not hasattr(leg, "link") and not leg.organisation.is_us and vendor_mail.is_reached_by_mail(leg):
        vendor_mail.withdrawn(leg, at=event.recorded_at)


def mail_message(public_id: str, legs: Sequence[str], event: Event) -> None:
    """E-mail a message to the organisations that were offered the ticket by e-mail, to the same address, each once."""
    for leg in _few_without_a_system(legs) if statements.is_few(legs) else _without_a_system(legs):
        is_theirs = leg.organisation_id != event.actor_organisation_id and not leg.organisation.is_us
        if is_theirs and vendor_mail.is_reached_by_mail(leg):
            message = Message.objects.select_related("author_organisation").get(public_id=public_id)
            vendor_mail.said(leg, message, at=event.recorded_at)


@statements.select
def _few_without_a_system(public_ids: Sequence[str]) -> QuerySet[Leg]:
    return _without_a_system(public_ids)


def _without_a_system(public_ids: Sequence[str]) -> QuerySet[Leg]:
    """Those of the engagements that are open and have no record in a system that is connected."""
    legs = Leg.objects.filter(public_id__in=public_ids, stage__in=OPEN_STAGES, link__isnull=True)
    return legs.select_related("organisation", "ticket")


@statements.select
def _leg(public_id: str) -> QuerySet[Leg]:
    return Leg.objects.select_related("organisation", "ticket").filter(public_id=public_id)


@statements.select
def _live(organisation_id: int) -> QuerySet[Connection]:
    """The connections over which tickets are sent to an organisation."""
    return Connection.objects.filter(
        organisation=organisation_id,
        purpose=Connection.Purpose.TICKETS,
        state__in=[Connection.State.ACTIVE, Connection.State.LOCKED_OUT],
    ).order_by("pk")


def _to_be_told(links: Iterable[Link], origin: str) -> list[Link]:
    """The links that are not archived, except those of the connection that the news came from."""
    return [link for link in links if link.state != Link.State.ARCHIVED and link.connection.public_id != origin]


def _has_news(link: Link) -> bool:
    """Whether our value of a field that is sent has changed since both sides agreed."""
    if not link.agreed:
        return False
    mapped = mapping.published(link.connection)
    return bool(agreement.changed_here(link, mapped, link.leg.ticket, link.leg))


def queue_fields(link: Link, *, is_urgent: bool = False, is_change: bool = False) -> None:
    """Queue a change of fields, unless one is waiting: its content is decided when it is sent.

    `is_change`: the ticket has just been changed, so that an action before can no longer be undone and waits no longer.
    """
    _add(link, Lane.FIELDS, Outbound.Kind.FIELDS, is_change=is_change, is_urgent=is_urgent)


@transaction.atomic
def known_to_them(leg: Leg) -> None:
    """Count our current status as known to the vendor, whose people changed it on a page of ours."""
    rows = Link.objects.select_for_update(of=("self",)).filter(leg=leg)
    link = rows.select_related("connection", "leg__ticket").first()
    if link is None:
        return
    mapped = mapping.published(link.connection)
    ours = mapping.ours(link.leg.ticket, Leg.objects.get(pk=leg.pk), "status")
    if "status" in mapped.fields:
        link.agreed["status"] = {"theirs": link.agreed.get("status", {}).get("theirs", ""), "ours": ours}
        link.save(update_fields=["agreed"])


def say_again(link: Link, message: Message) -> None:
    """Queue a message on a link again, because the record that it was written to is no longer the linked one."""
    _add(link, Lane.NOTES, Outbound.Kind.NOTE, message=message)


def wake(link: Link) -> None:
    """Make everything that waits on this link due now, except what can still be undone."""
    link.outbound.filter(state=Outbound.State.READY, undo_window="").update(next_attempt_at=timezone.now())
    wakeups.wake()


def _add(link: Link, lane: Lane, kind: Outbound.Kind, *, is_change: bool = False, **what: Any) -> None:
    """Queue one item; of changes of fields, only one waits on a link."""
    at = timezone.now()
    if link.state == Link.State.ALIAS:
        what |= {"state": Outbound.State.PARKED, "error": link.why, "next_attempt_at": None}
    values = {"next_attempt_at": holding.not_before(at), **holding.mark()} | what
    item = Outbound(link=link, lane=lane, kind=kind, seq=_next_seq(link), queued_at=at, **values)
    if kind == Outbound.Kind.FIELDS:
        # If the one that waited is being sent by now, this one is not in vain any more.
        if not insert_once([item]) and not _joins_waiting(item, is_change) and not insert_once([item]):
            raise IntegrityError(f"A change of fields could not be queued on {link}.")
    else:
        insert(item)
    wakeups.wake()


def _joins_waiting(item: Outbound, is_change: bool) -> bool:
    """Whether a change of fields waits on the link already, which sends this one's values as well, as urgently."""
    rows = Outbound.objects.filter(link=item.link, kind=Outbound.Kind.FIELDS, state=Outbound.State.READY)
    waiting = rows.filter(intent_at__isnull=True)
    window = waiting.values_list("undo_window", flat=True).first()
    if window is None:
        return False
    values: dict[str, Any] = {"is_urgent": True} if item.is_urgent else {}
    if item.undo_window:  # the values of this one must not be sent before it can no longer be undone
        values["next_attempt_at"] = Greatest("next_attempt_at", Value(item.next_attempt_at))
        values["undo_window"] = item.undo_window
    elif window and is_change:
        values |= {"next_attempt_at": item.next_attempt_at, "undo_window": ""}
    return bool(waiting.update(**values)) if values else True


def _next_seq(link: Link) -> int:
    """The next number on the link. Numbers may be left out, and are never used twice."""
    known = link.last_seq
    if not _numbered(link.pk, known, known + 1):
        # Others have queued something since the link was read; the row is locked from here on.
        Link.objects.filter(pk=link.pk).update(last_seq=F("last_seq") + 1)
        known = Link.objects.values_list("last_seq", flat=True).get(pk=link.pk) - 1
    link.last_seq = known + 1
    return link.last_seq


@statements.update
def _numbered(link_id: int, known: int, following: int) -> Change:
    return Change(Link.objects.filter(pk=link_id, last_seq=known), {"last_seq": following})


# -- what it became in the vendor's system


def created(link: Link, remote: RemoteTicket) -> None:
    """Bind the link to the record that was created, and confirm the delivery of the engagement."""
    at = now()
    leg = Leg.objects.select_related("organisation", "ticket").get(pk=link.leg_id)
    Link.objects.filter(pk=link.pk).update(
        remote_key=remote.key,
        remote_url=remote.url,
        heard=dict(remote.fields),
        heard_at=remote.changed_at,
        born_at=remote.created_at,
    )
    link.remote_key, link.heard, link.born_at = remote.key, dict(remote.fields), remote.created_at
    wake(link)
    Leg.objects.filter(pk=leg.pk).update(remote_number=remote.number[:100])
    arrived_at = min(at, max(remote.created_at or at, leg.offered_at))
    stages.confirm_delivery(
        leg=leg,
        actor=Actor.system("delivery"),
        at=at,
        occurred_at=arrived_at,
        origin=link.connection.public_id,
        key=remote.number or remote.key,
    )


@transaction.atomic
def adopt_created(link: Link, remote: RemoteTicket) -> None:
    """Bind the link to a record that a poll found before the response to our own request was processed."""
    tickets.locked(link.leg.ticket)  # always before its link
    link = Link.objects.select_for_update(of=("self",)).select_related("connection", "leg__ticket").get(pk=link.pk)
    if link.remote_key:
        return  # the response was quicker
    item = link.outbound.filter(kind=Outbound.Kind.CREATE).order_by("seq").first()
    created(link, remote)
    values: dict[str, str] = item.intent.get("ours", {}) if item else {}
    link.agreed = {field: {"theirs": remote.fields.get(field, ""), "ours": mine} for field, mine in values.items()} | {
        "reference": {"theirs": link.reference, "ours": link.reference}
    }
    link.save(update_fields=["agreed"])
    link.outbound.filter(kind=Outbound.Kind.CREATE).exclude(state=Outbound.State.DONE).update(
        state=Outbound.State.DONE, done_at=timezone.now(), next_attempt_at=None, remote_key=remote.key, error=""
    )


def bind(link: Link, item: Outbound, remote_key: str) -> None:
    """Bind a note or file in the vendor's system to the item that created it."""
    made = Binding(
        link=link,
        lane=item.lane,
        remote_key=remote_key,
        message=item.message if item.attachment_id is None else None,
        attachment=item.attachment,
    )
    insert_once([made])  # one that is bound already stays as it is


def found_there(link: Link, item: Outbound, remote_key: str) -> None:
    """Bind a note or file that was found in the vendor's system to the item that created it, which is done then."""
    bind(link, item, remote_key)
    Outbound.objects.filter(pk=item.pk).exclude(state=Outbound.State.DONE).update(
        state=Outbound.State.DONE, done_at=timezone.now(), next_attempt_at=None, remote_key=remote_key, error=""
    )
