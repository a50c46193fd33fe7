"""What a person has just done and can still undo."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField
from .ticket import Ticket


class UndoWindow(models.Model):
    """What one action changed on one ticket, while it can be undone. The row is deleted when the window closes."""

    public_id = PublicIdField()
    action = models.CharField(max_length=26)
    """The same for all tickets of a bulk action."""
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="undo_windows")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="undo_windows")
    session = models.CharField(max_length=64)
    """A digest of the key of the session in which the action was carried out; no other session can undo it."""
    first_seq = models.PositiveIntegerField()
    last_seq = models.PositiveIntegerField()
    """The first and the last event that the action recorded."""
    before = models.JSONField(default=dict)
    """The earlier values of what it changed, by column: ``ticket``, and ``legs`` by primary key."""
    made_at = models.DateTimeField()
    until_at = models.DateTimeField()
    """When what it sends is due and the window closes; system time."""

    sends = False
    """Whether the action sends anything. Known only where the action was carried out: this is no column."""

    class Meta:
        verbose_name = _("undo window")
        verbose_name_plural = _("undo windows")
        indexes = [
            models.Index(fields=["until_at"], name="undo_window_next_to_close"),
            models.Index(fields=["action"], name="undo_window_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket.label} {self.first_seq}-{self.last_seq}"
