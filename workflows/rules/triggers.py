"""What can trigger a rule, each with its typed parameters."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _lazy

from hub.models import Contract, EventKind, Target
from workflows.models import Trigger
from workflows.rules import parameters
from workflows.rules.parameters import Param
from workflows.rules.registry import Kind

DID = (
    ("accepted", _lazy("accepts")),
    ("started", _lazy("starts work")),
    ("waiting", _lazy("waits")),
    ("resumed", _lazy("resumes work")),
    ("done", _lazy("finishes")),
    ("reopened", _lazy("reopens its engagement")),
    ("declined", _lazy("declines")),
    ("returned", _lazy("returns the ticket")),
    ("expired", _lazy("does not answer in time")),
)
"""What a vendor can do with its engagement."""
HOURS = (("ours", _lazy("our working hours")), ("always", _lazy("around the clock")))
WHO = (("anybody", _lazy("anybody")), ("us", _lazy("us")), ("vendor", _lazy("a vendor")))
SPEAKING = tuple((str(kind.value), kind.label) for kind in EventKind if not kind.value.startswith(("history", "rule")))
"""The kinds of events that can trigger a rule."""
SUBJECTS = (
    (_lazy("the ticket"), ("ticket.", "priority.")),
    (_lazy("engagements"), ("leg.", "completion.")),
    (_lazy("messages and files"), ("message.", "attachment.")),
    (_lazy("guest links and alerts"), ("door.", "alert.")),
    (_lazy("escalation and joint triage"), ("escalation.", "triage.", "return.")),
)
"""Headings for these kinds, each with the prefixes of the kinds below it."""
_MINUTES = Param(name="minutes", label=_lazy("minutes"), kind=parameters.Number, most=525_600)
_HOURS = Param(name="hours", label=_lazy("hours counted"), kind=parameters.Choice, choices=HOURS, default="always")

TRIGGERS: dict[str, Kind] = {
    Trigger.PERSON: Kind(slug="person", label=_lazy("a person")),
    Trigger.VENDOR: Kind(
        slug="vendor",
        label=_lazy("what a vendor does"),
        params=(
            Param(name="did", label=_lazy("actions"), kind=parameters.Choices, choices=DID),
            Param(name="only_lead", label=_lazy("only the leading organisation"), kind=parameters.Flag, default=True),
        ),
    ),
    Trigger.EVENT: Kind(
        slug="event",
        label=_lazy("an event"),
        params=(
            Param(name="kinds", label=_lazy("events"), kind=parameters.Choices, choices=SPEAKING, groups=SUBJECTS),
        ),
    ),
    Trigger.TIMER: Kind(
        slug="timer",
        label=_lazy("time in a status"),
        params=(
            _MINUTES,
            _HOURS,
            Param(
                name="statuses",
                label=_lazy("statuses (escalations only)"),
                help=_lazy("Identifiers of statuses, separated by commas. Leave empty for every open status."),
                kind=parameters.Texts,
                is_needed=False,
                default=[],
            ),
        ),
    ),
    Trigger.CLOCK: Kind(
        slug="clock",
        label=_lazy("a level of a clock"),
        params=(
            Param(
                name="target",
                label=_lazy("target"),
                kind=parameters.Choice,
                choices=tuple(Target.Kind.choices),
                default="resolve",
            ),
            Param(
                name="contract",
                label=_lazy("contract"),
                kind=parameters.Choice,
                choices=tuple(Contract.Kind.choices),
                default="sla",
            ),
            Param(
                name="percent",
                label=_lazy("percent of the goal"),
                kind=parameters.Number,
                least=1,
                most=1000,
                default=100,
            ),
        ),
    ),
    Trigger.SILENCE: Kind(
        slug="silence",
        label=_lazy("silence"),
        params=(
            Param(name="minutes", label=_lazy("minutes"), kind=parameters.Number, least=1, most=525_600),
            _HOURS,
            Param(name="who", label=_lazy("no activity by"), kind=parameters.Choice, choices=WHO, default="anybody"),
        ),
    ),
}
