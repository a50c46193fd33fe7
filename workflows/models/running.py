"""Rules at work: what is due when, how far an escalation is, what failed, and what is being decided together."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Leg, Organisation, Ticket
from hub.models.fields import PublicIdField, SentenceField

from .policy import Escalation


class Pending(models.Model):
    """A rule that is due at an instant. A ticket that has moved on by then is left alone, and this says so."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        DROPPED = "dropped", _("dropped")
        FAILED = "failed", _("failed")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="pending")
    rule = models.CharField(_("rule"), max_length=16)
    """``transition``, ``escalation``, ``step``, ``verb`` or ``triage``."""
    rule_id = models.PositiveBigIntegerField(null=True)
    key = models.CharField(max_length=150)
    params = models.JSONField(default=dict)
    due_at = models.DateTimeField(_("due"))
    lease_until = models.DateTimeField(null=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    outcome = models.TextField(_("what became of it"), blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField(_("made at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("pending rule")
        verbose_name_plural = _("pending rules")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "key"], name="pending_once_per_ticket_and_key"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "dropped", "failed"]), name="pending_state_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="waiting"), name="pending_next"),
            models.Index(fields=["ticket", "state"], name="pending_by_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket} {self.key}"


class EscalationRun(models.Model):
    """One escalation of one ticket for one reason: it runs once."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        ENDED = "ended", _("ended")

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="escalation_runs")
    escalation = models.ForeignKey(Escalation, models.PROTECT, related_name="runs")
    key = models.CharField(max_length=120)
    cause = models.CharField(_("because"), max_length=200)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.RUNNING)
    steps_done = models.PositiveSmallIntegerField(_("steps"), default=0)
    began_at = models.DateTimeField(_("began at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("running escalation")
        verbose_name_plural = _("running escalations")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "escalation", "key"], name="escalation_runs_once_per_reason"),
            models.CheckConstraint(
                condition=Q(state__in=["running", "acknowledged", "ended"]), name="escalation_run_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.escalation} on {self.ticket}"


class FailedAction(models.Model):
    """An action that could not be done: the transition stands, a person sees it and may try again."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="failed_actions")
    rule = models.CharField(_("rule"), max_length=100)
    kind = models.SlugField(_("action"), max_length=50)
    params = models.JSONField(default=dict)
    why = SentenceField(_("why"))
    at = models.DateTimeField(_("at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolution = models.CharField(_("resolution"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("failed action")
        verbose_name_plural = _("failed actions")
        indexes = [models.Index(fields=["-at"], condition=Q(resolved_at__isnull=True), name="failed_action_open")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.rule}"


class Triage(models.Model):
    """Whose is it? Several organisations and we look together; one person decides, until a deadline."""

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="triages")
    cause = models.CharField(_("cause"), max_length=32)
    reason = models.TextField(_("why"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="triages",
        verbose_name=_("decision owner"),
    )
    legs = models.ManyToManyField(Leg, related_name="triages", blank=True, verbose_name=_("who takes part"))
    began_at = models.DateTimeField(_("began at"))
    deadline_at = models.DateTimeField(_("to be decided by"))
    reminded_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_for = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided for")
    )
    decision = models.TextField(_("decision"), blank=True)

    class Meta:
        verbose_name = _("joint triage")
        verbose_name_plural = _("joint triages")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket"], condition=Q(decided_at__isnull=True), name="triage_one_open_per_ticket"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ticket}"
