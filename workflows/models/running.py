"""Rules in progress: scheduled rules, running escalations, failed actions and joint triage."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.models import Leg, Organisation, Ticket
from hub.models.fields import PublicIdField, SentenceField

from .policy import Escalation


class Pending(models.Model):
    """A rule that is due at an instant. If the ticket has changed status by then, the rule is dropped."""

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
    due_at = models.DateTimeField(_("due at"))
    lease_until = models.DateTimeField(null=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    outcome = SentenceField(_("outcome"), blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField(_("created at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    undo_window = models.CharField(max_length=26, blank=True, default="", editable=False)
    """The window in which the action that triggers the rule can be undone; the rule does not run before it closes."""

    class Meta:
        verbose_name = _("scheduled rule")
        verbose_name_plural = _("scheduled rules")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "key"], name="pending_once_per_ticket_and_key"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "dropped", "failed"]), name="pending_state_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="waiting"), name="pending_next"),
            models.Index(fields=["ticket", "state"], name="pending_by_ticket"),
            models.Index(fields=["undo_window"], condition=~Q(undo_window=""), name="pending_held"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket} {self.key}"


class EscalationRun(models.Model):
    """One run of an escalation on a ticket; it runs once per reason."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        ENDED = "ended", _("ended")

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="escalation_runs")
    escalation = models.ForeignKey(Escalation, models.PROTECT, related_name="runs")
    key = models.CharField(max_length=120)
    cause = models.CharField(_("cause"), max_length=200)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.RUNNING)
    steps_done = models.PositiveSmallIntegerField(_("steps done"), default=0)
    began_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("acknowledged by"),
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
        return gettext("%(escalation)s on %(ticket)s") % {"escalation": self.escalation, "ticket": self.ticket}


class FailedAction(models.Model):
    """An action that failed. The transition stands; a person sees the failure and can retry."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="failed_actions")
    rule = models.CharField(_("rule"), max_length=100)
    kind = models.SlugField(_("action"), max_length=50)
    params = models.JSONField(default=dict)
    why = SentenceField(_("reason"))
    at = models.DateTimeField(_("failed at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolution = models.CharField(_("resolution"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("failed action")
        verbose_name_plural = _("failed actions")
        indexes = [models.Index(fields=["-at"], condition=Q(resolved_at__isnull=True), name="failed_action_open")]

    def __str__(self) -> str:
        return gettext("%(action)s of %(rule)s") % {"action": self.kind, "rule": self.rule}


class Triage(models.Model):
    """Joint triage: we and several organisations discuss whose ticket it is; one person decides by a deadline."""

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="triages")
    cause = models.CharField(_("cause"), max_length=32)
    reason = models.TextField(_("reason"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="triages",
        verbose_name=_("decision owner"),
    )
    legs = models.ManyToManyField(Leg, related_name="triages", blank=True, verbose_name=_("participants"))
    began_at = models.DateTimeField(_("started at"))
    deadline_at = models.DateTimeField(_("decision due at"))
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
