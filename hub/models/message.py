"""Messages on tickets, their audiences and attachments."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .event import ActorKind
from .fields import PublicIdField
from .leg import Leg
from .organisation import Organisation, Person
from .ticket import Ticket


class Message(models.Model):
    """Text with an audience; append-only. Our organisation and the author's can always read it.

    An edited comment is a new message that supersedes the old one; a deleted comment is withdrawn.
    """

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="messages")
    author_kind = models.CharField(max_length=16, choices=ActorKind)
    author_name = models.CharField(max_length=150, blank=True)
    author_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="messages")
    author_person = models.ForeignKey(Person, models.PROTECT, null=True, related_name="messages")
    author_organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="messages")
    body = models.TextField()
    is_for_requester = models.BooleanField(_("visible to the requester"), default=False)
    is_for_later_legs = models.BooleanField(
        _("visible to later organisations"),
        default=False,
        help_text=_("Included in the briefing of later engagements."),
    )
    legs = models.ManyToManyField(Leg, related_name="messages", blank=True)
    origin = models.CharField(max_length=26, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    supersedes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="superseded_by")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [models.Index(fields=["ticket", "occurred_at"], name="message_by_ticket_and_time")]

    def __str__(self) -> str:
        return f"{self.author_name}: {self.body[:40]}"


FOR_LATER = Q(is_for_later_legs=True, withdrawn_at=None, superseded_by=None)
"""Current messages that organisations engaged later may read."""


class Attachment(models.Model):
    """A file that came with a message, stored under the SHA-256 of its content."""

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="attachments")
    message = models.ForeignKey(Message, models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    added_at = models.DateTimeField()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        indexes = [models.Index(fields=["sha256"], name="attachment_by_content")]
        constraints = [models.CheckConstraint(condition=Q(size__gte=0), name="attachment_size_is_not_negative")]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """The path of the content in Django's default storage."""
        return f"attachments/{self.sha256[:2]}/{self.sha256}"
