"""The clocks of tickets: a projection that can be rebuilt from the events."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .calendar import Calendar
from .contract import Contract
from .organisation import Organisation
from .target import Target


class Clock(models.Model):
    """The state of one target for one ticket, party and cycle: a fold of the ticket's events."""

    class State(models.TextChoices):
        NOT_STARTED = "not_started", _("not started")
        ACTIVE = "active", _("running")
        PAUSED = "paused", _("paused")
        IDLE = "idle", _("idle")
        STOPPED = "stopped", _("stopped")
        CANCELLED = "cancelled", _("cancelled")

    ticket = models.ForeignKey("hub.Ticket", models.CASCADE, related_name="clocks")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="clocks")
    target = models.CharField(_("target"), max_length=16, choices=Target.Kind)
    party = models.ForeignKey(Organisation, models.PROTECT, related_name="clocks")
    calendar = models.ForeignKey(Calendar, models.PROTECT, null=True, related_name="+")
    """The calendar of the current priority, if the target names one; otherwise the contract's applies."""
    cycle = models.PositiveIntegerField(default=0)
    is_current = models.BooleanField(default=True)
    state = models.CharField(_("state"), max_length=16, choices=State)
    revision = models.PositiveIntegerField(default=0)
    goal_seconds = models.PositiveIntegerField(null=True)
    used_seconds = models.PositiveIntegerField(default=0)
    paused_seconds = models.PositiveIntegerField(default=0)
    as_of = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    projected_due_at = models.DateTimeField(null=True)
    """When the goal is reached if the clock runs on from `as_of`."""
    breach_at = models.DateTimeField(null=True)
    risk_at = models.DateTimeField(null=True)
    """From when a running clock that has not breached is at risk."""
    is_breached = models.BooleanField(default=False)
    breaches = models.JSONField(default=list)
    next_fire_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "contract", "target", "party", "cycle"],
                name="clock_once_per_ticket_target_party_cycle",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["not_started", "active", "paused", "idle", "stopped", "cancelled"]),
                name="clock_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_fire_at"], condition=Q(next_fire_at__isnull=False), name="clock_next_to_fire"),
            models.Index(fields=["is_current", "state", "due_at"], name="clock_by_state_and_due"),
            # Of clocks that count or will count; those of ended tickets are by far the most.
            models.Index(
                fields=["breach_at", "id"],
                condition=Q(is_current=True) & ~Q(state__in=["stopped", "cancelled"]),
                name="clock_counting_by_breach",
            ),
            models.Index(fields=["risk_at"], condition=Q(risk_at__isnull=False), name="clock_at_risk"),
        ]

    def __str__(self) -> str:
        return f"{self.contract} {self.target} of {self.party}"

    @property
    def hours(self) -> Calendar:
        """The calendar in which the clock counts."""
        return self.calendar or self.contract.calendar


class Span(models.Model):
    """A half-open period of one clock in one state; without an end it is still running."""

    clock = models.ForeignKey(Clock, models.CASCADE, related_name="spans")
    state = models.CharField(max_length=16, choices=Clock.State)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("span")
        verbose_name_plural = _("spans")
        constraints = [
            models.CheckConstraint(
                condition=Q(until_at__isnull=True) | Q(until_at__gt=F("from_at")), name="span_is_not_empty"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} from {self.from_at:%Y-%m-%d %H:%M:%S}"
