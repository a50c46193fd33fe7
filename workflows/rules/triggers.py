"""What can set a rule off, each with its typed parameters."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _lazy

from hub.models import Contract, EventKind, Target
from workflows.models import Trigger
from workflows.rules import parameters
from workflows.rules.parameters import Param
from workflows.rules.registry import Kind

DID = (
    ("accepted", _lazy("accepts")),
    ("started", _lazy("begins to work")),
    ("waiting", _lazy("waits")),
    ("resumed", _lazy("goes on")),
    ("done", _lazy("is done")),
    ("reopened", _lazy("is at it again")),
    ("declined", _lazy("declines")),
    ("returned", _lazy("returns it")),
    ("expired", _lazy("does not answer in time")),
)
HOURS = (("ours", _lazy("our working hours")), ("always", _lazy("around the clock")))
WHO = (("anybody", _lazy("anybody")), ("us", _lazy("us")), ("vendor", _lazy("a vendor")))
SPEAKING = tuple((str(kind.value), kind.label) for kind in EventKind if not kind.value.startswith(("history", "rule")))
SUBJECTS = (
    (_lazy("the ticket"), ("ticket.", "priority.")),
    (_lazy("an organisation's engagement"), ("leg.", "completion.")),
    (_lazy("words and files"), ("message.", "attachment.")),
    (_lazy("a page or an alert"), ("door.", "alert.")),
    (_lazy("escalation and triage"), ("escalation.", "triage.", "return.")),
)
_MINUTES = Param(name="minutes", label=_lazy("minutes"), kind=parameters.Number, most=525_600)
_HOURS = Param(name="hours", label=_lazy("counted in"), kind=parameters.Choice, choices=HOURS, default="always")

TRIGGERS: dict[str, Kind] = {
    Trigger.PERSON: Kind(slug="person", label=_lazy("a person")),
    Trigger.VENDOR: Kind(
        slug="vendor",
        label=_lazy("what a vendor does"),
        params=(
            Param(name="did", label=_lazy("it"), kind=parameters.Choices, choices=DID),
            Param(name="only_lead", label=_lazy("only the leading organisation"), kind=parameters.Flag, default=True),
        ),
    ),
    Trigger.EVENT: Kind(
        slug="event",
        label=_lazy("an event"),
        params=(Param(name="kinds", label=_lazy("which"), kind=parameters.Choices, choices=SPEAKING, groups=SUBJECTS),),
    ),
    Trigger.TIMER: Kind(
        slug="timer",
        label=_lazy("a time in its state"),
        params=(
            _MINUTES,
            _HOURS,
            Param(
                name="statuses",
                label=_lazy("in these statuses (escalations)"),
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
                label=_lazy("promise"),
                kind=parameters.Choice,
                choices=tuple(Target.Kind.choices),
                default="resolve",
            ),
            Param(
                name="contract",
                label=_lazy("of"),
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
        label=_lazy("nobody says anything"),
        params=(
            Param(name="minutes", label=_lazy("for minutes"), kind=parameters.Number, least=1, most=525_600),
            _HOURS,
            Param(name="who", label=_lazy("who is silent"), kind=parameters.Choice, choices=WHO, default="anybody"),
        ),
    ),
}
