"""How our own people work together on a ticket: tasks, and who follows the ticket."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from hub.models import Ticket
from hub.models.fields import PublicIdField


class Task(models.Model):
    """Something that one of us has to do for a ticket; other organisations never see tasks."""

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="tasks", verbose_name=_("ticket"))
    title = models.CharField(_("task"), max_length=255)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="tasks",
        verbose_name=_("assignee"),
    )
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When the assignee was notified that the task is due."""

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(done_at=None, reminded_at=None, due_at__isnull=False),
                name="task_next_to_remind_of",
            ),
            models.Index(fields=["assignee", "due_at"], condition=Q(done_at=None), name="task_open_of_assignee"),
        ]

    def __str__(self) -> str:
        return self.title


class Follow(models.Model):
    """Whether a user wants notices about one ticket: watches it, or has muted it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="follows")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="follows")
    is_muted = models.BooleanField(_("muted"), default=False)

    class Meta:
        verbose_name = pgettext_lazy("model", "follow")
        verbose_name_plural = pgettext_lazy("model", "follows")
        constraints = [models.UniqueConstraint(fields=["user", "ticket"], name="follow_once_per_user_and_ticket")]

    def __str__(self) -> str:
        return f"{self.user} {self.ticket.label}"


class ReplyTemplate(models.Model):
    """A text that people insert into a message. It may contain {expressions} over the ticket, as notices may."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    body = models.TextField(
        _("text"),
        help_text=_("May contain expressions such as {ticket.label}, {ticket.title}, {requester} and {organisation}."),
    )

    class Meta:
        verbose_name = _("reply template")
        verbose_name_plural = _("reply templates")

    def __str__(self) -> str:
        return self.name


class Presence(models.Model):
    """That one of us has the page of a ticket open. Open pages renew the row every ten seconds."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="presences")
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="presences")
    seen_at = models.DateTimeField()
    """System time."""
    writing_at = models.DateTimeField(null=True)
    """When the person was last seen writing; system time."""

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        constraints = [models.UniqueConstraint(fields=["ticket", "user"], name="presence_once_per_ticket_and_user")]

    def __str__(self) -> str:
        return f"{self.user} {self.ticket.label}"
