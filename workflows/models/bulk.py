"""Bulk actions: one action of a person on many tickets, one ticket at a time, resumable."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Ticket
from hub.models.fields import PublicIdField, SentenceField


class BulkAction(models.Model):
    """An action that somebody started on several tickets."""

    public_id = PublicIdField()
    verb = models.SlugField(_("action"), max_length=20)
    given = models.JSONField(_("values"), default=dict)
    """The values entered: public ids, texts and flags."""
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="bulk_actions")
    started_at = models.DateTimeField(_("started at"))
    session = models.CharField(max_length=64, blank=True)
    """A digest of the key of the session in which it was started, which can undo it; empty if none can."""

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")

    def __str__(self) -> str:
        return f"{self.verb} ({self.user})"


class BulkItem(models.Model):
    """One ticket of a bulk action, with its result."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    action = models.ForeignKey(BulkAction, models.CASCADE, related_name="items")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="bulk_items")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    waiting_since = models.DateTimeField(null=True)
    """When the item was queued; None once it has a result."""
    why = SentenceField(_("reason"), blank=True)
    """Why it was refused."""

    class Meta:
        verbose_name = _("item of a bulk action")
        verbose_name_plural = _("items of bulk actions")
        constraints = [
            models.UniqueConstraint(fields=["action", "ticket"], name="bulk_item_once_per_ticket"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "refused"]), name="bulk_item_state_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["waiting_since"], condition=Q(waiting_since__isnull=False), name="bulk_item_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.ticket}"
