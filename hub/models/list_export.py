"""Workbooks of long lists, which the worker makes in the background."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField, SentenceField


class ListExport(models.Model):
    """One workbook of a list, for one person. Its file and its row are deleted a day after it was made."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    public_id = PublicIdField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="list_exports")
    query = models.TextField()
    """The query string of the list: filters, order and columns."""
    language = models.CharField(max_length=10)
    time_zone = models.CharField(max_length=64)
    rights = models.CharField(max_length=64, blank=True)
    """A digest of the person's roles when the workbook was begun; with other roles it cannot be downloaded."""
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    why = SentenceField(_("reason"), blank=True)
    """Why it failed."""
    attempts = models.PositiveSmallIntegerField(default=0)
    count = models.PositiveIntegerField(default=0)
    """How many tickets the list had when the workbook was begun."""
    done = models.PositiveIntegerField(default=0)
    """How many of them are in the workbook."""
    made_at = models.DateTimeField()
    due_at = models.DateTimeField()
    """When the worker takes it: to make it, to begin anew if it was interrupted, or to delete it. System time."""

    class Meta:
        verbose_name = _("workbook of a list")
        verbose_name_plural = _("workbooks of lists")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "failed"]), name="list_export_state_is_known"
            )
        ]
        indexes = [models.Index(fields=["due_at"], name="list_export_next")]

    def __str__(self) -> str:
        return f"{self.user}: {self.query}"

    @property
    def path(self) -> str:
        """The path of the file in Django's default storage."""
        return f"exports/{self.public_id}.xlsx"
