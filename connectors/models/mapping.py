"""How the values of a connection and ours correspond, in versions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import Publication

from .connection import Connection


class PackPlace(models.TextChoices):
    """Where the hand-off pack of a new engagement goes in the vendor's system."""

    DESCRIPTION = "description", _("the description")
    NOTE = "note", _("a first note that only this vendor reads")
    FILE = "file", _("a file")


class Mapping(models.Model):
    """One version of how a connection's values and ours correspond. Publishing it writes nothing to the vendor."""

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
    """How one field is synchronised: in which direction, whose value wins, and when."""

    class Direction(models.TextChoices):
        BOTH = "both", _("both ways")
        IN = "in", _("from the vendor to us")
        OUT = "out", _("from us to the vendor")

    class Authority(models.TextChoices):
        OURS = "ours", _("our value wins")
        THEIRS = "theirs", _("the vendor's value wins")

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
    """One value of a field: ours, and the vendor's."""

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="values")
    field = models.CharField(_("field"), max_length=32, choices=[("priority", _("priority"))], default="priority")
    ours = models.CharField(_("our value"), max_length=64)
    theirs = models.CharField(_("vendor's value"), max_length=100)
    label = models.CharField(_("vendor's label"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("value rule")
        verbose_name_plural = _("value rules")
        constraints = [models.UniqueConstraint(fields=["mapping", "field", "ours", "theirs"], name="value_rule_once")]

    def __str__(self) -> str:
        return f"{self.ours} = {self.theirs}"


class StatusRule(models.Model):
    """What one of the vendor's statuses means for the engagement, and for which state of ours it is set."""

    class Verb(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", _("no effect yet")
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
    theirs = models.CharField(_("vendor's status"), max_length=100)
    label = models.CharField(_("vendor's label"), max_length=100, blank=True)
    verb = models.CharField(_("means"), max_length=16, choices=Verb)
    waits_on = models.CharField(
        _("waiting for"),
        max_length=16,
        blank=True,
        choices=[("requester", _("the requester")), ("us", _("us")), ("own", _("the vendor itself"))],
    )
    wait_reason = models.CharField(_("reason for waiting"), max_length=100, blank=True)
    says = models.CharField(_("set by us for"), max_length=16, choices=Says, blank=True, default=Says.NOTHING)
    place = models.CharField(_("queue"), max_length=100, blank=True)
    """In a system where each queue has its own statuses: the queue. Empty: every queue."""

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
    """Who reads a vendor's note, and how a message of ours is marked. Notes without a rule are held."""

    class Audience(models.TextChoices):
        US = "us", _("us only")
        LEGS = "legs", _("every organisation on the ticket")
        REQUESTER = "requester", _("the requester and every organisation")

    mapping = models.ForeignKey(Mapping, models.CASCADE, related_name="notes")
    theirs = models.CharField(_("vendor's visibility"), max_length=100)
    label = models.CharField(_("vendor's label"), max_length=100, blank=True)
    audience = models.CharField(_("audience"), max_length=16, choices=Audience)
    is_written = models.BooleanField(
        _("used for our messages"), default=False, help_text=_("Our messages for this audience get this visibility.")
    )
    is_written_for_legs = models.BooleanField(
        _("also for organisations only"),
        default=False,
        help_text=_("Messages for organisations only also get this visibility if no other is set for them."),
    )
    is_written_for_vendor = models.BooleanField(
        _("for this vendor only"),
        default=False,
        help_text=_("Our messages for this vendor only get this visibility, such as a private log."),
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
