"""The clocks and the ledger of a ticket as one drawing: a lane for the ledger and one for each clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hub.models import Clock, LedgerSegment, Organisation, Span
from hub.queries.calendars import calendar_of
from hub.queries.tickets import Badge

WIDTH = 900
"""Of the drawing, in its own units; the browser scales it."""
LABELS = 212
"""The part of the width that the names of the lanes take."""
LANE = 26
HEAD = 20
MOST_STEPS = 7
STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (5, 10, 30, 60, 180, 360, 720, 1440, 2880, 10080, 20160, 43200, 129600)
)
COLOURS = 12


def colour_of(organisation: Organisation | None) -> str:
    """The CSS class of an organisation's colour, the same on every page."""
    return f"n{organisation.pk % COLOURS}" if organisation is not None else ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle in a lane; `css` says what it means, `title` tells it in words."""

    x: float
    width: float
    css: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    label: str
    who: str
    y: int
    bars: list[Bar]
    marks: list[Bar]
    clock: Clock | None = None

    @property
    def text_y(self) -> int:
        return self.y + 15


@dataclass(frozen=True, kw_only=True)
class Chart:
    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    now_x: float | None
    """Where now is; None if the ticket has ended."""
    height: int
    width: int = WIDTH
    labels: int = LABELS
    has_pauses: bool = False
    has_closed_hours: bool = False


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, max(end, start + timedelta(minutes=1))

    @property
    def per_second(self) -> float:
        """The width of a second."""
        return (WIDTH - LABELS - 8) / (self.end - self.start).total_seconds()

    def x(self, at: datetime) -> float:
        share = (min(max(at, self.start), self.end) - self.start) / (self.end - self.start)
        return round(LABELS + share * (WIDTH - LABELS - 8), 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Round local times, at most MOST_STEPS; whole days carry the date, others the time."""
        whole = self.end - self.start
        step = next((each for each in STEPS if whole / each <= MOST_STEPS), whole / MOST_STEPS)
        zone = timezone.get_current_timezone()
        midnight = timezone.localtime(self.start).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        local = midnight
        while True:
            local += step
            at = timezone.make_aware(local, zone)
            if at >= self.end:
                return
            if at > self.start:
                is_midnight = local.time() == time.min
                yield (
                    self.x(at),
                    date_format(local, "M Y" if step.days >= 30 else "SHORT_DAY_FORMAT" if is_midnight else "H:i"),
                )


def chart(segments: Sequence[LedgerSegment], badges: Sequence[Badge], *, is_open: bool, at: datetime) -> Chart | None:
    """The drawing from the ticket's opening to now, or to the last due time of a running clock if that is not far away.

    One query, for the periods of the clocks.
    """
    counting = [each for each in segments if each.until_at or each.charge != LedgerSegment.Charge.NOBODY]
    if not counting:
        return None
    end = at if is_open else max(each.until_at or each.from_at for each in counting)
    axis = _Axis(counting[0].from_at, _end(counting[0].from_at, end, badges, is_open=is_open))
    spans: dict[int, list[Span]] = {badge.clock.pk: [] for badge in badges}
    for span in Span.objects.filter(clock__in=list(spans)).order_by("from_at", "pk"):
        spans[span.clock_id].append(span)
    lanes = [_ledger(counting, axis, end)]
    for badge in badges:
        lanes.append(_clock(badge, spans[badge.clock.pk], axis, end, y=HEAD + len(lanes) * LANE))
    kinds = {bar.css.split()[0] for lane in lanes for bar in lane.bars}
    return Chart(
        lanes=lanes,
        ticks=list(axis.ticks()),
        now_x=axis.x(at) if is_open else None,
        height=HEAD + len(lanes) * LANE + 4,
        has_pauses="is-paused" in kinds,
        has_closed_hours="is-closed" in kinds,
    )


def _end(start: datetime, end: datetime, badges: Iterable[Badge], *, is_open: bool) -> datetime:
    """Where the drawing ends: it shows due times, unless what has happened would shrink below half of the width."""
    due = [badge.due_at for badge in badges if badge.due_at is not None and badge.state in ("running", "soon")]
    if not is_open or not due:
        return end
    farthest = end + max(end - start, timedelta(hours=1))
    return max(end, *(each + (farthest - start) * 0.02 for each in due if each <= farthest), end)


def _ledger(segments: Sequence[LedgerSegment], axis: _Axis, end: datetime) -> Lane:
    bars = []
    for segment in segments:
        name = segment.charged_to.name if segment.charged_to else segment.get_charge_display()
        css = colour_of(segment.charged_to) or f"charge-{segment.charge}"
        bars.append(_bar(axis, segment.from_at, segment.until_at or end, f"is-counted {css}", name))
    return Lane(label=_("Ledger"), who="", y=HEAD, bars=_joined(bars), marks=[])


def _joined(bars: Iterable[Bar]) -> list[Bar]:
    """The bars without those too narrow to be seen; neighbours that mean the same become one."""
    found: list[Bar] = []
    for bar in bars:
        last = found[-1] if found else None
        if last and last.css == bar.css:
            found[-1] = replace(last, width=round(bar.x + bar.width - last.x, 1))
        elif bar.width >= 0.2:
            found.append(bar)
    return found


def _clock(badge: Badge, spans: Sequence[Span], axis: _Axis, end: datetime, *, y: int) -> Lane:
    clock, bars = badge.clock, []
    for span in spans:
        until = span.until_at or max(end, span.from_at)
        css = {"active": f"is-counted {colour_of(clock.party)}", "paused": f"is-paused {colour_of(clock.party)}"}
        bars.append(_bar(axis, span.from_at, until, css.get(span.state, "is-idle"), span_words(span.state)))
        if span.state in css:
            bars += _closed(axis, clock, span.from_at, until)
    return Lane(
        label=str(clock.get_target_display()),
        who=clock.party.name,
        y=y,
        bars=bars,
        marks=list(_marks(badge, axis)),
        clock=clock,
    )


def span_words(state: str) -> str:
    """What a clock does in this state."""
    return {"active": _("counted"), "paused": _("paused"), "stopped": _("stopped")}.get(
        state, _("not with this organisation")
    )


def _closed(axis: _Axis, clock: Clock, start: datetime, end: datetime) -> Iterator[Bar]:
    """The closed hours of a period, as far as they are wide enough to be seen."""
    low, high = int(start.timestamp()), int(end.timestamp())
    edges = [low, *(edge for pair in calendar_of(clock.hours).openings(low, high) for edge in pair), high]
    for closes, opens in zip(edges[::2], edges[1::2], strict=True):
        if (opens - closes) * axis.per_second >= 1:
            yield _bar(axis, _when(closes), _when(opens), "is-closed", _("outside service hours"))


def _marks(badge: Badge, axis: _Axis) -> Iterator[Bar]:
    clock = badge.clock
    if clock.is_breached and clock.breach_at is not None:
        yield _mark(axis, clock.breach_at, "is-breach", _("breached"))
    elif badge.due_at is not None and badge.due_at <= axis.end:
        yield _mark(axis, badge.due_at, "is-due", _("due"))


def _mark(axis: _Axis, at: datetime, css: str, what: str) -> Bar:
    return Bar(x=axis.x(at), width=0, css=css, title=f"{what} {_moment(at)}")


def _bar(axis: _Axis, start: datetime, end: datetime, css: str, what: str) -> Bar:
    x = axis.x(start)
    return Bar(x=x, width=round(axis.x(end) - x, 1), css=css, title=f"{what}: {_moment(start)} – {_moment(end)}")


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATED_MOMENT_FORMAT")


def _when(at: int) -> datetime:
    return datetime.fromtimestamp(at, timezone.get_current_timezone())
