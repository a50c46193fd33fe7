"""Draw the house from its imports: `make house` writes docs/images/house-light.svg and house-dark.svg.

A room is a package (or a module that stands alone) of an app; a floor is a row of rooms that import only what lies
below them. Ends with status 1 where an import goes up or rooms form a cycle, and names it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

IMAGES = Path(__file__).parent / "images"
APPS = ("console", "api", "worker", "connectors", "workflows", "hub")
ENGINE = ("inbound", "outbound", "mapping", "operations")
SMALL = ("apps", "urls", "asgi", "wsgi", "migrations", "management", "templatetags", "celery", "settings")
"""Composition: they name others as Django wants it, and are no rooms."""
WIDTH, BOX, ROW, LEFT, GAP = 1180, 34, 62, 130, 10
COLOURS = {
    "light": {"paper": "#ffffff", "ink": "#1f2937", "box": "#eef4f7", "edge": "#417690", "line": "#41769055"},
    "dark": {"paper": "#15191f", "ink": "#e5e7eb", "box": "#22303a", "edge": "#79aec8", "line": "#79aec855"},
}
Rooms = Mapping[str, set[str]]


def room_of(module: str) -> str:
    """The room a module stands in; empty for composition.

    >>> room_of("connectors.engine.inbound.inbox"), room_of("workflows.rules.guards"), room_of("hub.urls")
    ('connectors.engine.inbound', 'workflows.rules', '')
    """
    app, *rest = module.split(".")
    if not rest:
        return ""
    if rest[0] in SMALL:
        return ""
    if app == "connectors" and rest[0] == "engine" and len(rest) > 1 and rest[1] in ENGINE:
        return ".".join([app, *rest[:2]])
    return app if app in ("api", "worker") else f"{app}.{rest[0]}"


def rooms() -> dict[str, set[str]]:
    """Every room, and the rooms it imports."""
    sys.path.insert(0, str(IMAGES.parents[1]))
    graph = grimp.build_graph(*APPS)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        if room := room_of(module):
            named = {room_of(each) for each in graph.find_modules_directly_imported_by(module)}
            found.setdefault(room, set()).update(named - {"", room})
    return found


def wrong(found: Rooms) -> list[str]:
    """Cycles of rooms, and imports of a room in an upper app, in words."""
    order = {app: number for number, app in enumerate(reversed(APPS[2:]))} | dict.fromkeys(APPS[:2], 9)
    up = [
        f"{room} imports {other}, which lies above it"
        for room, others in found.items()
        for other in others
        if order[other.partition(".")[0]] > order[room.partition(".")[0]]
    ]
    return [*sorted(up), *(f"a cycle: {' -> '.join(circle)}" for circle in circles(found))]


def circles(found: Rooms) -> Iterable[list[str]]:
    """One way around for each room that imports itself by way of others."""
    done: set[str] = set()

    def follow(room: str, way: list[str]) -> list[str]:
        if room in way:
            return [*way[way.index(room) :], room]
        if room in done:
            return []
        for other in sorted(found.get(room, ())):
            if around := follow(other, [*way, room]):
                return around
        done.add(room)
        return []

    for room in sorted(found):
        if around := follow(room, []):
            yield around
            return


def floors(found: Rooms, app: str) -> list[list[str]]:
    """The rooms of an app in rows, the top one first; needs rooms without cycles."""
    own = sorted(room for room in found if room.partition(".")[0] == app)
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max((height(other) for other in found[room] if other in own), default=-1)
        return heights[room]

    rows = [[room for room in own if height(room) == level] for level in range(max(map(height, own)) + 1)]
    return rows[::-1]


def drawing(found: Rooms, colours: Mapping[str, str]) -> str:
    boxes: dict[str, tuple[float, float, float]] = {}
    labels, y = [], 20.0
    for app in APPS:
        labels.append((app, y + BOX / 2))
        for row in floors(found, app):
            width = (WIDTH - LEFT - GAP * (len(row) + 1)) / max(len(row), 4)
            start = LEFT + (WIDTH - LEFT - len(row) * (width + GAP)) / 2
            for number, room in enumerate(row):
                boxes[room] = (start + number * (width + GAP), y, width)
            y += ROW
        y += 14
    lines = [
        f'<path d="M{x + w / 2:.0f} {top + BOX:.0f} L{_middle(boxes[other]):.0f} {boxes[other][1]:.0f}"/>'
        for room, (x, top, w) in boxes.items()
        for other in sorted(found[room])
        if other in boxes and other.partition(".")[0] == room.partition(".")[0]
    ]
    drawn = [
        f'<rect x="{x:.0f}" y="{top:.0f}" width="{w:.0f}" height="{BOX}" rx="5"/>'
        f'<text x="{x + w / 2:.0f}" y="{top + 21:.0f}" text-anchor="middle">{escape(_short(room))}</text>'
        for room, (x, top, w) in boxes.items()
    ]
    named = [f'<text x="14" y="{at + 5:.0f}" font-weight="bold">{escape(app)}/</text>' for app, at in labels]
    c = colours
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif" '
        f'font-size="12" fill="{c["ink"]}">'
        "<title>The packages of Ticket Hub: each imports only what lies below it</title>"
        f'<rect width="{WIDTH}" height="{y:.0f}" fill="{c["paper"]}"/><g stroke="{c["line"]}" fill="none">'
        f"{''.join(lines)}</g><g>{''.join(drawn)}</g>{''.join(named)}</svg>\n"
    ).replace("<rect x=", f'<rect fill="{c["box"]}" stroke="{c["edge"]}" x=')


def _middle(box: tuple[float, float, float]) -> float:
    return box[0] + box[2] / 2


def _short(room: str) -> str:
    return room.partition(".")[2] or room


def main() -> int:
    found = rooms()
    faults = wrong(found)
    if faults:
        print("\n".join(faults))
        return 1
    for theme, colours in COLOURS.items():
        (IMAGES / f"house-{theme}.svg").write_text(drawing(found, colours))
    arrows = sum(len(others) for others in found.values())
    print(f"{len(found)} packages, {arrows} arrows, none upward, no cycle: docs/images/house-light.svg, house-dark.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
