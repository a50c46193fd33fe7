"""The hand-off pack: what an organisation receives when a ticket is handed over to it, built from the record alone.

The pack is deterministic. An installation may name a function that adds a summary, for example by a language model;
the function receives only what the organisation itself may see.
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
from django.utils.translation import ngettext, pgettext

from hub.models import Attachment, Contract, Leg, Message, Organisation, Publication, Stage, Ticket

LONGEST = 6000
MOST_FINDINGS = 40
Summarise = Callable[[str], str]
"""Takes text that the organisation may see and returns a short summary."""


def brief(ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()) -> str:
    """The pack as text, for systems that accept only text."""
    return as_text(pack(ticket, to=to, reason=reason, also=also))


def pack(
    ticket: Ticket, *, to: Organisation | None = None, reason: str = "", also: Iterable[Message] = ()
) -> dict[str, Any]:
    """The request, the reason, earlier engagements and their outcome, facts, findings and files.

    It contains messages addressed to all organisations or to this one, and those the sender chose (`also`); no others.
    Earlier organisations are described by what they do for us, and named only if the installation says so
    (`TICKETHUB_NAME_VENDORS`).
    """
    messages = _messages(ticket, to, also)
    found: dict[str, Any] = {
        "asked": ticket.description.strip() or ticket.title,
        "why": reason.strip(),
        "facts": _facts(ticket),
        "before": [*before(ticket, to=to), *_resolved(ticket)],
        "findings": [_finding(message, to) for message in messages],
        "files": [
            {"name": file.name, "size": file.size}
            for file in Attachment.objects.filter(ticket=ticket, message__in=messages).order_by("pk")
        ],
    }
    found["summary"] = _summary(found)
    return found


def before(ticket: Ticket, *, to: Organisation | None = None) -> list[dict[str, str]]:
    """Earlier engagements and how they ended, as every later organisation may see them."""
    legs = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("number")
    return [_engagement(leg, to) for leg in legs]


def _resolved(ticket: Ticket) -> list[dict[str, str]]:
    """What our organisation recorded when it resolved the ticket, which has been reopened since."""
    if not ticket.resolution or not ticket.is_resolution_shared:
        return []
    coded = str(ticket.get_resolution_code_display())
    return [{"organisation": ticket.owner.name, "stage": _("resolved"), "coded": coded, "said": ticket.resolution}]


def ended(ticket: Ticket, *, until: datetime) -> list[dict[str, str]]:
    """Engagements offered until then, with resolutions but without the reasons for a return, which are for us only."""
    legs = Leg.objects.filter(ticket=ticket, offered_at__lte=until).select_related("organisation").order_by("number")
    returned = (Stage.DECLINED, Stage.RETURNED)
    return [_engagement(leg, None) | ({"said": ""} if leg.stage in returned else {}) for leg in legs]


def known_as(organisation: Organisation, to: Organisation | None) -> str:
    """What an organisation is called in a pack for `to`: the vendor for its service, or its name.

    The name is used for vendors only if the installation says so (`TICKETHUB_NAME_VENDORS`), and for `to` itself.
    """
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


def newest_untold(ticket: Ticket, *, most: int = 20) -> QuerySet[Message]:
    """Messages that a pack does not contain by default, newest first: the sender may add them. Cannot be narrowed."""
    rows = Message.objects.filter(ticket=ticket, is_for_later_legs=False, superseded_by=None, withdrawn_at=None)
    return rows.select_related("author_organisation").order_by("-occurred_at", "-pk")[:most]


def may_also_be_told(ticket: Ticket) -> QuerySet[Message]:
    """The same messages, to choose from."""
    newest = list(newest_untold(ticket).values_list("pk", flat=True))
    return Message.objects.filter(pk__in=newest).order_by("-occurred_at", "-pk")


def _facts(ticket: Ticket) -> list[list[str]]:
    rows = [
        (_("Priority"), ticket.priority),
        (_("Service"), ticket.service.name if ticket.service else ""),
        (_("Asset"), str(ticket.asset) if ticket.asset else ""),
        (pgettext("place", "Site"), ticket.site.name if ticket.site else ""),
        (_("Opened"), f"{ticket.opened_at:%Y-%m-%d %H:%M} UTC"),
    ]
    return [[str(name), str(value)] for name, value in rows if value]


def _engagement(leg: Leg, to: Organisation | None) -> dict[str, str]:
    """One earlier engagement and how it ended, in the organisation's own words."""
    gave_back = leg.stage in (Stage.DECLINED, Stage.RETURNED)  # the reason of a recall was written by us
    said = leg.reason if gave_back else leg.resolution if leg.is_resolution_shared else ""
    coded = str(leg.get_reason_code_display()) if leg.reason_code else ""
    return {
        "organisation": known_as(leg.organisation, to),
        "stage": str(leg.get_stage_display()),
        "coded": coded,
        "said": said,
    }


def _messages(ticket: Ticket, to: Organisation | None, also: Iterable[Message]) -> list[Message]:
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
    """The pack without the request, for records whose description holds the request; empty if nothing remains."""
    return as_text(found | {"asked": ""}) if found else ""


def whole(found: dict[str, Any]) -> str:
    """The complete pack, for a file."""
    return as_text(found, longest=None)


def as_text(found: dict[str, Any], *, longest: int | None = LONGEST) -> str:
    """The pack as text, at most `longest` characters and MOST_FINDINGS findings; None for no limit."""
    parts = [str(found["asked"])] if found["asked"] else []
    if found["summary"]:
        parts.append(_("Summary:") + f"\n{found['summary']}")
    if found["why"]:
        parts.append(_("Reason for the hand-over:") + f"\n{found['why']}")
    if found["before"]:
        engagements = ", ".join(_in_words(each) for each in found["before"])
        parts.append(_("Earlier engagements: %(engagements)s") % {"engagements": engagements})
    if found["findings"]:
        findings = found["findings"]
        left = len(findings) - MOST_FINDINGS if longest is not None else 0
        lines = [f"- {each['at']}, {each['by']}: {each['text']}" for each in findings[max(left, 0) :]]
        if left > 0:
            omitted = ngettext("- (%(count)d older message omitted)", "- (%(count)d older messages omitted)", left)
            lines.insert(0, omitted % {"count": left})
        parts.append("\n".join([_("Messages so far:"), *lines]))
    if found["files"]:
        parts.append(_("Files: %(names)s") % {"names": ", ".join(each["name"] for each in found["files"])})
    text = "\n\n".join(parts)
    if longest is None or len(text) <= longest:
        return text
    note = "\n\n" + _("(Shortened because of its length. Ask us for the rest.)")
    return text[: longest - len(note)] + note


def _in_words(each: dict[str, str]) -> str:
    coded = f", {each['coded']}" if each["coded"] else ""
    return f"{each['organisation']} ({each['stage']}{coded})"


def _summary(found: dict[str, Any]) -> str:
    summarise = _summariser(settings.SUMMARISER)
    return summarise(as_text(found | {"summary": ""}))[:1000] if summarise is not None else ""


@cache
def _summariser(name: str) -> Summarise | None:
    """The installation's own function for summaries; None if the setting names none."""
    return import_string(name) if name else None
