"""A profile tried on the real system by a worker, while the page of the workbench shows how far it is."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models.fields import SentenceField

from .connection import Connection
from .profile import Profile


class Trial(models.Model):
    """Every capability of one version of a profile, tried with the access of one connection. Times are machine time."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting for a worker")
        RUNNING = "running", _("running")
        DONE = "done", _("finished")
        STOPPED = "stopped", _("stopped")

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="trials")
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="trials")
    writes = models.BooleanField(default=False)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    current = models.CharField(max_length=200, blank=True)
    """The capability that is being tried now."""
    steps = models.JSONField(default=list)
    """What was tried so far: `what`, `outcome`, `told` and `milliseconds` of each."""
    why = SentenceField(blank=True)
    """Why it was stopped, in words."""
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("trial")
        verbose_name_plural = _("trials")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "done", "stopped"]), name="trial_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["connection"], condition=Q(state__in=["queued", "running"]), name="trial_one_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(state__in=["queued", "running"]), name="trial_under_way")
        ]

    def __str__(self) -> str:
        return f"{self.profile} / {self.connection}"

    @property
    def is_under_way(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)
