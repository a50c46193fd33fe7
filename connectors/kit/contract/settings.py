"""What an admin enters for a connection, and the values of the vendor's system to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a connection."""

    name: str
    label: str
    """A sentence that can be translated, like `help` and the labels of `choices`."""
    help: str = ""
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    picklist: str = ""
    """The picklist from which its value is chosen, once we have access."""
    choices: tuple[tuple[str, str], ...] = ()
    """A fixed set of values, each with its label."""
    is_many: bool = False
    """Whether several values of the picklist may be chosen; the value then holds all of them, see `several`."""
    is_long: bool = False
    """Whether the value has several lines, such as a certificate."""
    is_rare: bool = False
    """Whether the default is usually right: the wizard hides the setting among the rarely used ones."""
    is_address: bool = False
    """Whether it says where credentials are sent: if it changes, they have to be entered again."""


def several(value: str) -> tuple[str, ...]:
    """The values of a setting that can have several.

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
    """The meaning according to the vendor's system, in its own words; used for suggestions only."""
    is_theirs: bool = False
    """For a status: only the vendor's system sets it, so it is never written."""
    place: str = ""
    """For a status, if each queue has its own statuses: the queue it belongs to. Empty: valid in every queue."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The result of `check`: our user in the vendor's system, and facts to show to a person."""

    own_user: str
    facts: Mapping[str, str] = field(default_factory=dict)
