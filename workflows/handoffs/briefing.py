"""The hand-off pack: what an organisation is told when a ticket is handed to it, from the record and nothing else.

Deterministic, by template. A summary by a language model may be plugged in behind one function; it is off unless the
installation names one, and it is never given anything that the organisation itself may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from hub.models import Attachment, Contract, Leg, Message, Organisation, Publication, Stage, Ticket

LONGEST = 6000
MOST_FINDINGS = 40
Summarise = Callable[[str], str]
"""Text that the organisation may see, in; a few sentences about it, out."""


def brief(ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()) -> str:
    """The pack as text, as it goes to systems that take only text."""
    return as_text(pack(ticket, to=to, reason=reason, also=also))


def pack(
    ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()
) -> dict[str, Any]:
    """What is asked, why them, who had it before and what came of it, facts, findings and files.

    It holds what was addressed to all organisations or to this one, and what the giver chose besides (`also`);
    nothing else that was said, to the requester or to others, is told. Earlier organisations are called by what they
    do for us, by name only where the installation says so (`TICKETHUB_NAME_VENDORS`).
    """
    told = _told(ticket, to, also)
    found: dict[str, Any] = {
        "asked": ticket.description.strip() or ticket.title,
        "why": reason.strip(),
        "facts": _facts(ticket),
        "before": before(ticket, to=to),
        "findings": [_finding(message, to) for message in told],
        "files": [
            {"name": file.name, "size": file.size}
            for file in Attachment.objects.filter(ticket=ticket, message__in=told).order_by("pk")
        ],
    }
    found["summary"] = _summary(found)
    return found


def before(ticket: Ticket, *, to: Organisation | None = None) -> list[dict[str, str]]:
    """Who was engaged so far and how it ended, as every later organisation may know it."""
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("number")
    return [_engagement(leg, to) for leg in legs]


def ended(ticket: Ticket, *, until: datetime) -> list[dict[str, str]]:
    """Who was engaged by then, and what those who finished say they did; why others gave it back was said to us."""
    legs = Leg.objects.filter(ticket=ticket, offered_at__lte=until).select_related("organisation").order_by("number")
    return [_engagement(leg, None) | ({} if leg.stage == Stage.DONE else {"said": ""}) for leg in legs]


def known_as(organisation: Organisation, to: Organisation | None) -> str:
    """What an organisation is called to this one: by what it does for us, unless the installation names vendors."""
    is_known = organisation.kind != Organisation.Kind.VENDOR or (to is not None and to.pk == organisation.pk)
    if is_known or settings.NAMES_VENDORS:
        return organisation.name
    contract = (
        Contract.objects.filter(organisation=organisation, kind=Contract.Kind.UC, status=Publication.PUBLISHED)
        .select_related("service")
        .order_by("pk")
        .first()
    )
    if contract is None:
        return _("another vendor")
    return _("the vendor for %s") % (contract.service.name if contract.service else contract.name)


def may_also_be_told(ticket: Ticket, *, most: int = 20) -> QuerySet[Message]:
    """Messages that are in no pack by themselves, newest first: the giver may choose them."""
    rows = Message.objects.filter(ticket=ticket, is_for_later_legs=False, superseded_by=None, withdrawn_at=None)
    newest = rows.order_by("-occurred_at", "-pk").values("pk")[:most]
    return Message.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).order_by("-occurred_at", "-pk")


def _facts(ticket: Ticket) -> list[list[str]]:
    rows = [
        (_("Priority"), ticket.priority),
        (_("Service"), ticket.service.name if ticket.service else ""),
        (_("Asset"), str(ticket.asset) if ticket.asset else ""),
        (_("Site"), ticket.site.name if ticket.site else ""),
        (_("Opened"), f"{ticket.opened_at:%Y-%m-%d %H:%M} UTC"),
    ]
    return [[str(name), str(value)] for name, value in rows if value]


def _engagement(leg: Leg, to: Organisation | None) -> dict[str, str]:
    """One organisation that was engaged before, and how it ended: what it said itself, not what we think of it."""
    gave_back = leg.stage in (Stage.DECLINED, Stage.RETURNED)  # of a recall the reason is ours
    said = leg.resolution if leg.stage == Stage.DONE else leg.reason if gave_back else ""
    coded = str(leg.get_reason_code_display()) if leg.reason_code else ""
    return {
        "organisation": known_as(leg.organisation, to),
        "stage": str(leg.get_stage_display()),
        "coded": coded,
        "said": said,
    }


def _told(ticket: Ticket, to: Organisation | None, also: Iterable[Message]) -> list[Message]:
    """Messages for all organisations, for this one from an earlier engagement, and those the giver chose."""
    chosen = Q(is_for_later_legs=True) | Q(pk__in=[message.pk for message in also])
    if to is not None:
        chosen |= Q(legs__organisation=to) | Q(author_organisation=to)
    return list(
        Message.objects.filter(chosen, ticket=ticket, superseded_by__isnull=True, withdrawn_at__isnull=True)
        .select_related("author_organisation")
        .distinct()
        .order_by("occurred_at", "pk")
    )


def _finding(message: Message, to: Organisation | None) -> dict[str, str]:
    return {
        "at": f"{message.occurred_at:%Y-%m-%d %H:%M} UTC",
        "by": known_as(message.author_organisation, to),
        "text": message.body.strip(),
    }


def beside_description(found: dict[str, Any]) -> str:
    """The pack without what is asked, which the description of the record says; empty where there is nothing else."""
    return as_text(found | {"asked": ""}) if found else ""


def whole(found: dict[str, Any]) -> str:
    """The pack as a file: nothing is left out of it."""
    return as_text(found, longest=None)


def as_text(found: dict[str, Any], *, longest: int | None = LONGEST) -> str:
    """The pack as text of at most so many characters and, where it is bound, so many findings."""
    parts = [str(found["asked"])] if found["asked"] else []
    if found["summary"]:
        parts.append(f"{_('In short')}:\n{found['summary']}")
    if found["why"]:
        parts.append(f"{_('Why this comes to you')}:\n{found['why']}")
    if found["before"]:
        parts.append(f"{_('Who had it before')}: {', '.join(_in_words(each) for each in found['before'])}")
    if found["findings"]:
        findings = found["findings"]
        left = len(findings) - MOST_FINDINGS if longest is not None else 0
        lines = [f"- {each['at']}, {each['by']}: {each['text']}" for each in findings[max(left, 0) :]]
        if left > 0:
            lines.insert(0, _("- (%s older ones are left out)") % left)
        parts.append(f"{_('What was said so far')}:\n" + "\n".join(lines))
    if found["files"]:
        parts.append(f"{_('Files')}: {', '.join(each['name'] for each in found['files'])}")
    told = "\n\n".join(parts)
    if longest is None or len(told) <= longest:
        return told
    note = "\n\n" + _("(Too long to be sent whole: the rest is left out. Ask for it.)")
    return told[: longest - len(note)] + note


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
