"""The inbox: what came in and has to be read, and files whose content is still to be fetched."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Message
from hub.models.fields import SentenceField

from .connection import Connection
from .link import Link


class Inbound(models.Model):
    """Something that came in, stored verbatim before it is read."""

    class State(models.TextChoices):
        NEW = "new", _("new")
        DONE = "done", _("done")
        PARKED = "parked", _("parked")
        IGNORED = "ignored", _("ignored")

    class Kind(models.TextChoices):
        MAIL = "mail", _("mail")
        HOOK = "hook", _("webhook call")
        POLL = "poll", _("polled record")

    connection = models.ForeignKey(Connection, models.PROTECT, related_name="inbound")
    kind = models.CharField(max_length=8, choices=Kind)
    delivery = models.CharField(max_length=128)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.NEW)
    received_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    error = SentenceField(_("reason"), blank=True)
    remote_key = models.CharField(max_length=100, blank=True)
    sender = models.CharField(max_length=254, blank=True)
    """For an e-mail: the apparent sender, used for rate limiting only."""
    begun_at = models.DateTimeField(null=True)
    """When reading was last started."""

    class Meta:
        verbose_name = _("inbound item")
        verbose_name_plural = _("inbound items")
        constraints = [
            models.UniqueConstraint(fields=["connection", "delivery"], name="inbound_once_per_delivery"),
            models.CheckConstraint(
                condition=Q(state__in=["new", "done", "parked", "ignored"]), name="inbound_state_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], condition=Q(state="new"), name="inbound_next_to_read"),
            models.Index(fields=["connection", "remote_key", "id"], condition=Q(kind="poll"), name="inbound_last_read"),
            models.Index(fields=["begun_at"], condition=~Q(kind="poll"), name="inbound_begun"),
            models.Index(
                fields=["connection", "remote_key"], condition=Q(kind="hook", state="new"), name="inbound_calls_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.delivery}"


class AwaitedFile(models.Model):
    """A file of the vendor's whose content has not been fetched yet. It does not hold up the rest of its ticket."""

    class State(models.TextChoices):
        WAITING = "waiting", _("will be tried again")
        PARKED = "parked", _("could not be fetched")
        TOO_LARGE = "too_large", _("too large to be fetched automatically")
        LEFT_OUT = "left_out", _("skipped")
        DONE = "done", _("fetched")

    link = models.ForeignKey(Link, models.CASCADE, related_name="awaited_files")
    remote_key = models.CharField(max_length=100)
    name = models.CharField(_("name"), max_length=255)
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    why = SentenceField(_("reason"), blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(_("known since"))
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="awaited_files")
    """The message on the ticket that says that the file was not fetched."""
    inbound = models.ForeignKey(Inbound, models.PROTECT, null=True, related_name="+")
    """The e-mail that the file came with."""

    class Meta:
        verbose_name = _("awaited file")
        verbose_name_plural = _("awaited files")
        constraints = [
            models.UniqueConstraint(fields=["link", "remote_key"], name="awaited_file_once_per_link"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "parked", "too_large", "left_out", "done"]),
                name="awaited_file_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="waiting"), name="awaited_file_next_to_fetch"),
            models.Index(fields=["state"], condition=Q(state="parked"), name="awaited_file_parked"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.link})"
