"""Nouns of the engine: connections and their mappings, links and what is under way on them."""

from .alert import AlertState, AlertStorm
from .connection import CallSlot, Connection, FieldRule, Mapping, NoteRule, PackPlace, StatusRule, Usage, ValueRule
from .link import Attempt, AwaitedFile, Binding, Difference, HeardMail, Inbound, Lane, Link, Outbound
from .profile import Profile
from .trial import Trial
from .trouble import Trouble

__all__ = [
    "AlertState",
    "AlertStorm",
    "Attempt",
    "AwaitedFile",
    "Binding",
    "CallSlot",
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
    "Trial",
    "Trouble",
    "Usage",
    "ValueRule",
]
