"""Nouns of the engine: connections and their mappings, links and what is under way on them."""

from .alert import AlertState, Storm
from .connection import Connection, FieldRule, Mapping, NoteRule, StatusRule, Turn, Usage, ValueRule
from .link import Attempt, AwaitedFile, Binding, Difference, HeardMail, Inbound, Lane, Link, Outbound
from .profile import Profile
from .trouble import Trouble

__all__ = [
    "AlertState",
    "Attempt",
    "AwaitedFile",
    "Binding",
    "Connection",
    "Difference",
    "FieldRule",
    "HeardMail",
    "Inbound",
    "Lane",
    "Link",
    "Mapping",
    "NoteRule",
    "Outbound",
    "Profile",
    "StatusRule",
    "Storm",
    "Trouble",
    "Turn",
    "Usage",
    "ValueRule",
]
