"""Which tickets a list shows: conditions on their fields, as they are held in a URL.

``?holder=A,B&priority.not=P4`` are the tickets that A or B holds and whose priority is not P4. Conditions whose names
begin with the same number belong together, and a ticket needs to satisfy one of the numbered groups, besides the
conditions without a number: ``?holder=A&1.priority=P1&2.is=vip`` are the tickets that A holds and that are P1 or of a
VIP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

MOST_CONDITIONS = 30
"""More conditions than anybody writes are not read."""
MOST_VALUES = 100
MOST_GROUPS = 9
LONGEST_VALUE = 100
NONE = "none"
"""The value of a condition that the field is empty."""

_NAME = re.compile(r"(?:([1-9])\.)?([a-z_]{1,30})(\.not)?")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition: the field has one of these values, or none of them."""

    field: str
    values: tuple[str, ...]
    is_not: bool = False
    group: int = 0
    """0 if it always applies; conditions of the same other number are an alternative to those of the others."""

    @property
    def name(self) -> str:
        """The name of the parameter in a URL."""
        return f"{f'{self.group}.' if self.group else ''}{self.field}{'.not' if self.is_not else ''}"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of a list of tickets; every number on a page opens a list with one of them."""

    show: str = "open"
    """One of `hub.queries.tickets.SHOWS`."""
    conditions: tuple[Condition, ...] = ()

    def where(self, **values: str) -> Filters:
        """With more conditions, each with one value."""
        more = tuple(Condition(field=field, values=(value,)) for field, value in values.items())
        return replace(self, conditions=(*self.conditions, *more))

    def without(self, name: str) -> Filters:
        """Without the condition of this name."""
        return replace(self, conditions=tuple(each for each in self.conditions if each.name != name))

    def either(self, condition: Condition) -> Filters:
        """The tickets that match these filters, or the condition; `show` applies to both. Raises ValueError if full."""
        groups = [[*self.always, *group] for group in self.groups or [[]]]
        if len(groups) >= MOST_GROUPS:
            raise ValueError(f"There are {MOST_GROUPS} alternatives already.")
        alternatives = enumerate([*groups, [condition]], start=1)
        numbered = [replace(each, group=number) for number, group in alternatives for each in group]
        return replace(self, conditions=tuple(numbered))

    @property
    def may_have_another(self) -> bool:
        """Whether there is something to be an alternative to, and room for another one."""
        return bool(self.conditions) and max(1, len(self.groups)) < MOST_GROUPS

    @property
    def groups(self) -> list[list[Condition]]:
        """The alternatives; empty if there are none."""
        found: dict[int, list[Condition]] = {}
        for each in self.conditions:
            if each.group:
                found.setdefault(each.group, []).append(each)
        return list(found.values())

    @property
    def always(self) -> list[Condition]:
        return [each for each in self.conditions if not each.group]

    def parameters(self) -> list[tuple[str, str]]:
        """The parameters of a URL that stands for these filters."""
        return [("show", self.show), *((each.name, ",".join(each.values)) for each in self.conditions)]

    @property
    def query(self) -> str:
        """The query string of a URL that stands for these filters."""
        return urlencode(self.parameters(), safe=",")


def parsed(asked: Mapping[str, str], *, fields: Sequence[str], show: str) -> Filters:
    """The filters in the parameters of a URL. `show` applies if there is no such parameter.

    Names of no field are left out, as are values that are too long; a value that no longer exists is kept.
    """
    conditions = tuple(_conditions(asked, frozenset(fields)))[:MOST_CONDITIONS]
    return Filters(show=asked.get("show", show), conditions=conditions)


def _conditions(asked: Mapping[str, str], fields: frozenset[str]) -> Iterator[Condition]:
    for name, text in asked.items():
        found = _NAME.fullmatch(name)
        if found is None or found[2] not in fields:
            continue
        values = [value.strip() for value in text.replace("\x00", "").split(",")]
        kept = tuple(dict.fromkeys(value for value in values if 0 < len(value) <= LONGEST_VALUE))[:MOST_VALUES]
        if kept:
            yield Condition(field=found[2], values=kept, is_not=bool(found[3]), group=int(found[1] or 0))
