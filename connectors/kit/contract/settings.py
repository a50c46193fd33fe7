"""What an admin enters for a connection, and what the vendor lets them choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One thing an admin has to enter for a connection."""

    name: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    picklist: str = ""
    """The picklist its value is chosen from, once we have access."""
    choices: tuple[tuple[str, str], ...] = ()
    """A fixed set of values, each with its label."""
    is_many: bool = False
    """Whether several values of the picklist may be chosen; the value then holds all of them, see `several`."""
    is_long: bool = False
    """Whether the value has several lines, such as a certificate."""
    is_rare: bool = False
    """Whether the default is usually right: the wizard folds the setting away."""
    is_address: bool = False
    """Whether it says where credentials are sent: when it changes, they have to be entered again."""


def several(value: str) -> tuple[str, ...]:
    """The values of a setting that holds more than one.

    >>> several("175, 180,,")
    ('175', '180')
    """
    return tuple(part.strip() for part in value.split(",") if part.strip())


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a picklist."""

    value: str
    label: str
    is_active: bool = True
    is_closed: bool = False
    """For a status: a ticket with this status is closed."""
    hint: str = ""
    """What the vendor's system says about its meaning, in its own words; used for suggestions only."""
    is_theirs: bool = False
    """For a status: only the vendor's system sets it, so we never write it."""
    place: str = ""
    """For a status, where each queue has its own: the queue it belongs to. Empty: valid in every queue."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What `check` found out: our user there, and facts worth showing to a person."""

    own_user: str
    facts: Mapping[str, str] = field(default_factory=dict)
