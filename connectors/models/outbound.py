"""The outbox: what has to be sent on a link, and every attempt to send it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Attachment, Message
from hub.models.fields import PublicIdField, SentenceField

from .link import Lane, Link


class Outbound(models.Model):
    """One thing that has to be sent on a link, in order per lane.

    `intent_at` is set before a send that must not happen twice. For a row with an intent and no result, the sender
    looks in the vendor's system before it sends anything again.
    """

    class Kind(models.TextChoices):
        CREATE = "create", _("new ticket")
        FIELDS = "fields", _("change of fields")
        NOTE = "note", _("note")
        FILE = "file", _("file")

    class State(models.TextChoices):
        READY = "ready", _("waiting to be sent")
        UNCLEAR = "unclear", _("sent, outcome unclear")
        DONE = "done", _("delivered")
        PARKED = "parked", _("parked")
        SKIPPED = "skipped", _("skipped")

    public_id = PublicIdField()
    link = models.ForeignKey(Link, models.PROTECT, related_name="outbound")
    lane = models.CharField(max_length=8, choices=Lane)
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="outbound")
    attachment = models.ForeignKey(Attachment, models.PROTECT, null=True, related_name="outbound")
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.READY)
    intent = models.JSONField(default=dict)
    intent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(null=True)
    error = SentenceField(_("reason"), blank=True)
    is_urgent = models.BooleanField(default=False)
    """Whether a person has just asked for it. It goes before everything else that waits, except on its own link."""
    queued_at = models.DateTimeField()
    done_at = models.DateTimeField(_("delivered at"), null=True)
    remote_key = models.CharField(_("vendor's key"), max_length=100, blank=True)
    undo_window = models.CharField(max_length=26, blank=True, default="", editable=False)
    """The window in which the action that queued the item can be undone; empty once it has closed."""

    class Meta:
        verbose_name = _("outbound item")
        verbose_name_plural = _("outbound items")
        constraints = [
            models.UniqueConstraint(fields=["link", "seq"], name="outbound_seq_once_per_link"),
            models.UniqueConstraint(
                fields=["link"],
                condition=Q(kind="fields", state="ready", intent_at__isnull=True),
                name="outbound_one_waiting_change_of_fields",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["ready", "unclear", "done", "parked", "skipped"]),
                name="outbound_state_is_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-is_urgent", "next_attempt_at"],
                condition=Q(state__in=["ready", "unclear"]),
                name="outbound_next_to_send",
            ),
            models.Index(fields=["state"], condition=Q(state="parked"), name="outbound_parked"),
            models.Index(fields=["undo_window"], condition=~Q(undo_window=""), name="outbound_held"),
        ]

    def __str__(self) -> str:
        return f"{self.link} {self.kind} {self.seq}"

    @property
    def is_pack(self) -> bool:
        """Whether this is the hand-off pack of the engagement, as a separate note or file."""
        return self.lane != Lane.FIELDS and self.message_id is None and self.attachment_id is None


class Attempt(models.Model):
    """One attempt to send something, and its outcome. Append-only."""

    outbound = models.ForeignKey(Outbound, models.CASCADE, related_name="tries")
    epoch = models.PositiveBigIntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=16)
    said = SentenceField(blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")

    def __str__(self) -> str:
        return f"{self.outbound}: {self.outcome}"
