"""An engagement and its record in the vendor's system, and everything in progress between them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Attachment, Leg, Message
from hub.models.fields import PublicIdField, SentenceField

from .connection import Connection


class Lane(models.TextChoices):
    """What travels independently: a parked change stops its own lane of its own link."""

    FIELDS = "fields", _("fields")
    NOTES = "notes", _("notes")
    FILES = "files", _("files")


class Link(models.Model):
    """One engagement here is one record there. A link never expires, and is never stored only in a remote field.

    `heard` is the last snapshot of theirs; `agreed` is per field what both sides last had, theirs in
    their words and ours in ours, so that a map that loses detail never comes back as a change.
    """

    LONGEST_URL = 500

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        QUARANTINED = "quarantined", _("quarantined")
        ALIAS = "alias", _("merged there")
        ARCHIVED = "archived", _("archived")

    public_id = PublicIdField()
    leg = models.OneToOneField(Leg, models.PROTECT, related_name="link")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="links")
    reference = models.CharField(_("our reference there"), max_length=64, unique=True)
    remote_key = models.CharField(_("key there"), max_length=100, blank=True)
    remote_url = models.URLField(_("address there"), max_length=LONGEST_URL, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.ACTIVE)
    heard = models.JSONField(default=dict)
    agreed = models.JSONField(default=dict)
    heard_at = models.DateTimeField(null=True)
    born_at = models.DateTimeField(_("created there at"), null=True)
    """When their record was created: another time under the same key means another record."""
    missed = models.PositiveIntegerField(_("times not found"), default=0)
    merged_key = models.CharField(_("merged into"), max_length=100, blank=True)
    """Of an alias: the key of the record that survived; empty where they do not say."""
    asked_at = models.DateTimeField(null=True)
    """When their record was last requested, found or not."""
    missing_since = models.DateTimeField(null=True)
    """Since when it is not found; None if it was found the last time."""
    paced_from = models.DateTimeField(null=True)
    """Writes before this do not count towards the limit of writes per hour: a person has looked."""
    hops = models.JSONField(default=list)
    """Ids of the other hubs this ticket came through before it was adopted here."""
    is_dirty = models.BooleanField(default=False)
    next_look_at = models.DateTimeField(null=True)
    look_failures = models.PositiveIntegerField(default=0)
    epoch = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    last_seq = models.PositiveIntegerField(default=0)
    why = SentenceField(_("reason it is stopped"), blank=True)

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
        return f"{self.leg} = {self.remote_key or '(not made yet)'}"


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
    """Of mail: the apparent sender, used for rate limiting only."""
    begun_at = models.DateTimeField(null=True)
    """When reading was last started."""

    class Meta:
        verbose_name = _("inbound")
        verbose_name_plural = _("inbound")
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
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.delivery}"


class Outbound(models.Model):
    """One thing that has to be sent on a link, in order per lane.

    `intent_at` is set before a send that must not happen twice; a row with an intent and no end is
    looked up there before anything is sent again.
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
    queued_at = models.DateTimeField()
    done_at = models.DateTimeField(_("delivered at"), null=True)
    remote_key = models.CharField(_("key there"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("outbound")
        verbose_name_plural = _("outbound")
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
                fields=["next_attempt_at"], condition=Q(state__in=["ready", "unclear"]), name="outbound_next_to_send"
            ),
            models.Index(fields=["state"], condition=Q(state="parked"), name="outbound_parked"),
        ]

    def __str__(self) -> str:
        return f"{self.link} {self.kind} {self.seq}"

    @property
    def is_pack(self) -> bool:
        """Whether it is the hand-off pack of the engagement, in a note or a file of its own."""
        return self.lane != Lane.FIELDS and self.message_id is None and self.attachment_id is None


class Attempt(models.Model):
    """One attempt to send something, and how it ended. Append-only."""

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


class Binding(models.Model):
    """A note or file there is a message or attachment here. Each side at most once per link."""

    link = models.ForeignKey(Link, models.CASCADE, related_name="bindings")
    lane = models.CharField(max_length=8, choices=Lane)
    remote_key = models.CharField(max_length=100)
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="bindings")
    attachment = models.ForeignKey(Attachment, models.PROTECT, null=True, related_name="bindings")
    fingerprint = models.CharField(max_length=64, blank=True)
    gone_at = models.DateTimeField(null=True)
    """When it was first missing there: what is missing twice was deleted by them."""
    hops = models.CharField(max_length=100, blank=True)
    """Ids of the hubs a note of theirs came through, joined by @."""

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
    """A message of theirs that belongs to a link: replies to it belong there as well."""

    link = models.ForeignKey(Link, models.CASCADE, related_name="heard_mail")
    message_id = models.CharField(_("Message-ID"), max_length=302)
    """With its brackets; for mail that has none, what tells it from others (see `ParsedMail.key`)."""
    number = models.CharField(_("their number"), max_length=60, blank=True)
    """What their system puts into its subjects, unchanged."""
    heard_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("vendor mail")
        verbose_name_plural = _("vendor mail")
        constraints = [models.UniqueConstraint(fields=["link", "message_id"], name="heard_mail_once_per_link")]
        indexes = [models.Index(fields=["message_id"], name="heard_mail_by_id")]

    def __str__(self) -> str:
        return self.message_id


class Difference(models.Model):
    """A value of theirs that we received and do not follow, until a person or an agreement ends it.

    One row per (link, field, value): the next poll does not raise it again.
    """

    link = models.ForeignKey(Link, models.CASCADE, related_name="differences")
    field = models.CharField(_("field"), max_length=32)
    value = models.CharField(_("theirs"), max_length=255)
    why = SentenceField(_("reason"))
    heard_at = models.DateTimeField(_("received at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    is_dealt_with = models.BooleanField(_("dealt with"), default=False)
    """A person has dealt with it: it is not raised again while the value stays the same."""

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


class AwaitedFile(models.Model):
    """A file of theirs whose content is not here yet: the rest of its ticket is not held up."""

    class State(models.TextChoices):
        WAITING = "waiting", _("will be tried again")
        PARKED = "parked", _("could not be fetched")
        TOO_LARGE = "too_large", _("too large to be fetched automatically")
        LEFT_OUT = "left_out", _("left out")
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
    """The message that says that it was not fetched."""
    inbound = models.ForeignKey(Inbound, models.PROTECT, null=True, related_name="+")
    """The mail it came with."""

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
