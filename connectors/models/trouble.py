"""Faults of the installation itself, for the Synchronisation page."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.fields import SentenceField


class Trouble(models.Model):
    """A fault of this installation: what it is, since when, and until when."""

    class Kind(models.TextChoices):
        BROKER = "broker", _("the message broker cannot be reached")
        CLOCK = "clock", _("the clock of a machine was wrong")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    why = SentenceField(_("reason"))
    began_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        constraints = [
            models.UniqueConstraint(fields=["kind"], condition=Q(ended_at__isnull=True), name="trouble_open_once"),
            models.CheckConstraint(condition=Q(kind__in=["broker", "clock"]), name="trouble_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.began_at:%Y-%m-%d %H:%M})"
