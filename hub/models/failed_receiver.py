"""Receivers of events that have to be called again."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .event import Event


class FailedReceiver(models.Model):
    """A receiver that failed on an event: the fact stands, and the receiver is called again."""

    event = models.ForeignKey(Event, models.CASCADE, related_name="failed_receivers")
    receiver = models.CharField(max_length=150)
    """The name it registered with: it outlives the module it stands in."""
    error = models.TextField()
    attempts = models.PositiveIntegerField(default=1)
    next_attempt_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("failed receiver")
        verbose_name_plural = _("failed receivers")
        constraints = [models.UniqueConstraint(fields=["event", "receiver"], name="failed_receiver_once_per_event")]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="failed_receiver_next_to_try",
            )
        ]

    def __str__(self) -> str:
        return f"{self.receiver} on {self.event_id}"
