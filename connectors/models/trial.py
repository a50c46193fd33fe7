"""A profile tried on the real system by a worker, while the workbench shows the progress."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.core.sentences import packed, unpacked
from hub.models.fields import SentenceField
from hub.translation import localized

from .connection import Connection
from .profile import Profile


class StepsField(models.JSONField):
    """A list of flat objects whose sentences are stored with their values, and read back in the active language."""

    def get_prep_value(self, value: Any) -> Any:
        steps = [{key: _packed(each) for key, each in step.items()} for step in value] if value else value
        return super().get_prep_value(steps)

    def from_db_value(self, value: Any, *args: Any) -> Any:
        steps = super().from_db_value(value, *args)
        return [{key: _localized(each) for key, each in step.items()} for step in steps] if steps else steps

    def deconstruct(self) -> Any:
        """A plain JSON field to migrations: the column is the same."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


def _packed(value: Any) -> Any:
    return packed(value) if isinstance(value, str) else value


def _localized(value: Any) -> Any:
    return localized(unpacked(value)) if isinstance(value, str) else value


class Trial(models.Model):
    """Every capability of one profile version, tried with the credentials of one connection. Times are system time."""

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
    """The capability that is being tried now, as a packed sentence; see `current_name`."""
    steps = StepsField(default=list)
    """What was tried so far: `what`, `outcome`, `told` and `milliseconds` of each."""
    why = SentenceField(blank=True)
    """Why the trial was stopped."""
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
    def current_name(self) -> str:
        """The capability that is being tried now, in the active language; in English if it was too long to store."""
        return localized(unpacked(self.current))

    @property
    def is_under_way(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)
