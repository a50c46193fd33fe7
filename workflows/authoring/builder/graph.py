"""Lays out a workflow as a graph: statuses by phase from left to right, transitions as arrows. The page draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from hub.models import Phase, State
from workflows.lifecycle.transitions import LAW, MOVES
from workflows.models import Trigger
from workflows.rules.compiled import CompiledTransition, Policy

WIDTH, HEIGHT = 150, 46
GAP_X, GAP_Y = 170, 44
MARGIN = 30
COLUMN = {
    Phase.NEW: 0,
    Phase.ACTIVE: 1,
    Phase.WAITING: 1,
    Phase.RESOLVED: 2,
    Phase.CLOSED: 3,
    Phase.CANCELLED: 0,
}
LONGEST = 18


@dataclass(frozen=True, kw_only=True)
class Law:
    """A standard transition, drawn if the version has none of its own."""

    name: str
    slug: str
    trigger: str = Trigger.PERSON


Named = CompiledTransition | Law


@dataclass(kw_only=True)
class Node:
    state: State
    x: float
    y: float
    count: int = 0
    is_here: bool = False

    @property
    def label(self) -> str:
        return _short(self.state.name)

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + WIDTH / 2, self.y + HEIGHT / 2


@dataclass(kw_only=True)
class Line:
    """One transition of an arrow, and whether it is possible on the chosen ticket."""

    name: str
    trigger: str
    why_not: str | None = None
    """None: no ticket is chosen. Empty: it is possible."""
    y: float = 0

    @property
    def css(self) -> str:
        known = "" if self.why_not is None else " is-open" if not self.why_not else " is-shut"
        return f"verb by-{self.trigger}{known}"

    @property
    def label(self) -> str:
        return _short(self.name)


@dataclass(kw_only=True)
class Arrow:
    path: str
    x: float
    y: float
    lines: list[Line] = field(default_factory=list)


@dataclass(kw_only=True)
class Graph:
    width: float
    height: float
    nodes: list[Node]
    arrows: list[Arrow]
    anywhere: list[Line]
    """Transitions without a change of status, or from every open status."""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def drawn(
    policy: Policy,
    *,
    counts: Mapping[int, int] | None = None,
    here: int | None = None,
    why_not: Mapping[str, str] | None = None,
) -> Graph:
    """The graph of a version.

    `counts`: tickets by the key of their status. `here`: the key of the chosen ticket's status. `why_not`: by slug,
    why a transition is not possible on the chosen ticket.
    """
    nodes = _nodes(policy, counts or {}, here)
    ways: dict[tuple[int, int], list[Named]] = {}
    anywhere: list[Line] = []
    for rule in policy.transitions:
        if rule.target is None or not rule.sources:
            anywhere.append(_line(rule, why_not))
            continue
        for source in sorted(rule.sources):
            if source in nodes and rule.target.pk in nodes:
                ways.setdefault((source, rule.target.pk), []).append(rule)
    if policy.is_plain:
        _law(policy, ways)
    boxes = list(nodes.values())
    arrows = [_arrow(nodes[a], nodes[b], rules, why_not, boxes, (b, a) in ways) for (a, b), rules in ways.items()]
    width = max((node.x for node in nodes.values()), default=0) + WIDTH + MARGIN
    height = max((node.y for node in nodes.values()), default=0) + HEIGHT + 2 * MARGIN
    low = max((arrow.y + 14 * len(arrow.lines) for arrow in arrows), default=0)
    return Graph(
        width=width, height=max(height, low + MARGIN), nodes=list(nodes.values()), arrows=arrows, anywhere=anywhere
    )


def _law(policy: Policy, ways: dict[tuple[int, int], list[Named]]) -> None:
    """Add the standard transitions, which lead from the first status of a phase to that of another."""
    begins = {state.phase: state.pk for state in policy.states.values() if state.is_default}
    for (before, after), verb in LAW.items():
        if before in begins and after in begins:
            name = str(MOVES[verb].label)
            law = Law(name=name, slug=_key(verb, begins[before]))
            ways.setdefault((begins[before], begins[after]), []).append(law)


def _key(verb: str, source: int) -> str:
    return f"{verb}@{source}"


def law_says(policy: Policy, phase: str, reasons: Mapping[str, str]) -> dict[str, str]:
    """Why each standard transition is not possible, by its slug in the graph; empty if it is possible.

    `reasons` has those of the transitions from the ticket's own `phase`; it cannot take those from another phase.
    """
    begins = {state.phase: state.pk for state in policy.states.values() if state.is_default}
    return {
        _key(verb, begins[before]): reasons.get(MOVES[verb].verb, "")
        if before == phase
        else _("The ticket is not in this status.")
        for (before, _after), verb in LAW.items()
        if before in begins
    }


def _nodes(policy: Policy, counts: Mapping[int, int], here: int | None) -> dict[int, Node]:
    """Left to right: new, active, resolved, closed; waiting below active, with space between; cancelled below new."""
    by_phase: dict[str, list[State]] = {phase: [] for phase in COLUMN}
    for state in sorted(policy.states.values(), key=lambda state: (state.position, state.pk)):
        by_phase[state.phase].append(state)
    middle = float(max(len(by_phase[Phase.ACTIVE]), 1))
    rows: dict[str, float] = {phase: middle - (len(states) - 1) / 2 for phase, states in by_phase.items()} | {
        Phase.ACTIVE: 0,
        Phase.WAITING: middle + 1,
    }
    rows[Phase.CANCELLED] = middle + max(len(by_phase[Phase.WAITING]), (len(by_phase[Phase.NEW]) + 1) / 2) + 0.75
    found = {}
    for phase, states in by_phase.items():
        for number, state in enumerate(states):
            found[state.pk] = Node(
                state=state,
                x=MARGIN + COLUMN[Phase(phase)] * (WIDTH + GAP_X),
                y=MARGIN + (rows[phase] + number) * (HEIGHT + GAP_Y),
                count=counts.get(state.pk, 0),
                is_here=state.pk == here,
            )
    return found


def _line(rule: Named, why_not: Mapping[str, str] | None) -> Line:
    return Line(
        name=rule.name,
        trigger=rule.trigger or Trigger.PERSON,
        why_not=None if why_not is None else why_not.get(rule.slug),
    )


def _arrow(
    a: Node, b: Node, rules: list[Named], why_not: Mapping[str, str] | None, nodes: list[Node], is_both: bool
) -> Arrow:
    """A curve from one edge to another; `is_both`: there is an arrow in the other direction, so it bends more."""
    (ax, ay), (bx, by) = a.middle, b.middle
    length = math.hypot(bx - ax, by - ay) or 1
    nx, ny = (by - ay) / length, -(bx - ax) / length
    others = [node for node in nodes if node is not a and node is not b]
    # The smallest bend, to either side, that does not cross another status.
    for bend in (34 if is_both else 14 + length / 14, length / 5, -length / 5, length / 3, -length / 3, 14.0):
        cx, cy = (ax + bx) / 2 + nx * bend, (ay + by) / 2 + ny * bend
        if not any(_passes(ax, ay, cx, cy, bx, by, node) for node in others):
            break
    sx, sy = _edge(ax, ay, cx, cy)
    ex, ey = _edge(bx, by, cx, cy)
    # Labels are nearer to the start, so that those of opposite arrows do not overlap.
    lx, ly = 0.36 * sx + 0.48 * cx + 0.16 * ex, 0.36 * sy + 0.48 * cy + 0.16 * ey
    lines = [_line(rule, why_not) for rule in rules]
    for number, line in enumerate(lines):
        line.y = ly + 13 * (number - (len(lines) - 1) / 2)
    return Arrow(path=f"M{sx:.0f},{sy:.0f} Q{cx:.0f},{cy:.0f} {ex:.0f},{ey:.0f}", x=lx, y=ly, lines=lines)


def _passes(ax: float, ay: float, cx: float, cy: float, bx: float, by: float, node: Node) -> bool:
    """Whether the quadratic curve from a to b with the control point c crosses a status."""
    for step in range(1, 20):
        t = step / 20
        x = (1 - t) ** 2 * ax + 2 * (1 - t) * t * cx + t**2 * bx
        y = (1 - t) ** 2 * ay + 2 * (1 - t) * t * cy + t**2 * by
        if node.x - 4 < x < node.x + WIDTH + 4 and node.y - 4 < y < node.y + HEIGHT + 4:
            return True
    return False


def _edge(x: float, y: float, tx: float, ty: float) -> tuple[float, float]:
    """Where the line from the middle of a box to a point leaves the box."""
    dx, dy = tx - x, ty - y
    if not dx and not dy:
        return x, y
    scale = min(
        (WIDTH / 2 + 2) / abs(dx) if dx else math.inf,
        (HEIGHT / 2 + 2) / abs(dy) if dy else math.inf,
    )
    return x + dx * scale, y + dy * scale
