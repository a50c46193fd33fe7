"""The fields by which a list of tickets can be filtered, and what each condition asks of the database.

Readers who do not see everything may use only fields that say nothing about others (`Field.is_for_all`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from hub.models import (
    ENGAGED_STAGES,
    OPEN,
    Asset,
    Clock,
    Leg,
    Organisation,
    Person,
    Phase,
    Priority,
    Service,
    Site,
    Stage,
    State,
    Team,
    Ticket,
    User,
)
from hub.queries.clock_states import late_clocks, soon_clocks
from hub.queries.filters import NONE, Condition, Filters

ME = "me"
"""The value that stands for whoever looks."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """For whom and when a list is made."""

    user_id: int
    at: datetime
    known: Collection[int] | None = None
    """Keys of the organisations this reader may know; None for all."""


Match = Callable[[Sequence[str], Reader], Q]
Labels = Callable[[Collection[str], Reader], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of the filter."""

    slug: str
    label: Promise | str
    match: Match
    """The tickets that have one of the values; a value that does not exist matches none."""
    labels: Labels
    """The names of values that exist, as far as the reader may know them."""
    path: str = ""
    """Where the value is, seen from the ticket, for counts beside the choices; empty if it is no single column."""
    choices: Sequence[tuple[str, Promise | str]] = ()
    """All values, if they are few and always the same."""
    empty: Promise | str = ""
    """What an empty field is called; without one, the field is never empty."""
    is_time: bool = False
    is_for_all: bool = False


def _given(choices: Sequence[tuple[str, Promise | str]]) -> Labels:
    return lambda values, _reader: {value: str(label) for value, label in choices if value in values}


def _column(slug: str, label: Promise | str, path: str, choices: Sequence[tuple[Any, Any]], **more: Any) -> Field:
    """A field with few values of its own."""
    texts = [(str(value), text) for value, text in choices]
    known = {value for value, _text in texts}
    return Field(
        slug=slug,
        label=label,
        path=path,
        choices=texts,
        labels=_given(texts),
        match=lambda values, _reader: Q(**{f"{path}__in": [value for value in values if value in known]}),
        **more,
    )


def _relation(slug: str, label: Promise | str, path: str, model: type[Model], **more: Any) -> Field:
    """A field that names a row of another table by its public id."""

    def labels(values: Collection[str], reader: Reader) -> Mapping[str, str]:
        rows: QuerySet[Any] = model._default_manager.filter(public_id__in=[value for value in values if value != NONE])
        if model is Organisation and reader.known is not None:
            rows = rows.filter(pk__in=reader.known)
        return {row.public_id: str(row) for row in rows}

    def match(values: Sequence[str], reader: Reader) -> Q:
        wanted = Q(**{f"{path}__public_id__in": [value for value in values if value not in (NONE, ME)]})
        if model is Organisation and reader.known is not None:
            wanted &= Q(**{f"{path}__in": list(reader.known)})
        if NONE in values:
            wanted |= Q(**{f"{path}__isnull": True})
        if ME in values and model is User:
            wanted |= Q(**{path: reader.user_id})
        return wanted

    return Field(slug=slug, label=label, path=path, match=match, labels=labels, **more)


def _engaged(values: Sequence[str], reader: Reader) -> Q:
    legs = Leg.objects.filter(ticket=OuterRef("pk"), stage__in=ENGAGED_STAGES)
    found = Q(Exists(legs.filter(organisation__public_id__in=values)))
    return found | Q(~Exists(legs)) if NONE in values else found


def _breached_by(values: Sequence[str], reader: Reader) -> Q:
    late = late_clocks(at=reader.at, of=reader.known).filter(party__public_id__in=values)
    return Q(pk__in=late.values("ticket"), phase__in=OPEN)


CLOCKS = (
    ("breached", _("breached")),
    ("soon", _("at risk")),
    ("running", _("running")),
    ("paused", _("paused")),
    (NONE, _("without a clock")),
)


def _clocks(values: Sequence[str], reader: Reader) -> Q:
    current = Clock.objects.filter(ticket=OuterRef("pk"), is_current=True)
    by_value = {
        "breached": Q(pk__in=late_clocks(at=reader.at, of=reader.known).values("ticket")),
        "soon": Q(pk__in=soon_clocks(at=reader.at, of=reader.known).values("ticket")),
        "running": Q(Exists(current.filter(state=Clock.State.ACTIVE))),
        "paused": Q(Exists(current.filter(state=Clock.State.PAUSED))),
        NONE: Q(~Exists(current)),
    }
    found = Q(pk__in=[])
    for value in values:
        found |= by_value[value] if value in by_value else Q(pk__in=[])
    return found


IS = (
    ("major", _("a major incident")),
    ("vip", _("of a VIP")),
    ("undelivered", _("handed over, not delivered yet")),
    ("unanswered", _("handed over, not answered yet")),
    ("triage", _("in joint triage")),
    ("returned", _("returned at least once")),
    ("merged", _("merged into another ticket")),
    ("imported", _("imported")),
)


def _is(values: Sequence[str], _reader: Reader) -> Q:
    offers = Leg.objects.filter(stage=Stage.OFFERED).values("ticket")
    by_value = {
        "undelivered": Q(pk__in=offers.filter(delivered_at=None), phase__in=OPEN),
        "unanswered": Q(pk__in=offers.exclude(delivered_at=None), phase__in=OPEN),
        "triage": Q(hold_reason="contested", phase__in=OPEN),
        "major": Q(is_major=True),
        "vip": Q(requester__is_vip=True),
        "returned": Q(bounces__gt=0),
        "merged": Q(merged_into__isnull=False),
        "imported": Q(imported_from__isnull=False),
    }
    found = Q(pk__in=[])
    for value in values:
        found |= by_value.get(value, Q(pk__in=[]))
    return found


_SPAN = re.compile(r"([0-9]{1,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_RANGE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})?\.\.([0-9]{4}-[0-9]{2}-[0-9]{2})?")
TIMES = (
    ("24h", _("in the last 24 hours")),
    ("7d", _("in the last 7 days")),
    ("30d", _("in the last 30 days")),
    ("365d", _("in the last year")),
)


def between(value: str, at: datetime) -> tuple[datetime | None, datetime | None] | None:
    """From when until before when; None for what is neither a span such as ``7d`` nor a range of days in UTC.

    >>> at = datetime(2026, 3, 10, 12, tzinfo=UTC)
    >>> [None if each is None else f"{each:%m-%d}" for each in between("2026-03-01..2026-03-04", at)]
    ['03-01', '03-05']
    >>> between("yesterday", at)
    """
    span = _SPAN.fullmatch(value)
    if span is not None:
        return at - int(span[1]) * _UNITS[span[2]], None
    found = _RANGE.fullmatch(value)
    if found is None or not (found[1] or found[2]):
        return None
    try:
        first, last = (date.fromisoformat(each) if each else None for each in found.groups())
        end = last + timedelta(days=1) if last is not None else None
    except (ValueError, OverflowError):
        return None
    return _midnight(first), _midnight(end)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _time(slug: str, label: Promise | str, path: str, **more: Any) -> Field:
    """A field with a time."""

    def match(values: Sequence[str], reader: Reader) -> Q:
        found = Q(pk__in=[])
        for value in values:
            if value == NONE:
                found |= Q(**{f"{path}__isnull": True})
            elif (limits := between(value, reader.at)) is not None:
                first, end = limits
                here = Q(**{f"{path}__gte": first}) if first is not None else Q()
                found |= here & Q(**{f"{path}__lt": end}) if end is not None else here
        return found

    def labels(values: Collection[str], _reader: Reader) -> Mapping[str, str]:
        known = {value: str(text) for value, text in TIMES}
        at = datetime(2026, 1, 1, tzinfo=UTC)
        readable = {value: value.replace("..", " – ") for value in values if between(value, at) is not None}
        return {value: known.get(value, text) for value, text in readable.items()}

    return Field(slug=slug, label=label, match=match, labels=labels, choices=TIMES, is_time=True, **more)


_nobody, _nothing = _("nobody"), _("none")

FIELDS: dict[str, Field] = {
    field.slug: field
    for field in (
        _relation("holder", _("Holder"), "holder", Organisation, is_for_all=True),
        Field(
            slug="engaged",
            label=_("Engaged"),
            match=_engaged,
            labels=_relation("", "", "holder", Organisation).labels,
            empty=_("no organisation"),
        ),
        Field(
            slug="party",
            label=_("Breached clock of"),
            match=_breached_by,
            labels=_relation("", "", "holder", Organisation).labels,
            is_for_all=True,
        ),
        _column("priority", _("Priority"), "priority", [(each, each) for each in Priority.values], is_for_all=True),
        _column("phase", _("Phase"), "phase", Phase.choices, is_for_all=True),
        Field(
            slug="status",
            label=_("Status"),
            path="status__slug",
            match=lambda values, _reader: Q(status__slug__in=values),
            labels=lambda values, _reader: dict(State.objects.filter(slug__in=values).values_list("slug", "name")),
        ),
        _column("kind", _("Kind"), "kind", Ticket.Kind.choices, is_for_all=True),
        Field(slug="clock", label=_("Clock"), match=_clocks, labels=_given(CLOCKS), choices=CLOCKS),
        _relation("service", _("Service"), "service", Service, empty=_nothing, is_for_all=True),
        _column("tier", _("Tier of the service"), "service__tier", Service.Tier.choices),
        _relation("team", _("Team"), "team", Team, empty=_nothing),
        _relation("assignee", _("Assignee"), "assignee", User, empty=_nobody),
        _relation("requester", _("Requester"), "requester", Person, empty=_nobody),
        _relation("customer", _("Requester's organisation"), "requester__organisation", Organisation),
        _relation("site", pgettext_lazy("place", "Site"), "site", Site, empty=_nothing),
        _relation("asset", _("Asset"), "asset", Asset, empty=_nothing),
        Field(slug="is", label=_("Is"), match=_is, labels=_given(IS), choices=IS),
        _time("opened", _("Opened"), "opened_at", is_for_all=True),
        _time("changed", _("Last changed"), "changed_at", is_for_all=True),
        _time("resolved", _("Resolved"), "resolved_at", empty=_("not resolved"), is_for_all=True),
        _time("held", _("With its holder since"), "held_since"),
    )
}
"""In the order in which they are offered."""


def register(field: Field) -> None:
    """Add a field of an upper package; called once, when its app is ready."""
    FIELDS[field.slug] = field


def allowed(reader: Reader) -> dict[str, Field]:
    """The fields this reader may filter by."""
    return {slug: field for slug, field in FIELDS.items() if reader.known is None or field.is_for_all}


def matching(filters: Filters, reader: Reader) -> Q:
    """What all conditions together ask of a ticket."""
    fields = allowed(reader)
    found = Q()
    for condition in filters.always:
        found &= _asked(condition, fields, reader)
    either = Q()
    for group in filters.groups:
        together = Q()
        for condition in group:
            together &= _asked(condition, fields, reader)
        either |= together
    return found & either


def _asked(condition: Condition, fields: Mapping[str, Field], reader: Reader) -> Q:
    field = fields.get(condition.field)
    if field is None:
        return Q(pk__in=[])
    asked = field.match(condition.values, reader)
    if not condition.is_not:
        return asked
    # A ticket without a value does not have this value; SQL's NOT would leave it out.
    return Q(~Exists(Ticket.objects.filter(asked, pk=OuterRef("pk"))))
