"""An engagement and its record in the vendor's system: the link, and what both sides know of each other."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Attachment, Leg, Message
from hub.models.fields import PublicIdField, SentenceField

from .connection import Connection


class Lane(models.TextChoices):
    """What is synchronised independently: a parked change stops only its own lane of its own link."""

    FIELDS = "fields", _("fields")
    NOTES = "notes", _("notes")
    FILES = "files", _("files")


class Link(models.Model):
    """Ties one engagement to one record in the vendor's system. It never expires, and is never stored only there.

    `heard` is the last snapshot of the vendor's fields. `agreed` has, per field, the value on which both sides last
    agreed: `theirs` in the vendor's terms and `ours` in ours, so that a mapping that loses detail does not come back
    as a change.
    """

    LONGEST_URL = 500

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        QUARANTINED = "quarantined", _("quarantined")
        ALIAS = "alias", _("merged by the vendor")
        ARCHIVED = "archived", _("archived")

    public_id = PublicIdField()
    leg = models.OneToOneField(Leg, models.PROTECT, related_name="link")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="links")
    reference = models.CharField(_("our reference"), max_length=64, unique=True)
    remote_key = models.CharField(_("vendor's key"), max_length=100, blank=True)
    remote_url = models.URLField(_("vendor's URL"), max_length=LONGEST_URL, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.ACTIVE)
    heard = models.JSONField(default=dict)
    agreed = models.JSONField(default=dict)
    heard_at = models.DateTimeField(null=True)
    born_at = models.DateTimeField(_("created by the vendor at"), null=True)
    """When the record was created: another time under the same key means another record."""
    missed = models.PositiveIntegerField(_("not found (count)"), default=0)
    merged_key = models.CharField(_("merged into"), max_length=100, blank=True)
    """For an alias: the key of the surviving record; empty if the vendor's system does not say."""
    asked_at = models.DateTimeField(null=True)
    """When the record was last requested, whether it was found or not."""
    missing_since = models.DateTimeField(null=True)
    """Since when the record is not found; None if it was found the last time."""
    paced_from = models.DateTimeField(null=True)
    """Writes before this time do not count towards the hourly limit: a person has checked the link."""
    hops = models.JSONField(default=list)
    """Ids of the other hubs through which the ticket came before it was imported."""
    is_dirty = models.BooleanField(default=False)
    """Whether the record has to be read again."""
    next_look_at = models.DateTimeField(null=True)
    look_failures = models.PositiveIntegerField(default=0)
    epoch = models.PositiveBigIntegerField(default=0)
    """Counts the leases: only the holder of the current one writes."""
    lease_until = models.DateTimeField(null=True)
    last_seq = models.PositiveIntegerField(default=0)
    why = SentenceField(_("reason for stopping"), blank=True)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "remote_key"], condition=~Q(remote_key=""), name="link_once_per_remote_record"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "quarantined", "alias", "archived"]),
                name="link_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_look_at"], condition=Q(is_dirty=True, state="active"), name="link_next_to_look")
        ]

    def __str__(self) -> str:
        remote = self.remote_key or _("(not created yet)")
        return f"{self.leg} = {remote}"


class Binding(models.Model):
    """Which of the vendor's notes or files is which of our messages or attachments; each at most once per link."""

    link = models.ForeignKey(Link, models.CASCADE, related_name="bindings")
    lane = models.CharField(max_length=8, choices=Lane)
    remote_key = models.CharField(max_length=100)
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="bindings")
    attachment = models.ForeignKey(Attachment, models.PROTECT, null=True, related_name="bindings")
    fingerprint = models.CharField(max_length=64, blank=True)
    gone_at = models.DateTimeField(null=True)
    """When it was first missing in the vendor's system; what is missing twice was deleted by the vendor."""
    hops = models.CharField(max_length=100, blank=True)
    """Ids of the hubs through which the vendor's note came, joined by @."""

    class Meta:
        verbose_name = _("binding")
        verbose_name_plural = _("bindings")
        constraints = [
            models.UniqueConstraint(fields=["link", "lane", "remote_key"], name="binding_once_per_remote"),
            models.UniqueConstraint(
                fields=["link", "message"],
                condition=Q(message__isnull=False, lane="notes"),
                name="binding_once_per_message",
            ),
            models.UniqueConstraint(
                fields=["link", "attachment"],
                condition=Q(attachment__isnull=False),
                name="binding_once_per_attachment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.link} {self.lane} {self.remote_key}"


class HeardMail(models.Model):
    """A vendor's e-mail that belongs to a link; replies to it belong to the same link."""

    link = models.ForeignKey(Link, models.CASCADE, related_name="heard_mail")
    message_id = models.CharField(_("Message-ID"), max_length=302)
    """With its angle brackets; for an e-mail without one, a digest of its content (see `ParsedMail.key`)."""
    number = models.CharField(_("vendor's number"), max_length=60, blank=True)
    """The ticket number that the vendor's help desk writes into subjects, unchanged."""
    heard_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("vendor mail")
        verbose_name_plural = _("vendor mail")
        constraints = [models.UniqueConstraint(fields=["link", "message_id"], name="heard_mail_once_per_link")]
        indexes = [models.Index(fields=["message_id"], name="heard_mail_by_id")]

    def __str__(self) -> str:
        return self.message_id


class Difference(models.Model):
    """A value of the vendor's that we received and do not follow, until a person or an agreement settles it.

    There is one row per link, field and value: the next poll does not report it again.
    """

    link = models.ForeignKey(Link, models.CASCADE, related_name="differences")
    field = models.CharField(_("field"), max_length=32)
    """The key of the field, or of another kind of difference; `field_names.name_of` gives its name for people."""
    value = models.CharField(_("vendor's value"), max_length=255)
    why = SentenceField(_("reason"))
    heard_at = models.DateTimeField(_("received at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    is_dealt_with = models.BooleanField(_("handled"), default=False)
    """A person has handled it: it is not reported again while the value stays the same."""

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        constraints = [
            models.UniqueConstraint(
                fields=["link", "field", "value"],
                condition=Q(resolved_at__isnull=True),
                name="difference_once_per_link_field_value",
            )
        ]

    def __str__(self) -> str:
        return f"{self.link} {self.field} = {self.value}"
