"""Guest links: signed, expiring addresses on which vendors without a system accept, decline, ask, write and resolve.

The address is the credential: anybody who has it acts for the engagement's organisation, on that engagement alone. It
therefore contains 128 random bits, expires, can be revoked, and allows a limited number of uses an hour.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hub.core import statements
from hub.core.rows import insert
from hub.core.sentences import sentence
from hub.domain import history, messages, tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, EventKind, Leg, Message, Service, Stage, WaitsOn
from hub.translation import Refusal
from workflows.handoffs import returns, stages
from workflows.handoffs.transitions import Attribution, HandoffRefused
from workflows.handoffs.verbs import GUEST, possible_for_guest
from workflows.models import GuestLink

LASTS = timedelta(days=30)
USES_AN_HOUR = 120
OPENED_AGAIN = timedelta(minutes=15)
"""Opening the page is recorded at most this often; every action on it is recorded."""
_TOKEN = re.compile(r"([0-9a-hjkmnp-tv-z]{26})\.([a-z2-7]{26})")


class TooOften(Refusal):
    """The link was used more often within an hour than allowed."""


def token(guest_link: GuestLink) -> str:
    """The part of the address that identifies and authenticates the link: its id and a keyed hash of the id."""
    return f"{guest_link.public_id.lower()}.{_mac(guest_link.public_id)}"


def address(guest_link: GuestLink, *, hub_url: str, verb: str = "") -> str:
    """The page's address; with a verb it opens that form. Opening it has no effect."""
    return f"{hub_url}/v/{token(guest_link)}/{f'?do={verb}' if verb else ''}"


def concealed(text: str) -> str:
    """The text without guest link addresses and without the tags of our e-mails: they authenticate the vendor.

    >>> concealed("see https://hub.test/v/01jzzzzzzzzzzzzzzzzzzzzzz1.aaaaaaaaaaaaaaaaaaaaaaaaaa/?do=accept now")
    'see [link removed] now'
    """
    return _TAG.sub("", _ADDRESS.sub(_("[link removed]"), text))


_ADDRESS = re.compile(
    rf"(?:https?://[^\s<>\"'/]{{1,255}}/v/)?{_TOKEN.pattern}(?:/(?:\?do=\w{{1,20}})?)?", re.IGNORECASE
)
_ID = r"[0-9a-hjkmnp-tv-z]{26}"
_TAG = re.compile(
    rf" ?\[TH:{_ID}\.[a-z2-7]{{16,20}}\]|\+{_ID}\.[a-z2-7]{{16,20}}(?=@)"
    rf"|<(?:th\.{_ID}\.)?{_ID}\.[0-9a-z]{{20}}@[^<>\s]{{1,255}}>",
    re.IGNORECASE,
)
"""What the mail connector signs: the tag in a subject, the tag in a reply address, and a Message-ID."""


def _mac(public_id: str) -> str:
    digest = hmac.new(settings.SECRET_KEY.encode(), f"door:{public_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def find(given: str) -> GuestLink | None:
    """The guest link of a token, even if it is expired or revoked; None for a token the hub did not issue."""
    found = _TOKEN.fullmatch(given)
    if found is None or not hmac.compare_digest(found[2], _mac(found[1].upper())):
        return None
    return (
        GuestLink.objects.select_related("leg__ticket", "leg__organisation").filter(public_id=found[1].upper()).first()
    )


def is_open(guest_link: GuestLink, *, at: datetime) -> bool:
    return guest_link.revoked_at is None and at < guest_link.expires_at


@transaction.atomic
def open_for(leg: Leg, *, at: datetime) -> GuestLink:
    """The engagement's open guest link, or a new one."""
    _locked.one(leg.pk)
    known = _open.first(leg.pk, at)
    if known is not None:
        return known
    made = GuestLink(leg=leg, made_at=at, expires_at=at + LASTS)
    insert(made)
    return made


@statements.select
def _locked(leg_id: int) -> QuerySet[Leg, int]:
    return Leg.objects.select_for_update().filter(pk=leg_id).values_list("pk", flat=True)


@statements.select
def _open(leg_id: int, at: datetime) -> QuerySet[GuestLink]:
    return GuestLink.objects.filter(leg=leg_id, revoked_at=None, expires_at__gt=at).order_by("-pk")[:1]


@transaction.atomic
def close(*, leg: Leg, actor: Actor, at: datetime) -> int:
    """Revoke the engagement's guest links, expired ones included. Returns how many were revoked."""
    ticket = tickets.locked(leg.ticket)
    closed = GuestLink.objects.filter(leg=leg, revoked_at=None).update(revoked_at=at)
    if closed:
        payload = {"leg": leg.public_id, "organisation": leg.organisation.public_id}
        history.record(ticket=ticket, kind=EventKind.DOOR_CLOSED, payload=payload, actor=actor, at=at)
    return closed


@transaction.atomic
def use(guest_link: GuestLink, *, at: datetime, actor: Actor) -> None:
    """Count one use and record that the page was opened. TooOften above USES_AN_HOUR."""
    ticket = tickets.locked(guest_link.leg.ticket)
    fresh = GuestLink.objects.select_for_update().get(pk=guest_link.pk)
    if fresh.window_at is None or at - fresh.window_at >= timedelta(hours=1):
        fresh.window_at, fresh.window_uses = at, 0
    if fresh.window_uses >= USES_AN_HOUR:
        raise TooOften(
            sentence("This page was used too often within the last hour. Please try again later, or call us.")
        )
    fresh.window_uses += 1
    is_news = fresh.opened_at is None or at - fresh.opened_at >= OPENED_AGAIN
    if is_news:
        fresh.opened_at = at
        payload = {"leg": guest_link.leg.public_id, "organisation": guest_link.leg.organisation.public_id}
        history.record(ticket=ticket, kind=EventKind.DOOR_OPENED, payload=payload, actor=actor, at=at)
    fresh.save()


@transaction.atomic
def act(
    *,
    leg: Leg,
    verb: str,
    name: str,
    text: str,
    at: datetime,
    code: str = "",
    origin: str = "",
    file: tuple[str, bytes] | None = None,
) -> None:
    """Carry out one action of the page for somebody who entered a name. HandoffRefused if it is not possible."""
    actor = Actor.vendor(leg.organisation, name)
    if verb not in possible_for_guest(leg):
        raise HandoffRefused(sentence("This is no longer possible; reload the page to see the available actions."))
    if GUEST[verb].needs_text and not text.strip():
        raise HandoffRefused(sentence("Please enter a text: the reason, your question, or what was done."))
    by = Attribution(actor=actor, at=at, origin=origin)
    if verb in ("decline", "return"):
        refuse = returns.decline if verb == "decline" else returns.give_back
        refuse(leg=leg, reason=text, code=code, **by)
        return
    if verb == "accept" or (leg.stage == Stage.OFFERED and verb in ("ask", "resolve")):
        # Asking or resolving implies accepting.
        stages.accept(leg=leg, **by)
    if text.strip() or file is not None:
        _say(leg, text.strip() or _("Attached: %(name)s") % {"name": file[0] if file else ""}, actor, at, origin, file)
    fresh = Leg.objects.select_related("organisation", "ticket").get(pk=leg.pk)
    if verb == "ask":
        if fresh.stage == Stage.ACCEPTED:
            fresh = stages.start(leg=fresh, **by)
        stages.wait(leg=fresh, waits_on=WaitsOn.US, reason=text[:100], **by)
    elif verb == "resume":
        stages.resume(leg=fresh, **by)
    elif verb == "resolve":
        stages.finish(leg=fresh, resolution=text, **by)


def _say(leg: Leg, text: str, actor: Actor, at: datetime, origin: str, file: tuple[str, bytes] | None) -> Message:
    ticket = leg.ticket
    travels = ticket.service is None or ticket.service.note_audience == Service.NoteAudience.LEGS
    others = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).exclude(pk=leg.pk) if travels else ()
    message = messages.say(
        ticket=ticket,
        body=concealed(text),
        actor=actor,
        author_name=actor.name,
        at=at,
        is_for_later_legs=travels,
        legs=[leg, *others],
        origin=origin,
    )
    if file is not None:
        messages.attach(message=message, name=file[0], content=file[1], actor=actor, at=at, origin=origin)
    return message
