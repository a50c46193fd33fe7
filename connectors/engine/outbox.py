"""What has to be said to the vendors: queued by events, bound to what arrived, decided by a person."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine import correlation_marks, mapping
from connectors.engine.mapping import agreement
from connectors.kit.contract import RemoteTicket
from connectors.models import Binding, Connection, Lane, Link, Outbound, PackPlace
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.domain.signals import reacts_to
from hub.models import OPEN_STAGES, Event, EventKind, Leg, Message
from workflows.handoffs import briefing, comments, engagements, vendor_mail

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


@reacts_to(FIELDS_KINDS | {EventKind.LEG_OFFERED, EventKind.MESSAGE_ADDED, EventKind.ATTACHMENT_ADDED}, name="outbox")
def queue(event: Event) -> None:
    """Queue what an event means for every linked organisation but its origin."""
    kind, payload = event.kind, event.payload
    if kind == EventKind.LEG_OFFERED:
        _engage(event)
    elif kind == EventKind.MESSAGE_ADDED:
        for link in _links_of_legs(payload["legs"], event.origin):
            message = Message.objects.get(public_id=payload["message"])
            _add(link, Lane.NOTES, Outbound.Kind.NOTE, message=message)
        _mail_those_without_a_system(event)
    elif kind == EventKind.ATTACHMENT_ADDED:
        message = Message.objects.get(public_id=payload["message"])
        legs = [leg.public_id for leg in message.legs.all()]
        for link in _links_of_legs(legs, event.origin):
            attachment = message.attachments.get(public_id=payload["attachment"])
            _add(link, Lane.FILES, Outbound.Kind.FILE, message=message, attachment=attachment)
    elif kind in FIELDS_KINDS:
        if kind in (EventKind.LEG_RECALLED, EventKind.LEG_EXPIRED):
            _mail_that_it_is_over(event)
        for link in (
            Link.objects.filter(leg__ticket_id=event.ticket_id)
            .exclude(state__in=[Link.State.ARCHIVED, Link.State.ALIAS])
            .select_related("connection", "leg__ticket")
        ):
            if link.connection.public_id != event.origin and _has_news(link):
                queue_fields(link)


def _engage(event: Event) -> None:
    """A leg at an organisation with a live connection begins with a ticket there; else it is delivered at once."""
    leg = Leg.objects.select_related("organisation", "ticket").get(public_id=event.payload["leg"])
    connection = Connection.objects.filter(
        organisation=leg.organisation,
        purpose=Connection.Purpose.TICKETS,
        state__in=[Connection.State.ACTIVE, Connection.State.LOCKED_OUT],
    ).first()
    if connection is None:
        engagements.confirm_delivery(leg=leg, actor=Actor.system("delivery"), at=event.recorded_at)
        if not leg.organisation.is_us:
            vendor_mail.offered(leg, at=event.recorded_at)
        return
    link = Link.objects.create(leg=leg, connection=connection, reference=correlation_marks.reference(leg.public_id))
    _add(link, Lane.FIELDS, Outbound.Kind.CREATE)
    where = mapping.published(connection).pack
    if where == PackPlace.NOTE and briefing.beside_description(leg.pack):
        _add(link, Lane.NOTES, Outbound.Kind.NOTE)
    elif where == PackPlace.FILE:
        _add(link, Lane.FILES, Outbound.Kind.FILE)


def _mail_that_it_is_over(event: Event) -> None:
    """Who was offered the ticket by mail and has no record of it hears by mail that it is not theirs any more."""
    leg = Leg.objects.select_related("organisation", "ticket").get(public_id=event.payload["leg"])
    if not hasattr(leg, "link") and not leg.organisation.is_us and vendor_mail.is_reached_by_mail(leg):
        vendor_mail.withdrawn(leg, at=event.recorded_at)


def _mail_those_without_a_system(event: Event) -> None:
    """A message for somebody who was offered the ticket by mail goes to the same address."""
    legs = Leg.objects.filter(public_id__in=event.payload["legs"], stage__in=OPEN_STAGES, link__isnull=True)
    theirs = legs.exclude(organisation=event.actor_organisation_id).exclude(organisation__is_us=True)
    for leg in theirs.select_related("organisation", "ticket"):
        if vendor_mail.is_reached_by_mail(leg):
            message = Message.objects.select_related("author_organisation").get(public_id=event.payload["message"])
            vendor_mail.said(leg, message, at=event.recorded_at)


def _links_of_legs(legs: Iterable[str], origin: str) -> list[Link]:
    return list(
        Link.objects.filter(leg__public_id__in=list(legs))
        .exclude(state=Link.State.ARCHIVED)
        .exclude(connection__public_id=origin)
        .select_related("connection")
    )


def _has_news(link: Link) -> bool:
    """Whether our side of a field that goes out has changed since it was agreed."""
    if not link.agreed:
        return False
    mapped = mapping.published(link.connection)
    ticket, leg = link.leg.ticket, Leg.objects.get(pk=link.leg_id)
    return bool(agreement.changed_here(link, mapped, ticket, leg))


def queue_fields(link: Link) -> None:
    """One waiting change of fields is enough: what it says is decided when it is sent."""
    waiting = Outbound.objects.filter(
        link=link, kind=Outbound.Kind.FIELDS, state=Outbound.State.READY, intent_at__isnull=True
    )
    if not waiting.exists():
        _add(link, Lane.FIELDS, Outbound.Kind.FIELDS)


@transaction.atomic
def known_to_them(leg: Leg) -> None:
    """Our side as it is now counts as known there: for what somebody of theirs did in our own pages."""
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
    """Say a message on a link once more, as where the record it stood on was a second one."""
    _add(link, Lane.NOTES, Outbound.Kind.NOTE, message=message)


def _add(link: Link, lane: Lane, kind: Outbound.Kind, **what: object) -> Outbound:
    Link.objects.filter(pk=link.pk).update(last_seq=F("last_seq") + 1)
    at = timezone.now()
    if link.state == Link.State.ALIAS:
        what |= {"state": Outbound.State.PARKED, "error": link.why, "next_attempt_at": None}
    return Outbound.objects.create(
        link=link,
        lane=lane,
        kind=kind,
        seq=Link.objects.values_list("last_seq", flat=True).get(pk=link.pk),
        queued_at=at,
        **({"next_attempt_at": at} | what),
    )


# -- what is there now


def created(link: Link, remote: RemoteTicket) -> None:
    """The ticket is there: remember where, and give them the ball."""
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
    engagements.confirm_delivery(
        leg=leg,
        actor=Actor.system("delivery"),
        at=at,
        occurred_at=arrived_at,
        origin=link.connection.public_id,
        key=remote.number or remote.key,
    )


@transaction.atomic
def adopt_created(link: Link, remote: RemoteTicket) -> None:
    """The ticket we made turned up in a poll before our own answer did."""
    tickets.locked(link.leg.ticket)  # before its link, as everywhere
    link = Link.objects.select_for_update(of=("self",)).select_related("connection", "leg__ticket").get(pk=link.pk)
    if link.remote_key:
        return  # our own answer was quicker
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
    """This note or file there is what that item said; once."""
    Binding.objects.get_or_create(
        link=link,
        lane=item.lane,
        remote_key=remote_key,
        defaults={
            "message": item.message if item.attachment_id is None else None,
            "attachment": item.attachment,
        },
    )
    Outbound.objects.filter(pk=item.pk).exclude(state=Outbound.State.DONE).update(
        state=Outbound.State.DONE, done_at=timezone.now(), next_attempt_at=None, remote_key=remote_key, error=""
    )


# -- what a person does about a parked one


@transaction.atomic
def retry(item: Outbound) -> None:
    """Put a parked item back in its turn; nothing is written to a record that was merged there."""
    Outbound.objects.filter(pk=item.pk, state=Outbound.State.PARKED).exclude(link__state=Link.State.ALIAS).update(
        state=Outbound.State.READY, attempts=0, next_attempt_at=timezone.now(), error=""
    )
    wake(item.link)


def wake(link: Link) -> None:
    """Everything that waits on this link is due now."""
    link.outbound.filter(state=Outbound.State.READY).update(next_attempt_at=timezone.now())


@transaction.atomic
def skip(item: Outbound, *, why: str) -> None:
    """Leave a parked item unsaid, with the reason; its lane goes on."""
    Outbound.objects.filter(pk=item.pk, state=Outbound.State.PARKED).update(
        state=Outbound.State.SKIPPED, done_at=timezone.now(), error=why
    )
    wake(item.link)


@transaction.atomic
def say_as_comment(item: Outbound, *, actor: Actor) -> Message:
    """Say a parked change of fields, or that a file cannot be had, in words instead; the item is left out."""
    item = Outbound.objects.select_related("link__leg__ticket", "link__connection", "attachment").get(pk=item.pk)
    if item.state != Outbound.State.PARKED or item.kind not in (Outbound.Kind.FIELDS, Outbound.Kind.FILE):
        raise ValueError("Only a parked change of fields or a parked file can be said as a comment.")
    message = comments.comment(
        ticket=item.link.leg.ticket, body=_in_words(item), legs=[item.link.leg], actor=actor, at=now()
    )
    skip(item, why=sentence("Sent as a comment instead. %(error)s", error=item.error))
    return message


def _in_words(item: Outbound) -> str:
    if item.is_pack:
        return briefing.beside_description(item.link.leg.pack) or item.link.leg.brief
    if item.attachment is not None:
        text = _("The file %(name)s could not be attached in your system. Ask us to send it another way.")
        return text % {"name": item.attachment.name}
    link = item.link
    mapped = mapping.published(link.connection)
    ticket, leg = link.leg.ticket, Leg.objects.get(pk=link.leg_id)
    lines = [
        f"{field.capitalize()}: {ours}" for field, ours in agreement.changed_here(link, mapped, ticket, leg).items()
    ]
    return (
        "\n".join([_("This changed here:"), *lines])
        if lines
        else _("Something changed here, and was changed back since.")
    )
