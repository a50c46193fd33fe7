"""Nouns of the engine: connections and their mappings, links and what is under way on them."""

from .alert import AlertState, Storm
from .connection import Connection, FieldRule, Mapping, NoteRule, StatusRule, Turn, Usage, ValueRule
from .link import Attempt, Binding, Difference, Inbound, Lane, Link, Outbound
from .profile import Profile

__all__ = [
    "AlertState",
    "Attempt",
    "Binding",
    "Connection",
    "Difference",
    "FieldRule",
    "Inbound",
    "Lane",
    "Link",
    "Mapping",
    "NoteRule",
    "Outbound",
    "Profile",
    "StatusRule",
    "Storm",
    "Turn",
    "Usage",
    "ValueRule",
]
