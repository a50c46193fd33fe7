"""Nouns of how tickets move between organisations."""

from .door import Door
from .notice import Channel, Digest, Endpoint, Notice, NoticePreference, NoticeTemplate, Suppression
from .policy import Action, Escalation, Guard, PolicyRecord, Step, Transition, Trigger
from .running import EscalationRun, FailedAction, Pending, Triage
from .switch import SwitchItem, VendorSwitch

__all__ = [
    "Action",
    "Channel",
    "Digest",
    "Door",
    "Endpoint",
    "Escalation",
    "EscalationRun",
    "FailedAction",
    "Guard",
    "Notice",
    "NoticePreference",
    "NoticeTemplate",
    "Pending",
    "PolicyRecord",
    "Step",
    "Suppression",
    "SwitchItem",
    "Transition",
    "Triage",
    "Trigger",
    "VendorSwitch",
]
