"""The texts of notices: templates with {expressions} (CEL) over a few facts, without loops and without other access.

An admin's template replaces the built-in text. Without one in the recipient's language, the English one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.core.sentences import sentence
from hub.expressions import BadExpression, Expression, Failed
from hub.expressions.texts import Text, text_of
from hub.models import Leg, Organisation, Ticket
from hub.translation import localized
from workflows.models import NoticeTemplate

LONGEST = 10_000
NAMES = ("ticket", "leg", "organisation", "requester", "why", "text", "url", "at", "hub", "items")
"""The names a template may use."""

FACTS = {
    "ticket": {"label", "title", "priority", "kind", "phase", "status", "service", "holder", "reason"},
    "leg": {"organisation", "stage", "stage_name", "brief", "reason", "answer_by"},
}
"""The facts of a ticket and of an engagement, as made by `facts_of`."""

Audience = NoticeTemplate.Audience


class BadTemplate(ValueError):
    """The template cannot be filled in. `str()` says what is wrong with it, in the active language."""

    def __str__(self) -> str:
        return localized(super().__str__())


class Wording(NamedTuple):
    subject: str
    body: str


class BuiltIn(NamedTuple):
    """A built-in text, translated when it is used."""

    subject: str | Promise
    body: str | Promise

    def wording(self) -> Wording:
        return Wording(str(self.subject), str(self.body))


_FOOT = "\n\n{url}"
_PLAIN = BuiltIn("[{ticket.label}] {ticket.title}", "{text}" + _FOOT)
BUILT_IN: dict[tuple[str, str], BuiltIn] = {
    ("plain", Audience.US): _PLAIN,
    ("plain", Audience.REQUESTER): _PLAIN,
    ("plain", Audience.VENDOR): _PLAIN,
    ("escalation", Audience.US): BuiltIn(
        "[{ticket.label}] {why}",
        _(
            "{ticket.label} {ticket.title}\n{why}\n\nPriority {ticket.priority}, service {ticket.service}, "
            "with {ticket.holder} ({ticket.reason}).\n\n{url}"
        ),
    ),
    ("breach", Audience.US): BuiltIn(
        "[{ticket.label}] {why}", _("{why}\n\n{ticket.title}\nWith {ticket.holder}.\n\n{url}")
    ),
    ("offer", Audience.VENDOR): BuiltIn(
        "{ticket.title} [{ticket.label}]",
        _(
            "{hub} asks you to take on a ticket.\n\n{leg.brief}\n\nPriority: {ticket.priority}\n{leg.answer_by}"
            "\nAccept it, decline it, ask a question or report it done on this page. You do not have to log in; anyone "
            "with this link can act on this ticket:\n\n{url}"
        ),
    ),
    ("withdrawn", Audience.VENDOR): BuiltIn(
        _("Withdrawn: {ticket.title} [{ticket.label}]"),
        _("{hub} has taken this ticket back ({leg.stage_name}). Please stop working on it."),
    ),
    ("message", Audience.VENDOR): BuiltIn(
        "Re: {ticket.title} [{ticket.label}]", _("{text}\n\nAnswer on this page:\n{url}")
    ),
    ("ask_update", Audience.VENDOR): BuiltIn(
        "Re: {ticket.title} [{ticket.label}]",
        _("What is the status of this ticket? {text}\n\nAnswer on this page:\n{url}"),
    ),
    ("digest", Audience.VENDOR): BuiltIn(_("Your open tickets at {hub}: {size(items)}"), "{text}"),
    ("log_in_guesses", Audience.US): BuiltIn("{why}", "{why}.\n\n{text}" + _FOOT),
    ("new_password", Audience.US): BuiltIn(
        _("Your new password for Ticket Hub"),
        _(
            "Somebody, probably you, requested a new password for Ticket Hub at {hub}. Choose it on the page below "
            "within 24 hours. If you did not request it, ignore this e-mail: your password does not change."
        ),
    ),
    ("mention", Audience.US): BuiltIn("[{ticket.label}] {why}", "{why}\n\n{text}" + _FOOT),
    ("assigned", Audience.US): BuiltIn(
        "[{ticket.label}] {why}",
        _("{why}: {ticket.title}\n\nPriority {ticket.priority}, service {ticket.service}.\n\n{url}"),
    ),
    ("followed", Audience.US): BuiltIn("[{ticket.label}] {why}", "{ticket.title}\n\n{text}" + _FOOT),
    ("task", Audience.US): BuiltIn("[{ticket.label}] {why}", "{why}\n\n{ticket.title}" + _FOOT),
    ("daily", Audience.US): BuiltIn(_("Ticket Hub notices: {size(items)}"), "{text}"),
}
"""The built-in texts by kind and audience; a kind without a text of its own uses that of ``plain``."""


def compiled(source: str) -> Text:
    """A template ready to be filled in; BadTemplate if it is not valid."""
    if len(source) > LONGEST:
        raise BadTemplate(
            sentence(
                "The text has %(count)s characters; at most %(most)s are allowed.", count=len(source), most=LONGEST
            )
        )
    try:
        return text_of(source, names=NAMES, functions={})
    except BadExpression as error:
        raise BadTemplate(str(error)) from error


def check(source: str) -> None:
    """Check a template before it is saved: BadTemplate also for an unknown fact, which would be left empty."""
    for part in compiled(source).parts:
        for name, keys in part.parts.items() if isinstance(part, Expression) else ():
            if strange := sorted((keys or set()) - FACTS.get(name, keys or set())):
                known = ", ".join(f"{name}.{key}" for key in sorted(FACTS[name]))
                fact = f"{name}.{strange[0]}"
                raise BadTemplate(sentence("Unknown name “%(name)s”. Available: %(names)s.", name=fact, names=known))


def filled(source: str, facts: Mapping[str, Any]) -> str:
    """The template filled in with the facts; BadTemplate if that fails."""
    try:
        return compiled(source).text(facts)
    except Failed as error:
        raise BadTemplate(str(error)) from error


def wording(kind: str, audience: str, language: str) -> Wording:
    """The template of one kind for an audience, in the language or in English; the built-in one if there is none."""
    rows = NoticeTemplate.objects.filter(kind=kind, audience=audience, language__in=[language, "en"])
    found = {row.language: row for row in rows}
    row = found.get(language) or found.get("en")
    if row is not None:
        return Wording(row.subject, row.body)
    return _built_in(kind, audience)


def _built_in(kind: str, audience: str) -> Wording:
    return (BUILT_IN.get((kind, Audience(audience))) or BUILT_IN["plain", Audience(audience)]).wording()


def said(kind: str, audience: str, facts: Mapping[str, Any], *, language: str = "en") -> Wording:
    """Subject and text of one notice. If an admin's template cannot be filled in, the built-in text is used."""
    found = wording(kind, audience, language)
    try:
        return Wording(filled(found.subject, facts), filled(found.body, facts))
    except BadTemplate:
        plain = _built_in(kind, audience)
        return Wording(filled(plain.subject, facts), filled(plain.body, facts))


def tried(source: str) -> str:
    """A template filled in with the newest ticket, as a preview; BadTemplate if that fails."""
    check(source)
    ticket = Ticket.objects.select_related("status", "service", "holder", "requester").order_by("-pk").first()
    leg = Leg.objects.filter(ticket=ticket).select_related("organisation").order_by("-pk").first() if ticket else None
    why, text = gettext("the reason for this notice"), gettext("the text of this notice")
    return filled(source, facts_of(ticket, leg=leg, why=why, text=text, items=[text, text]))


def facts_of(
    ticket: Ticket | None,
    *,
    leg: Leg | None = None,
    organisation: Organisation | None = None,
    why: str = "",
    text: str = "",
    url: str = "",
    items: list[str] | None = None,
) -> dict[str, Any]:
    """What a template can use: a few facts of the ticket, none of them internal to another organisation."""
    return {
        "ticket": _ticket(ticket) if ticket is not None else {},
        "leg": _leg(leg) if leg is not None else {},
        "organisation": organisation.name if organisation else (leg.organisation.name if leg else ""),
        "requester": ticket.requester.name if ticket is not None and ticket.requester else "",
        "why": localized(why),
        "text": localized(text),
        "url": url or (f"{settings.PUBLIC_URL}{ticket.get_absolute_url()}" if ticket is not None else ""),
        "at": timezone.now().strftime("%Y-%m-%d %H:%M UTC"),
        "hub": _us(),
        "items": items or [],
    }


def _us() -> str:
    return str(Organisation.objects.filter(is_us=True).values_list("name", flat=True).first() or "Ticket Hub")


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "label": ticket.label,
        "title": ticket.title,
        "priority": ticket.priority,
        "kind": ticket.kind,
        "phase": str(ticket.phase),
        "status": ticket.status.name,
        "service": ticket.service.name if ticket.service else "",
        "holder": ticket.holder.name,
        "reason": ticket.hold_reason.replace("_", " "),
    }


def _leg(leg: Leg) -> dict[str, Any]:
    until = f"{leg.deadline_at:%Y-%m-%d %H:%M} UTC" if leg.deadline_at else ""
    return {
        "organisation": leg.organisation.name,
        "stage": str(leg.stage),
        "stage_name": str(leg.get_stage_display()),
        "brief": leg.brief,
        "reason": leg.reason,
        "answer_by": gettext("Please answer by %(time)s.") % {"time": until} if until else "",
    }
