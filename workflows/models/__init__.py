"""Models of workflows, notices, guest links, escalations, joint triage, bulk actions and vendor changes."""

from .bulk import BulkAction, BulkItem
from .guest_link import GuestLink
from .notice import Channel, Digest, Endpoint, Notice, NoticePreference, NoticeTemplate, Suppression
from .policy import Action, Escalation, Guard, PolicyRecord, Step, Transition, Trigger
from .running import EscalationRun, FailedAction, Pending, Triage
from .switch import SwitchItem, VendorSwitch
from .teamwork import Follow, Presence, ReplyTemplate, Task

__all__ = [
    "Action",
    "BulkAction",
    "BulkItem",
    "Channel",
    "Digest",
    "Endpoint",
    "Escalation",
    "EscalationRun",
    "FailedAction",
    "Follow",
    "Guard",
    "GuestLink",
    "Notice",
    "NoticePreference",
    "NoticeTemplate",
    "Pending",
    "PolicyRecord",
    "Presence",
    "ReplyTemplate",
    "Step",
    "Suppression",
    "SwitchItem",
    "Task",
    "Transition",
    "Triage",
    "Trigger",
    "VendorSwitch",
]
