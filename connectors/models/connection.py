"""A vendor's system, how we reach it, and whether it works."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Organisation, Publication
from hub.models.fields import PublicIdField, SentenceField


class Connection(models.Model):
    """One vendor's system, reached through one connector. Times here are machine time."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        LOCKED_OUT = "locked_out", _("locked out")
        ARCHIVED = "archived", _("archived")

    class Intake(models.TextChoices):
        ADOPT = "adopt", _("import: a ticket created there becomes one of ours")
        IGNORE = "ignore", _("ignore: only tickets that we sent")

    class Purpose(models.TextChoices):
        TICKETS = "tickets", _("tickets in both directions")
        ALERTS = "alerts", _("incoming alerts")

    class Acceptance(models.TextChoices):
        STATUS = "status", _("the vendor's status says so")
        ASSIGNED = "assigned", _("the vendor's status says so, or somebody there is assigned")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="connections", verbose_name=_("organisation")
    )
    connector = models.SlugField(_("connector"))
    profile = models.ForeignKey(
        "connectors.Profile",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        verbose_name=_("profile"),
    )
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose, default=Purpose.TICKETS, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.DRAFT)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    sealed = models.BinaryField(_("credentials"), blank=True, default=b"", editable=False)
    intake = models.CharField(_("tickets created there"), max_length=16, choices=Intake, default=Intake.ADOPT)
    intake_queues = models.JSONField(_("queues to import from"), default=list, blank=True)
    """Values of their queue picklist; empty means every queue that our user can see."""
    acceptance = models.CharField(_("accepted when"), max_length=16, choices=Acceptance, default=Acceptance.STATUS)
    service = models.ForeignKey(
        "hub.Service",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        verbose_name=_("service of tickets created there"),
    )
    poll_seconds = models.PositiveIntegerField(_("seconds between polls"), default=60)
    own_user = models.CharField(_("our user there"), max_length=64, blank=True, editable=False)
    memory = models.JSONField(default=dict, blank=True, editable=False)
    cursor = models.TextField(_("cursor"), blank=True, editable=False)
    hook_id = models.CharField(_("webhook registration"), max_length=64, blank=True, editable=False)
    hook_url = models.CharField(_("URL of their webhook"), max_length=300, blank=True, editable=False)
    hook_note = models.CharField(_("webhook note"), max_length=255, blank=True, editable=False)
    hook_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    share = models.PositiveIntegerField(_("our part of their rate limit, percent"), null=True, blank=True)
    rejected_hooks = models.PositiveIntegerField(_("webhooks with a wrong signature"), default=0, editable=False)
    rejected_before = models.PositiveIntegerField(default=0, editable=False)
    """How many there had been when a webhook was last accepted."""
    unready_hooks = models.PositiveIntegerField(_("webhooks whose key could not be fetched"), default=0, editable=False)
    stray_hooks = models.PositiveIntegerField(_("unexpected webhooks"), default=0, editable=False)
    key_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When a key to check webhooks with was last requested."""
    next_poll_at = models.DateTimeField(null=True, blank=True, editable=False)
    reading_until = models.DateTimeField(null=True, blank=True, editable=False)
    """Alerts are read in order: until when one worker reads them."""
    healed_at = models.DateTimeField(_("all links last read at"), null=True, blank=True, editable=False)
    resting_until = models.DateTimeField(_("resting until"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    last_error = SentenceField(_("last error"), blank=True, editable=False)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When it was last locked out: earlier refusals do not count any more."""
    sight_lost_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when so many records are not visible to our user that its permissions were probably reduced."""
    sight_lost_why = SentenceField(blank=True, editable=False)
    left_out = models.TextField(_("records missing from their list"), blank=True, editable=False)
    """Kept until somebody has dealt with it."""
    last_in_at = models.DateTimeField(_("last received at"), null=True, blank=True, editable=False)
    last_out_at = models.DateTimeField(_("last sent at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state="active", purpose="tickets"),
                name="connection_one_active_per_organisation",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "active", "paused", "locked_out", "archived"]),
                name="connection_state_is_known",
            ),
            models.CheckConstraint(condition=Q(purpose__in=["tickets", "alerts"]), name="connection_purpose_is_known"),
            models.CheckConstraint(condition=Q(intake__in=["adopt", "ignore"]), name="connection_intake_is_known"),
        ]
        indexes = [models.Index(fields=["next_poll_at"], condition=Q(state="active"), name="connection_next_to_poll")]

    def __str__(self) -> str:
        return self.name


class PackPlace(models.TextChoices):
    """Where the hand-off pack of a new engagement goes in their system."""

    DESCRIPTION = "description", _("the description")
    NOTE = "note", _("a first note that only this vendor reads")
    FILE = "file", _("a file")


class Mapping(models.Model):
    """One version of how a connection's words and ours correspond. Publishing it writes nothing there."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="mappings")
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Publication, default=Publication.DRAFT)
    pack = models.CharField(_("hand-off pack"), max_length=16, choices=PackPlace, default=PackPlace.DESCRIPTION)

    class Meta:
        verbose_name = _("mapping")
        verbose_name_plural = _("mappings")
        constraints = [
            models.UniqueConstraint(fields=["connection", "version"], name="mapping_version_once_per_connection"),
            models.UniqueConstraint(
                fields=["connection"], condition=Q(status="published"), name="mapping_one_published_per_connection"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="mapping_status_is_known"
            ),
            models.CheckConstraint(condition=Q(pack__in=["description", "note", "file"]), name="mapping_pack_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} v{self.version}"


class FieldRule(models.Model):
    """How one field travels: which way, who decides, and when."""

    class Direction(models.TextChoices):
        BOTH = "both", _("both ways")
        IN = "in", _("from them to us")
        OUT = "out", _("from us to them")

    class Authority(models.TextChoices):
        OURS = "ours", _("our value wins")
        THEIRS = "theirs", _("their value wins")

    class SyncWhen(models.TextChoices):
        INSERT = "insert", _("only when the ticket is created")
        UPDATE = "update", _("whenever it changes")
        NEVER = "never", _("never")

    class Field(models.TextChoices):
        TITLE = "title", _("title")
        DESCRIPTION = "description", _("description")
        PRIORITY = "priority", _("priority")
        STATUS = "status", _("status")

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="fields")
    field = models.CharField(_("field"), max_length=32, choices=Field)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction, default=Direction.BOTH)
    authority = models.CharField(_("authority"), max_length=8, choices=Authority, default=Authority.OURS)
    sync_when = models.CharField(_("when"), max_length=8, choices=SyncWhen, default=SyncWhen.UPDATE)

    class Meta:
        verbose_name = _("field rule")
        verbose_name_plural = _("field rules")
        constraints = [
            models.UniqueConstraint(fields=["mapping", "field"], name="field_rule_once_per_field"),
            models.CheckConstraint(condition=Q(direction__in=["both", "in", "out"]), name="field_rule_direction_known"),
            models.CheckConstraint(condition=Q(authority__in=["ours", "theirs"]), name="field_rule_authority_known"),
            models.CheckConstraint(
                condition=Q(sync_when__in=["insert", "update", "never"]), name="field_rule_sync_when_known"
            ),
        ]

    def __str__(self) -> str:
        return self.field


class ValueRule(models.Model):
    """One value of a field, theirs and ours."""

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="values")
    field = models.CharField(_("field"), max_length=32, choices=[("priority", _("priority"))], default="priority")
    ours = models.CharField(_("ours"), max_length=64)
    theirs = models.CharField(_("theirs"), max_length=100)
    label = models.CharField(_("label there"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("value rule")
        verbose_name_plural = _("value rules")
        constraints = [models.UniqueConstraint(fields=["mapping", "field", "ours", "theirs"], name="value_rule_once")]

    def __str__(self) -> str:
        return f"{self.ours} = {self.theirs}"


class StatusRule(models.Model):
    """What one of their statuses means for the engagement, and which of our states it is written for."""

    class Verb(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", _("nothing yet")
        ACCEPT = "accept", _("accepted")
        WORK = "work", _("working")
        WAIT = "wait", _("waiting")
        DONE = "done", _("done")
        DECLINE = "decline", _("declined")
        RETURN = "return", _("returned")

    class Says(models.TextChoices):
        NOTHING = "", _("nothing")
        OFFERED = "offered", _("ticket offered")
        WORKING = "working", _("in progress")
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        RECALLED = "recalled", _("recalled")
        CLOSED = "closed", _("ticket closed")

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="statuses")
    theirs = models.CharField(_("theirs"), max_length=100)
    label = models.CharField(_("label there"), max_length=100, blank=True)
    verb = models.CharField(_("means"), max_length=16, choices=Verb)
    waits_on = models.CharField(
        _("waits on"),
        max_length=16,
        blank=True,
        choices=[("requester", _("the requester")), ("us", _("us")), ("own", _("the vendor itself"))],
    )
    wait_reason = models.CharField(_("wait reason"), max_length=100, blank=True)
    says = models.CharField(_("is written for"), max_length=16, choices=Says, blank=True, default=Says.NOTHING)
    place = models.CharField(_("queue"), max_length=100, blank=True)
    """Of a system where each queue has statuses of its own: the queue; empty: every queue."""

    class Meta:
        verbose_name = _("status rule")
        verbose_name_plural = _("status rules")
        constraints = [
            models.UniqueConstraint(fields=["mapping", "theirs"], name="status_rule_once_per_theirs"),
            models.UniqueConstraint(
                fields=["mapping", "says", "place"], condition=~Q(says=""), name="status_rule_once_per_ours"
            ),
            models.CheckConstraint(
                condition=Q(verb="wait", waits_on__in=["requester", "us", "own"]) | (~Q(verb="wait") & Q(waits_on="")),
                name="status_rule_wait_names_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label or self.theirs}: {self.get_verb_display()}"


class NoteRule(models.Model):
    """Who sees a note of theirs, and how a message of ours is marked there. What is not named is held."""

    class Audience(models.TextChoices):
        US = "us", _("us only")
        LEGS = "legs", _("every organisation on the ticket")
        REQUESTER = "requester", _("the requester and every organisation")

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="notes")
    theirs = models.CharField(_("visibility there"), max_length=100)
    label = models.CharField(_("label there"), max_length=100, blank=True)
    audience = models.CharField(_("audience here"), max_length=16, choices=Audience)
    is_written = models.BooleanField(
        _("used for ours"), default=False, help_text=_("Our messages for this audience get this visibility there.")
    )
    is_written_for_legs = models.BooleanField(
        _("used for organisations as well"),
        default=False,
        help_text=_("Our messages for organisations only get this visibility as well if no other is used."),
    )
    is_written_for_vendor = models.BooleanField(
        _("used for this vendor alone"),
        default=False,
        help_text=_("Our messages for this vendor alone get this visibility there, such as a private log."),
    )

    class Meta:
        verbose_name = _("note rule")
        verbose_name_plural = _("note rules")
        constraints = [
            models.UniqueConstraint(fields=["mapping", "theirs"], name="note_rule_once_per_theirs"),
            models.UniqueConstraint(
                fields=["mapping", "audience"], condition=Q(is_written=True), name="note_rule_one_written_per_audience"
            ),
            models.UniqueConstraint(
                fields=["mapping"], condition=Q(is_written_for_vendor=True), name="note_rule_one_written_for_vendor"
            ),
            models.CheckConstraint(
                condition=~Q(is_written_for_vendor=True, audience="requester"), name="note_rule_vendor_is_not_wider"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label or self.theirs}: {self.get_audience_display()}"


class Usage(models.Model):
    """How many requests all workers together made within one slice of a connection's window."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="usage")
    slice = models.BigIntegerField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usage")
        constraints = [models.UniqueConstraint(fields=["connection", "slice"], name="usage_once_per_slice")]

    def __str__(self) -> str:
        return f"{self.connection}: {self.used}"


class CallSlot(models.Model):
    """One of the few calls that may be in progress at once at one of their endpoints."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="call_slots")
    endpoint = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    until = models.FloatField(default=0)
    """A Unix timestamp: until when the slot is taken."""

    class Meta:
        verbose_name = _("call slot")
        verbose_name_plural = _("call slots")
        constraints = [
            models.UniqueConstraint(fields=["connection", "endpoint", "number"], name="call_slot_once_per_endpoint")
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.endpoint} {self.number}"
