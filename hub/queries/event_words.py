"""Events in words: what a line of the timeline says happened, and the detail beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.models import Event, EventKind, Phase, ReasonCode, ResolutionCode, Ticket, WaitsOn
from hub.models.fields import label_of

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
KINDS = dict(EventKind.choices)
"""Looked up here, as `get_kind_display` compares each label of its field with each other one for every event."""
ALERTS = (EventKind.ALERT_FIRED, EventKind.ALERT_RECOVERED)


def acted(payload: Mapping[str, Any]) -> str:
    """What a rule did, and the result if that says more."""
    what, result = str(payload.get("what", "")), str(payload.get("result", ""))
    return what if what == result else _with(what, result)


def label(event: Event) -> str:
    if event.kind == EventKind.TICKET_MOVED:
        return _moved(event.payload)
    if event.kind == EventKind.MAJOR_CHANGED:
        return gettext("major incident declared") if event.payload["is_major"] else gettext("major incident ended")
    return str(KINDS.get(event.kind, event.kind))


def _moved(payload: Mapping[str, Any]) -> str:
    verb = str(payload["verb"])
    if verb == "activate" and payload["before"] == Phase.NEW:
        return gettext("work started")
    if verb == "wait" and payload["waits_on"] != WaitsOn.REQUESTER:
        return gettext("waiting")
    return str(MOVED.get(verb, verb))


def plain_detail(event: Event) -> str:
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


def detail(event: Event, names: dict[str, str]) -> str:
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
    if event.kind in (EventKind.TICKET_RELATED, EventKind.TICKET_UNRELATED):
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
