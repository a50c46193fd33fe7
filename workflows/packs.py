"""The hand-off pack: what an organisation is told when a ticket is handed to it, from the record and nothing else.

Deterministic, by template. A summary by a language model may be plugged in behind one function; it is off unless the
installation names one, and it is never given anything that the organisation itself may not see.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from hub.models import Attachment, Leg, Message, Stage, Ticket

LONGEST = 6000
MOST_FINDINGS = 40
Summarise = Callable[[str], str]
"""Text that the organisation may see, in; a few sentences about it, out."""


def brief(ticket: Ticket, *, reason: str = "") -> str:
    """The pack as text, as it goes to systems that take only text."""
    return as_text(pack(ticket, reason=reason))


def pack(ticket: Ticket, *, reason: str = "") -> dict[str, Any]:
    """What is asked, why them, who had it before and what came of it, facts, findings and files for every later leg."""
    found: dict[str, Any] = {
        "asked": ticket.description.strip() or ticket.title,
        "why": reason.strip(),
        "facts": _facts(ticket),
        "before": before(ticket),
        "findings": [_finding(message) for message in _told(ticket)],
        "files": [
            {"name": file.name, "size": file.size}
            for file in Attachment.objects.filter(ticket=ticket, message__in=_told(ticket)).order_by("pk")
        ],
    }
    found["summary"] = _summary(found)
    return found


def before(ticket: Ticket) -> list[dict[str, str]]:
    """Who was engaged so far and how it ended, as every later organisation may know it."""
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("number")
    return [_engagement(leg) for leg in legs]


def ended(ticket: Ticket, *, until: datetime) -> list[dict[str, str]]:
    """Who was engaged by then, and what those who finished say they did; why others gave it back was said to us."""
    legs = Leg.objects.filter(ticket=ticket, offered_at__lte=until).select_related("organisation").order_by("number")
    return [_engagement(leg) | ({} if leg.stage == Stage.DONE else {"said": ""}) for leg in legs]


def _facts(ticket: Ticket) -> list[list[str]]:
    rows = [
        (_("Priority"), ticket.priority),
        (_("Service"), ticket.service.name if ticket.service else ""),
        (_("Asset"), str(ticket.asset) if ticket.asset else ""),
        (_("Site"), ticket.site.name if ticket.site else ""),
        (_("Opened"), f"{ticket.opened_at:%Y-%m-%d %H:%M} UTC"),
    ]
    return [[str(name), str(value)] for name, value in rows if value]


def _engagement(leg: Leg) -> dict[str, str]:
    """One organisation that was engaged before, and how it ended: what it said itself, not what we think of it."""
    gave_back = leg.stage in (Stage.DECLINED, Stage.RETURNED)  # of a recall the reason is ours
    said = leg.resolution if leg.stage == Stage.DONE else leg.reason if gave_back else ""
    coded = str(leg.get_reason_code_display()) if leg.reason_code else ""
    return {
        "organisation": leg.organisation.name, "stage": str(leg.get_stage_display()), "coded": coded, "said": said,
    }  # fmt: skip


def _told(ticket: Ticket) -> QuerySet[Message]:
    """Messages that every later organisation, or the requester, may see; nothing internal."""
    return (
        Message.objects.filter(Q(is_for_later_legs=True) | Q(is_for_requester=True), ticket=ticket)
        .filter(superseded_by__isnull=True, withdrawn_at__isnull=True)
        .select_related("author_organisation")
        .order_by("occurred_at", "pk")
    )


def _finding(message: Message) -> dict[str, str]:
    return {
        "at": f"{message.occurred_at:%Y-%m-%d %H:%M} UTC", "by": message.author_organisation.name,
        "text": message.body.strip(),
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    parts = [str(found["asked"])]
    if found["summary"]:
        parts.append(f"{_('In short')}:\n{found['summary']}")
    if found["why"]:
        parts.append(f"{_('Why this comes to you')}:\n{found['why']}")
    if found["before"]:
        parts.append(f"{_('Who had it before')}: {', '.join(_in_words(each) for each in found['before'])}")
    if found["findings"]:
        findings = found["findings"]
        left = len(findings) - MOST_FINDINGS
        lines = [f"- {each['at']}, {each['by']}: {each['text']}" for each in findings[-MOST_FINDINGS:]]
        if left > 0:
            lines.insert(0, _("- (%s older ones are left out)") % left)
        parts.append(f"{_('What was said so far')}:\n" + "\n".join(lines))
    if found["files"]:
        parts.append(f"{_('Files')}: {', '.join(each['name'] for each in found['files'])}")
    return "\n\n".join(parts)[:LONGEST]


def _in_words(each: dict[str, str]) -> str:
    coded = f", {each['coded']}" if each["coded"] else ""
    return f"{each['organisation']} ({each['stage']}{coded})"


def _summary(found: dict[str, Any]) -> str:
    summarise = _summariser(settings.SUMMARISER)
    return summarise(as_text(found | {"summary": ""}))[:1000] if summarise is not None else ""


@cache
def _summariser(name: str) -> Summarise | None:
    """The installation's own function for summaries; None where it names none."""
    return import_string(name) if name else None
