"""What will breach within ten minutes unless somebody acts, and which action would help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.queries.tickets import Badge

AHEAD = timedelta(minutes=10)

HELP: Mapping[str, Promise | str] = {
    "to_assign": _("Take it, or hand it over."),
    "to_accept": _("Not accepted yet: call them, or hand it over to somebody else."),
    "waiting_us": _("They are waiting for us: answer them."),
    "waiting_unasked": _("They are waiting for the requester, who has not been asked: ask."),
    "awaited": _("Another organisation is waiting for them: ask for an update."),
    "to_verify": _("Verify the work, then resolve it."),
    "transport": _("It has not reached their system yet: look at the synchronisation."),
    "to_send": _("Nothing yet: it is about to be sent."),
    "contested": _("Decide the joint triage."),
}
"""By the reason why the holder has to act (`Ticket.hold_reason`)."""
ASK = _("Ask for an update.")
OURS = _("Resolve it, or ask the requester if something is missing.")


@dataclass(frozen=True, kw_only=True)
class SoonRow:
    """A clock that breaches soon."""

    badge: Badge
    help: Promise | str


def next_minutes(badges: Iterable[Badge], *, at: datetime) -> list[SoonRow]:
    """Those of the running clocks that breach within AHEAD, in their order."""
    return [
        SoonRow(badge=badge, help=_help(badge))
        for badge in badges
        if badge.clock.breach_at is not None and badge.clock.breach_at <= at + AHEAD
    ]


def _help(badge: Badge) -> Promise | str:
    ticket = badge.clock.ticket
    return HELP.get(ticket.hold_reason) or (OURS if ticket.holder.is_us else ASK)
