"""The hand-off pack: what an organisation receives when a ticket is handed over to it, built from the record alone.

Deterministic, by template. An installation may name a function that summarises with a language model; it gets only
what the organisation itself may see.
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
from django.utils.translation import ngettext

from hub.models import Attachment, Contract, Leg, Message, Organisation, Publication, Stage, Ticket

LONGEST = 6000
MOST_FINDINGS = 40
Summarise = Callable[[str], str]
"""Takes text that the organisation may see and returns a short summary."""


def brief(ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()) -> str:
    """The pack as text, for systems that take only text."""
    return as_text(pack(ticket, to=to, reason=reason, also=also))


def pack(
    ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()
) -> dict[str, Any]:
    """The request, the reason, earlier engagements and their outcome, facts, findings and files.

    It contains messages addressed to all organisations or to this one, and those the sender chose (`also`); no others.
    Earlier organisations are described by what they do for us, and named only if the installation says so
    (`TICKETHUB_NAME_VENDORS`).
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
    """Earlier engagements and how they ended, as every later organisation may see them."""
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("number")
    return [_engagement(leg, to) for leg in legs]


def ended(ticket: Ticket, *, until: datetime) -> list[dict[str, str]]:
    """Engagements until then, with the resolutions of finished ones; reasons for a return were meant for us only."""
    legs = Leg.objects.filter(ticket=ticket, offered_at__lte=until).select_related("organisation").order_by("number")
    return [_engagement(leg, None) | ({} if leg.stage == Stage.DONE else {"said": ""}) for leg in legs]


def known_as(organisation: Organisation, to: Organisation | None) -> str:
    """How an organisation is called towards this one: by its service, unless the installation names vendors."""
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
    return _("the vendor for %(service)s") % {"service": contract.service.name if contract.service else contract.name}


def may_also_be_told(ticket: Ticket, *, most: int = 20) -> QuerySet[Message]:
    """Messages that no pack contains automatically, newest first: the sender may choose them."""
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
    """One earlier engagement and how it ended, in the organisation's own words, not ours."""
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
    """Messages for all organisations, for this one from an earlier engagement, and those the sender chose."""
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
    """The pack without the request, which is in the record's description; empty if nothing else remains."""
    return as_text(found | {"asked": ""}) if found else ""


def whole(found: dict[str, Any]) -> str:
    """The complete pack, for a file."""
    return as_text(found, longest=None)


def as_text(found: dict[str, Any], *, longest: int | None = LONGEST) -> str:
    """The pack as text, at most `longest` characters and MOST_FINDINGS findings; None for no limit."""
    parts = [str(found["asked"])] if found["asked"] else []
    if found["summary"]:
        parts.append(f"{_('In short')}:\n{found['summary']}")
    if found["why"]:
        parts.append(f"{_('Reason for the hand-over')}:\n{found['why']}")
    if found["before"]:
        parts.append(f"{_('Earlier engagements')}: {', '.join(_in_words(each) for each in found['before'])}")
    if found["findings"]:
        findings = found["findings"]
        left = len(findings) - MOST_FINDINGS if longest is not None else 0
        lines = [f"- {each['at']}, {each['by']}: {each['text']}" for each in findings[max(left, 0) :]]
        if left > 0:
            text = ngettext("- (%(count)d older message omitted)", "- (%(count)d older messages omitted)", left)
            lines.insert(0, text % {"count": left})
        parts.append(f"{_('Messages so far')}:\n" + "\n".join(lines))
    if found["files"]:
        parts.append(f"{_('Files')}: {', '.join(each['name'] for each in found['files'])}")
    told = "\n\n".join(parts)
    if longest is None or len(told) <= longest:
        return told
    note = "\n\n" + _("(Shortened because of its length. Ask us for the rest.)")
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
