"""The timeline of a ticket across all organisations, limited to what the reader may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from hub.models import (
    Event,
    EventKind,
    Leg,
    Message,
    Organisation,
    Phase,
    ReasonCode,
    ResolutionCode,
    Ticket,
    User,
    WaitsOn,
)
from hub.models.event import undone_by
from hub.models.fields import label_of
from hub.queries import permissions

LATE = timedelta(seconds=60)
"""From this delay on, the timeline shows that an event was recorded later than it occurred."""
MOVED = {
    "activate": _("work resumed"),
    "wait": _("waiting for the requester"),
    "resolve": _("resolved"),
    "close": _("closed"),
    "reopen": _("reopened"),
    "cancel": _("cancelled"),
}
RELATED = {
    "parent": (_("parent of"), _("child of")),
    "duplicate": (_("duplicate of"), _("duplicated by")),
    "caused_by": (_("caused by"), _("cause of")),
    "blocks": (_("blocks"), _("blocked by")),
    "follows": (_("follows"), _("followed by")),
}
"""Names of relations: of the first ticket to the second, and the other way round."""
RELATED_TO = {
    "parent": (_("parent of %(ticket)s"), _("child of %(ticket)s")),
    "duplicate": (_("duplicate of %(ticket)s"), _("duplicated by %(ticket)s")),
    "caused_by": (_("caused by %(ticket)s"), _("cause of %(ticket)s")),
    "blocks": (_("blocks %(ticket)s"), _("blocked by %(ticket)s")),
    "follows": (_("follows %(ticket)s"), _("followed by %(ticket)s")),
}
"""The same with the other ticket."""
OURS_ALONE = frozenset(
    {
        EventKind.TICKET_RELATED,
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


def lines(user: User, ticket: Ticket) -> list[Line]:
    """The ticket's timeline for this reader, newest first."""
    messages = {
        message.public_id: message
        for message in permissions.visible_messages(user, ticket)
        .select_related("author_organisation", "superseded_by")
        .prefetch_related("legs__organisation", "attachments")
    }
    legs = {leg.public_id: leg for leg in permissions.visible_legs(user, ticket).select_related("organisation")}
    events = Event.objects.filter(ticket=ticket).select_related("actor_organisation").order_by("-occurred_at", "-seq")
    names = dict(Organisation.objects.values_list("public_id", "name"))
    known = permissions.known_organisations(user)
    until = permissions.shared_until(user, ticket)
    if until is not None:
        events = events.filter(kind__in=OF_THE_PAST, recorded_at__lte=until)
    found = _lines(events, messages, legs, names, known)
    # A successor sees which organisation wrote a message, but neither the author nor the audience.
    told = found if until is None else (replace(line, author="", audience=()) for line in found)
    return list(_gathered(told))


ALERTS = (EventKind.ALERT_FIRED, EventKind.ALERT_RECOVERED)
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
) -> Iterator[Line]:
    undone: set[int] = set()
    for event in events:  # newest first, so what was undone comes after the event that says so
        undone |= undone_by([event])
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
            label=_label(event),
            actor=_actor(event, who is not None, known),
            organisation=who.name if who else "",
            is_ours=bool(who and who.is_us),
            leg=leg.organisation.name if leg else "",
            detail=_detail(event, names) if known is None or "leg" in event.payload else _plain(event),
            message=message,
            author=message.author_name if message is not None else "",
            audience=tuple(_audience(message, known)) if message is not None else (),
            is_undone=event.seq in undone,
        )


def acted(payload: Mapping[str, Any]) -> str:
    """What a rule did, and the result if that says more."""
    what, result = str(payload.get("what", "")), str(payload.get("result", ""))
    return what if what == result else _with(what, result)


def _audience(message: Message, known: frozenset[int] | None) -> Iterator[str]:
    for leg in message.legs.all():
        if known is None or leg.organisation_id in known:
            yield leg.organisation.name


def _actor(event: Event, is_told: bool, known: frozenset[int] | None) -> str:
    """The name of the actor: of people only for our organisation, of systems if the reader may know their owner."""
    if known is None:
        return str(event.actor_name)
    return str(event.actor_name) if event.actor_kind != "person" and is_told else ""


def _label(event: Event) -> str:
    if event.kind == EventKind.TICKET_MOVED:
        return _moved(event.payload)
    if event.kind == EventKind.MAJOR_CHANGED:
        return gettext("major incident declared") if event.payload["is_major"] else gettext("major incident ended")
    return str(event.get_kind_display())


def _moved(payload: Mapping[str, Any]) -> str:
    verb = str(payload["verb"])
    if verb == "activate" and payload["before"] == Phase.NEW:
        return gettext("work started")
    if verb == "wait" and payload["waits_on"] != WaitsOn.REQUESTER:
        return gettext("waiting")
    return str(MOVED.get(verb, verb))


def _plain(event: Event) -> str:
    """The detail shown to readers outside our organisation of events on no engagement: facts, no texts of people."""
    payload = event.payload
    if event.kind == EventKind.PRIORITY_CHANGED:
        return f"{payload['before']} → {payload['after']}"
    if event.kind == EventKind.TICKET_EDITED:
        return _fields(payload)
    if event.kind == EventKind.HISTORY_ROW:
        return _row(payload)
    return ""


def _fields(payload: Mapping[str, Any]) -> str:
    return ", ".join(label_of(Ticket, name) for name in payload.get("fields", []))


def _row(payload: Mapping[str, Any]) -> str:
    """Status, team and party of an imported row, in the words of its source."""
    return " · ".join(str(payload[name]) for name in ("status", "team", "party") if payload[name])


def _detail(event: Event, names: dict[str, str]) -> str:
    payload, texts = event.payload, event.texts
    if event.kind == EventKind.TICKET_MOVED:
        return _resolved(payload, texts) or str(payload.get("reason", ""))
    if event.kind == EventKind.PRIORITY_CHANGED:
        return _with(f"{payload['before']} → {payload['after']}", payload.get("reason", ""))
    if event.kind == EventKind.LEG_WAITING:
        waits_on = payload["waits_on"]
        whom = names.get(payload.get("waits_on_organisation", "")) or dict(WaitsOn.choices).get(waits_on, waits_on)
        return _with(str(whom), payload.get("reason", ""))
    if event.kind == EventKind.LEG_DELIVERED:
        return str(payload.get("remote", ""))
    if event.kind == EventKind.TICKET_EDITED:
        return _fields(payload)
    if event.kind == EventKind.TICKET_RELATED:
        return str(RELATED_TO[payload["kind"]][0 if payload["is_from"] else 1]) % {"ticket": payload["other"]}
    if event.kind in ALERTS:
        return _alert(payload, texts)
    if event.kind == EventKind.ALERT_ACKNOWLEDGED:
        return _with(texts.get("author", ""), texts.get("said", ""))
    if event.kind == EventKind.RULE_ACTED:
        return acted(payload)
    if event.kind == EventKind.ESCALATED:
        return gettext("%(name)s, step %(step)s") % {"name": payload.get("name", ""), "step": payload.get("step", "")}
    if event.kind == EventKind.ACTION_UNDONE:
        kinds = dict(EventKind.choices)
        return ", ".join(dict.fromkeys(str(kinds.get(kind, kind)) for kind in payload["kinds"]))
    if event.kind == EventKind.HISTORY_ROW:
        return _row(payload)
    if event.kind in (EventKind.TASK_ADDED, EventKind.TASK_DONE):
        return str(texts.get("title", ""))
    if event.kind == EventKind.TRIAGE_DECIDED:
        whose = names.get(payload.get("organisation", "")) or gettext("no change")
        return _with(whose, texts.get("decision", ""))
    code = payload.get("code", "")
    coded = str(ReasonCode(code).label) if code in ReasonCode.values else ""
    return _with(coded, texts.get("reason", "")) or str(texts.get("resolution") or "")


def _resolved(payload: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """How the ticket was resolved, and what was done."""
    code = payload.get("code", "")
    coded = str(ResolutionCode(code).label) if code in ResolutionCode.values else ""
    return _with(coded, texts.get("resolution", ""))


def _alert(payload: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    alert = ", ".join(part for part in (texts.get("title"), payload.get("severity")) if part)
    if not texts.get("written_at"):
        return alert
    return gettext("%(alert)s (time in the monitoring tool: %(time)s)") % {"alert": alert, "time": texts["written_at"]}


def _with(what: str, more: str) -> str:
    """A fact and what was written about it; if one is empty, the other alone."""
    return gettext("%(what)s: %(text)s") % {"what": what, "text": more} if what and more else what or more
