"""Receivers of events that failed and are called again."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .event import Event
from .fields import SentenceField


class FailedReceiver(models.Model):
    """A receiver that failed on an event. The event stays recorded, and the receiver is called again."""

    event = models.ForeignKey(Event, models.CASCADE, related_name="failed_receivers", verbose_name=_("event"))
    receiver = models.CharField(_("receiver"), max_length=150)
    """The name under which it is registered: unlike a module path it never changes."""
    error = SentenceField(_("error"))
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True)
    failed_at = models.DateTimeField(_("failed at"))
    done_at = models.DateTimeField(_("done at"), null=True)

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
        return f"{self.receiver} #{self.event_id}"
