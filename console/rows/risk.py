"""*Fix this first* in words: why a ticket ranks where it does, and the arithmetic behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.durations import span
from hub.models import Ticket
from hub.queries.business_risk import MAJOR, VIP, Ranked, Stakes


@dataclass(frozen=True, kw_only=True)
class RiskRow:
    """One ticket, the sentence that explains its rank, and the factors of its risk."""

    ticket: Ticket
    why: str
    terms: list[tuple[str, str]]
    """What was multiplied: a figure, and what it stands for."""
    risk: str


def risk_rows(ranked: Iterable[Ranked]) -> list[RiskRow]:
    return [
        RiskRow(ticket=each.ticket, why=why(each.stakes), terms=terms(each.stakes), risk=_figure(each.stakes.risk))
        for each in ranked
    ]


def why(stakes: Stakes) -> str:
    """The sentence, such as: Payroll, tier 1, 4,000 EUR an hour, due in 9 m; 3 services depend on it."""
    first = [_service(stakes), _cost(stakes), _time(stakes)]
    more = []
    if stakes.dependents:
        count = stakes.dependents
        more.append(ngettext("%(n)s service depends on it", "%(n)s services depend on it", count) % {"n": count})
    if stakes.people > 1:
        more.append(_("%(n)s people affected") % {"n": stakes.people})
    if stakes.is_vip:
        more.append(_("VIP"))
    if stakes.is_major:
        more.append(_("major incident"))
    return "; ".join([", ".join(first), *more])


def terms(stakes: Stakes) -> list[tuple[str, str]]:
    """The factors that count, in their order."""
    found = [(_figure(stakes.hourly), _cost(stakes)), (f"{stakes.time_factor:.2f}", _time(stakes))]
    if stakes.people > 1:
        found.append((f"{stakes.people_factor:.1f}", _("%(n)s people affected") % {"n": stakes.people}))
    if stakes.is_vip:
        found.append((f"{VIP:.1f}", _("VIP")))
    if stakes.is_major:
        found.append((f"{MAJOR:.0f}", _("major incident")))
    return found


def _service(stakes: Stakes) -> str:
    if not stakes.service:
        return _("no service")
    own = {"service": stakes.service, "tier": stakes.own_tier, "affected": stakes.tier}
    if stakes.tier != stakes.own_tier:
        return _("%(service)s, tier %(tier)s, affects tier %(affected)s") % own
    return _("%(service)s, tier %(tier)s") % own


def _cost(stakes: Stakes) -> str:
    amount = f"{_figure(stakes.hourly)} {settings.CURRENCY}"
    if stakes.cost is not None:
        return _("%(amount)s an hour") % {"amount": amount}
    if stakes.other_currency:
        return _("cost in another currency, ranked by tier as if it were %(amount)s an hour") % {"amount": amount}
    return _("cost not known, ranked by tier as if it were %(amount)s an hour") % {"amount": amount}


def _time(stakes: Stakes) -> str:
    if stakes.left is None:
        return _("no service level running")
    if stakes.left <= 0:
        return _("late by %(time)s") % {"time": span(-stakes.left)}
    return _("due in %(time)s") % {"time": span(stakes.left)}


def _figure(amount: float) -> str:
    return number_format(round(amount) if amount >= 10 else round(amount, 1), use_l10n=True, force_grouping=True)
