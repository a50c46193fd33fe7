"""Models of synchronisation: connections and their mappings, links, the inbox and the outbox."""

from .alert import AlertState, AlertStorm
from .connection import CallSlot, Connection, Usage
from .inbound import AwaitedFile, Inbound
from .link import Binding, Difference, HeardMail, Lane, Link
from .mapping import FieldRule, Mapping, NoteRule, PackPlace, StatusRule, ValueRule
from .outbound import Attempt, Outbound
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
