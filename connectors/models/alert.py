"""What monitoring tools reported: one row per alert, and one per alert storm."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Ticket
from hub.models.fields import SentenceField

from .connection import Connection


class AlertStorm(models.Model):
    """Many new alerts at once: those that arrive while the storm lasts become part of one parent ticket."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="alert_storms")
    parent = models.ForeignKey(Ticket, models.PROTECT, related_name="alert_storms")
    began_at = models.DateTimeField(_("began at"))
    last_at = models.DateTimeField(_("last alert at"))
    count = models.PositiveIntegerField(_("alerts"), default=0)

    class Meta:
        verbose_name = _("alert storm")
        verbose_name_plural = _("alert storms")
        indexes = [models.Index(fields=["connection", "-last_at"], name="alert_storm_by_last")]

    def __str__(self) -> str:
        return f"{self.connection} ({self.began_at:%Y-%m-%d %H:%M})"


class AlertState(models.Model):
    """One alert of one tool: whether it is active, how often it was received, and the ticket it is part of."""

    class Acknowledgement(models.TextChoices):
        DUE = "due", _("acknowledgement is due")
        DONE = "done", _("acknowledged in the tool")
        FAILED = "failed", _("could not be acknowledged in the tool")
        LEFT_OUT = "left_out", _("skipped")

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="alerts")
    key = models.CharField(_("key"), max_length=200)
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="alerts", verbose_name=_("ticket"))
    title = models.CharField(_("title"), max_length=255)
    severity = models.CharField(_("severity"), max_length=64, blank=True)
    text = models.TextField(_("text"), blank=True)
    is_firing = models.BooleanField(_("active"), default=True)
    count = models.PositiveIntegerField(_("number of times received"), default=1)
    """How often the alert was received as active, repeats included."""
    first_at = models.DateTimeField(_("first received at"))
    changed_at = models.DateTimeField(_("began or ended at"))
    last_at = models.DateTimeField(_("last received at"))
    said = models.CharField(_("comment in the tool"), max_length=255, blank=True)
    """The last comment that a person made in the tool, for example with an acknowledgement."""
    silent_from = models.DateTimeField(null=True)
    """The alert is silent if nothing is received about it by then; None if that is not watched or was reported."""
    is_silent = models.BooleanField(_("silent"), default=False)
    acknowledgement = models.CharField(
        _("acknowledged in the tool"), max_length=8, choices=Acknowledgement, blank=True, default=""
    )
    """Whether the alert is or was acknowledged in the tool; reset each time the alert becomes active."""
    acknowledge_text = models.CharField(max_length=255, blank=True)
    acknowledge_at = models.DateTimeField(null=True)
    """When the acknowledgement is sent next; also the lease of the worker that sends it."""
    acknowledge_attempts = models.PositiveIntegerField(default=0)
    acknowledge_said = SentenceField(blank=True)
    """What the tool answered, or why the acknowledgement was not sent."""
    made_ticket_at = models.DateTimeField(null=True)
    """When a ticket was created for the alert, in system time; storms are counted by it."""

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [
            models.UniqueConstraint(fields=["connection", "key"], name="alert_once_per_connection"),
            models.CheckConstraint(
                condition=Q(acknowledgement__in=["", "due", "done", "failed", "left_out"]),
                name="alert_acknowledgement_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "made_ticket_at"], name="alert_by_ticket_made"),
            models.Index(fields=["ticket"], condition=Q(is_firing=True), name="alert_firing_by_ticket"),
            models.Index(fields=["acknowledge_at"], condition=Q(acknowledgement="due"), name="alert_next_acknowledged"),
            models.Index(fields=["silent_from"], condition=Q(is_firing=True), name="alert_next_silent"),
        ]

    def __str__(self) -> str:
        return self.title
