"""One timeline of all organisations: what happened to a ticket, as far as somebody may see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from hub.models import (
    Event,
    EventKind,
    Leg,
    Message,
    Organisation,
    Phase,
    ReasonCode,
    Ticket,
    User,
    WaitsOn,
)
from hub.queries import permissions

LATE = timedelta(seconds=60)
MOVED = {
    "activate": _("work goes on"),
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
"""What a ticket is to another: said on the one and on the other."""
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
    }
)
"""Kinds that name other tickets, our own people, tools or rules: nobody else is told."""
OF_THE_PAST = frozenset(
    {EventKind.TICKET_OPENED, EventKind.TICKET_MOVED, EventKind.MESSAGE_ADDED, EventKind.HISTORY_ROW}
)
"""Kinds that a successor reads of a ticket it had no part in."""
QUIET = frozenset({EventKind.LEG_REACHED, EventKind.ATTACHMENT_ADDED})
"""Kinds that would only repeat what another line says."""


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
    """Of a message: who wrote it, by name where that may be known."""
    audience: tuple[str, ...] = ()
    """Of a message: the organisations it is for, as far as they may be known."""

    @property
    def is_late(self) -> bool:
        """We learned of it noticeably later than it happened."""
        return self.recorded_at - self.at >= LATE

    @property
    def delay(self) -> int:
        return int((self.recorded_at - self.at).total_seconds())


def lines(user: User, ticket: Ticket) -> list[Line]:
    """The ticket's story, newest first."""
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
    # A successor is told which organisation said something, not who in it, nor whom it was for.
    told = found if until is None else (replace(line, author="", audience=()) for line in found)
    return list(_gathered(told))


ALERTS = (EventKind.ALERT_FIRED, EventKind.ALERT_RECOVERED)
SHOWN_ALERTS = 5


def _gathered(lines: Iterable[Line]) -> Iterator[Line]:
    """Alerts in a row are one line: a storm is told in a sentence, not in a hundred."""
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
    names = ", ".join(line.detail for line in found[:SHOWN_ALERTS])
    more = len(found) - SHOWN_ALERTS
    rest = _(" and %d more") % more if more > 0 else ""
    return replace(found[0], label=f"{len(found)} × {found[0].label}", detail=f"{names}{rest}")


def _lines(
    events: Iterable[Event],
    messages: dict[str, Message],
    legs: dict[str, Leg],
    names: dict[str, str],
    known: frozenset[int] | None,
) -> Iterator[Line]:
    for event in events:
        if event.kind in QUIET or (event.kind in OURS_ALONE and known is not None):
            continue
        leg = legs.get(event.payload.get("leg", ""))
        message = messages.get(event.payload.get("message", ""))
        if "leg" in event.payload and leg is None:
            continue
        if "message" in event.payload and message is None:
            continue
        who = event.actor_organisation
        if who is not None and known is not None and message is None and who.pk not in known:
            who = None  # what another organisation did shows in the ticket; that there is one is not theirs to know
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
        )


def acted(payload: Mapping[str, Any]) -> str:
    """What a rule did, and what came of it where that says more."""
    what, result = str(payload.get("what", "")), str(payload.get("result", ""))
    return f"{what}: {result}" if what and result and what != result else what or result


def _audience(message: Message, known: frozenset[int] | None) -> Iterator[str]:
    for leg in message.legs.all():
        if known is None or leg.organisation_id in known:
            yield leg.organisation.name


def _actor(event: Event, is_told: bool, known: frozenset[int] | None) -> str:
    """Who it was: people by name among ourselves, a system where its organisation may be known."""
    if known is None:
        return str(event.actor_name)
    return str(event.actor_name) if event.actor_kind != "person" and is_told else ""


def _label(event: Event) -> str:
    if event.kind == EventKind.TICKET_MOVED:
        return _moved(event.payload)
    return str(event.get_kind_display())


def _moved(payload: Mapping[str, Any]) -> str:
    verb = str(payload["verb"])
    if verb == "activate" and payload["before"] == Phase.NEW:
        return str(_("under way"))
    if verb == "wait" and payload["waits_on"] != WaitsOn.REQUESTER:
        return str(_("waiting"))
    return str(MOVED.get(verb, verb))


def _plain(event: Event) -> str:
    """What of an event that is about no engagement of theirs others are told: facts, not what people wrote of them."""
    payload = event.payload
    if event.kind == EventKind.PRIORITY_CHANGED:
        return f"{payload['before']} → {payload['after']}"
    if event.kind == EventKind.TICKET_EDITED:
        return ", ".join(payload.get("fields", []))
    if event.kind == EventKind.HISTORY_ROW:
        return f"{payload['status']} · {payload['team']} · {payload['party']}"
    return ""


def _detail(event: Event, names: dict[str, str]) -> str:
    payload, texts = event.payload, event.texts
    if event.kind == EventKind.TICKET_MOVED:
        return str(payload.get("reason", ""))
    if event.kind == EventKind.PRIORITY_CHANGED:
        return f"{payload['before']} → {payload['after']} {payload.get('reason', '')}".strip()
    if event.kind == EventKind.LEG_WAITING:
        whom = names.get(payload.get("waits_on_organisation", ""), payload["waits_on"])
        return " – ".join(part for part in (whom, payload.get("reason", "")) if part)
    if event.kind == EventKind.LEG_DELIVERED:
        return str(payload.get("remote", ""))
    if event.kind == EventKind.TICKET_EDITED:
        return ", ".join(payload.get("fields", []))
    if event.kind == EventKind.TICKET_RELATED:
        told = RELATED[payload["kind"]][0 if payload["is_from"] else 1]
        return f"{told} {payload['other']}"
    if event.kind in ALERTS:
        alert = f"{texts.get('title', '')} {payload.get('severity', '')}".strip()
        return f"{alert} ({_('time there: %s') % texts['written_at']})" if texts.get("written_at") else alert
    if event.kind == EventKind.ALERT_ACKNOWLEDGED:
        return ": ".join(str(texts[name]) for name in ("author", "said") if texts.get(name))
    if event.kind == EventKind.RULE_ACTED:
        return acted(payload)
    if event.kind == EventKind.ESCALATED:
        return f"{payload.get('name', '')} {payload.get('step', '')}".strip()
    if event.kind == EventKind.HISTORY_ROW:
        return f"{payload['status']} · {payload['team']} · {payload['party']}"
    if event.kind == EventKind.TRIAGE_DECIDED:
        whose = names.get(payload.get("organisation", "")) or _("it stays as it is")
        return f"{whose} – {texts.get('decision', '')}"
    code = payload.get("code", "")
    said = (str(ReasonCode(code).label) if code in ReasonCode.values else "", str(texts.get("reason", "")))
    return ": ".join(part for part in said if part) or str(texts.get("resolution") or "")
