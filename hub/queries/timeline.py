"""The timeline of a ticket across all organisations, limited to what the reader may see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Prefetch, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import ngettext

from hub.models import (
    Attachment,
    Event,
    EventKind,
    Leg,
    Message,
    Organisation,
    Ticket,
    User,
)
from hub.models.event import undone_by, undone_on
from hub.queries import event_words, permissions
from hub.queries.event_words import ALERTS

LATE = timedelta(seconds=60)
"""From this delay on, the timeline shows that an event was recorded later than it occurred."""
OURS_ALONE = frozenset(
    {
        EventKind.TICKET_RELATED,
        EventKind.TICKET_UNRELATED,
        EventKind.ALERT_FIRED,
        EventKind.ALERT_RECOVERED,
        EventKind.RULE_ACTED,
        EventKind.ESCALATED,
        EventKind.ESCALATION_ACKNOWLEDGED,
        EventKind.VERSION_MOVED,
        EventKind.TICKET_ASSIGNED,
        EventKind.TEXTS_ERASED,
        EventKind.ALERT_ACKNOWLEDGED,
        EventKind.TASK_ADDED,
        EventKind.TASK_DONE,
        EventKind.ACTION_UNDONE,
    }
)
"""Kinds shown only to our organisation: they name other tickets, our people, tools or rules."""
OF_THE_PAST = frozenset(
    {EventKind.TICKET_OPENED, EventKind.TICKET_MOVED, EventKind.MESSAGE_ADDED, EventKind.HISTORY_ROW}
)
"""Kinds shown to a successor that reads a ticket of its predecessor."""
QUIET = frozenset({EventKind.LEG_REACHED, EventKind.ATTACHMENT_ADDED, EventKind.ACTION_SENT})
"""Kinds not shown, because another line shows the same."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the timeline: an event, and the message it is about."""

    at: datetime
    recorded_at: datetime
    kind: str
    label: str
    actor: str
    organisation: str
    is_ours: bool
    leg: str = ""
    detail: str = ""
    message: Message | None = None
    author: str = ""
    """The name of a message's author; empty if the reader may not know it."""
    audience: tuple[str, ...] = ()
    """The organisations that a message is for, as far as the reader may know them."""
    is_undone: bool = False
    """Whether the action that it was part of was undone."""

    @property
    def is_late(self) -> bool:
        """Whether it was recorded noticeably later than it occurred."""
        return self.recorded_at - self.at >= LATE

    @property
    def delay(self) -> int:
        """Seconds from the occurrence to the recording."""
        return int((self.recorded_at - self.at).total_seconds())


PAGE = 50
"""So many events are read for one page of a timeline."""
MOST_SINCE = 500
"""So many events at most are shown of what is new since a page was made."""


class Place(NamedTuple):
    """An event's place on the timeline."""

    at: datetime
    seq: int

    def text(self) -> str:
        """For a URL."""
        return f"{self.seq}:{self.at.isoformat()}"


def place(text: str) -> Place | None:
    """The place that a URL names; None for anything else."""
    seq, _colon, moment = text[:60].replace("\x00", "").partition(":")
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 10):
        return None
    try:
        at = parse_datetime(moment)
        return None if at is None or is_naive(at) else Place(at.astimezone(UTC), int(seq))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, kw_only=True)
class Story:
    """A part of a timeline, newest first."""

    lines: Sequence[Line]
    first: str = ""
    """The place of the oldest event of this part."""
    has_more: bool = False
    """Whether there are older events."""


def lines(user: User, ticket: Ticket) -> list[Line]:
    """The ticket's whole timeline for this reader, newest first."""
    return list(_told(user, ticket, list(_events(user, ticket))))


def story(
    user: User,
    ticket: Ticket,
    *,
    before: Place | None = None,
    since: Place | None = None,
    legs: Collection[Leg] | None = None,
    has_files: bool = True,
) -> Story:
    """One page of the timeline: the newest, or the one before a place; or everything that is not older than a place.

    Readers who do not see everything get their whole timeline: a place would tell when things happened that they may
    not see. `legs`: the engagements that this reader may see, if they are known already; `has_files`: False if the
    ticket is known to have no files.
    """
    if not permissions.sees_everything(user):
        return Story(lines=lines(user, ticket))
    events = _events(user, ticket)
    if before is not None:
        events = events.filter(Q(occurred_at__lt=before.at) | Q(occurred_at=before.at, seq__lt=before.seq))
    most = PAGE
    if since is not None and before is None:
        newer = Q(occurred_at__gt=since.at) | Q(occurred_at=since.at, seq__gte=since.seq)
        most = max(PAGE, min(MOST_SINCE, events.filter(newer).count()))
    found = list(events[: most + 1])
    has_more, found = len(found) > most, found[:most]
    return Story(
        lines=list(_told(user, ticket, found, legs=legs, has_files=has_files, is_newest=before is None)),
        first=Place(found[-1].occurred_at, found[-1].seq).text() if found else "",
        has_more=has_more,
    )


def _events(user: User, ticket: Ticket) -> QuerySet[Event]:
    """The events of which this reader may see lines, newest first."""
    hidden = QUIET if permissions.sees_everything(user) else QUIET | OURS_ALONE
    events = Event.objects.filter(ticket=ticket).exclude(kind__in=hidden).select_related("actor_organisation")
    until = permissions.shared_until(user, ticket)
    if until is not None:
        events = events.filter(kind__in=OF_THE_PAST, recorded_at__lte=until)
    return events.order_by("-occurred_at", "-seq")


def _told(
    user: User,
    ticket: Ticket,
    events: Sequence[Event],
    *,
    legs: Collection[Leg] | None = None,
    has_files: bool = True,
    is_newest: bool = True,
) -> Iterator[Line]:
    """The lines of these events, with their messages and engagements as far as this reader may see them."""
    if legs is None:
        legs = list(permissions.visible_legs(user, ticket).select_related("organisation"))
    has_legs = bool(legs) or not permissions.sees_everything(user)
    messages = _messages(user, ticket, events, has_legs=has_legs, has_files=has_files)
    names = {}
    if any(event.kind in NAMING for event in events):
        names = dict(Organisation.objects.values_list("public_id", "name"))
    known = permissions.known_organisations(user)
    undone = undone_by(events)
    if known is not None or not is_newest:  # what says that it was undone is hidden, or on an earlier page
        undone = undone_on(ticket)
    found = _lines(events, messages, {leg.public_id: leg for leg in legs}, names, known, undone)
    # A successor sees which organisation wrote a message, but neither the author nor the audience.
    is_past = permissions.shared_until(user, ticket) is not None
    return _gathered(replace(line, author="", audience=()) if is_past else line for line in found)


def _messages(
    user: User, ticket: Ticket, events: Iterable[Event], *, has_legs: bool, has_files: bool
) -> dict[str, Message]:
    """The messages of these events that this reader may see, with what they are shown with."""
    named = [event.payload["message"] for event in events if "message" in event.payload]
    if not named:
        return {}
    found = permissions.visible_messages(user, ticket).filter(public_id__in=named)
    legs = Leg.objects.select_related("organisation") if has_legs else Leg.objects.none()  # which asks nobody
    files = Attachment.objects.all() if has_files else Attachment.objects.none()
    found = found.select_related("author_organisation", "superseded_by")
    found = found.prefetch_related(Prefetch("legs", legs), Prefetch("attachments", files))
    return {message.public_id: message for message in found}


NAMING = frozenset({EventKind.LEG_WAITING, EventKind.TRIAGE_DECIDED})
"""Kinds whose lines name organisations of the payload."""


SHOWN_ALERTS = 5


def _gathered(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines with consecutive alerts of one kind as one line, so that a storm does not fill the page."""
    waiting: list[Line] = []
    for line in lines:
        if waiting and line.kind != waiting[0].kind:
            yield _together(waiting)
            waiting = []
        if line.kind in ALERTS:
            waiting.append(line)
        else:
            yield line
    if waiting:
        yield _together(waiting)


def _together(found: list[Line]) -> Line:
    if len(found) == 1:
        return found[0]
    first, count = found[0], len(found)
    if first.kind == EventKind.ALERT_RECOVERED:
        label = ngettext("%(n)d alert ended", "%(n)d alerts ended", count) % {"n": count}
    else:
        label = ngettext("%(n)d alert", "%(n)d alerts", count) % {"n": count}
    detail, more = ", ".join(line.detail for line in found[:SHOWN_ALERTS]), count - SHOWN_ALERTS
    if more > 0:
        sentence = ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", more)
        detail = sentence % {"names": detail, "n": more}
    return replace(first, label=label, detail=detail)


def _lines(
    events: Iterable[Event],
    messages: dict[str, Message],
    legs: dict[str, Leg],
    names: dict[str, str],
    known: frozenset[int] | None,
    undone: Collection[int],
) -> Iterator[Line]:
    for event in events:
        if event.kind in QUIET or (known is not None and (event.kind in OURS_ALONE or event.seq in undone)):
            continue
        leg = legs.get(event.payload.get("leg", ""))
        message = messages.get(event.payload.get("message", ""))
        if "leg" in event.payload and leg is None:
            continue
        if "message" in event.payload and message is None:
            continue
        who = event.actor_organisation
        if who is not None and known is not None and message is None and who.pk not in known:
            who = None  # the reader may see what was done, but not which other organisation did it
        yield Line(
            at=event.occurred_at,
            recorded_at=event.recorded_at,
            kind=event.kind,
            label=event_words.label(event),
            actor=_actor(event, who is not None, known),
            organisation=who.name if who else "",
            is_ours=bool(who and who.is_us),
            leg=leg.organisation.name if leg else "",
            detail=event_words.detail(event, names)
            if known is None or "leg" in event.payload
            else event_words.plain_detail(event),
            message=message,
            author=message.author_name if message is not None else "",
            audience=tuple(_audience(message, known)) if message is not None else (),
            is_undone=event.seq in undone,
        )


def _audience(message: Message, known: frozenset[int] | None) -> Iterator[str]:
    for leg in message.legs.all():
        if known is None or leg.organisation_id in known:
            yield leg.organisation.name


def _actor(event: Event, is_told: bool, known: frozenset[int] | None) -> str:
    """The name of the actor: of people only for our organisation, of systems if the reader may know their owner."""
    if known is None:
        return str(event.actor_name)
    return str(event.actor_name) if event.actor_kind != "person" and is_told else ""
