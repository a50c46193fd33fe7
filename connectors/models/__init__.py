"""Nouns of the engine: connections and their mappings, links and what is under way on them."""

from .alert import AlertState, Storm
from .connection import Connection, FieldRule, Mapping, NoteRule, PackPlace, StatusRule, Turn, Usage, ValueRule
from .link import Attempt, AwaitedFile, Binding, Difference, HeardMail, Inbound, Lane, Link, Outbound
from .profile import Profile
from .trial import Trial
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
    "PackPlace",
    "Profile",
    "StatusRule",
    "Storm",
    "Trial",
    "Trouble",
    "Turn",
    "Usage",
    "ValueRule",
]
