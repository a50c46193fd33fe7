"""A vendor's system, how it is reached, and its condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hub.models import Organisation
from hub.models.fields import PublicIdField, SentenceField

CONDITION = frozenset(
    {
        "cursor",
        "failures",
        "healed_at",
        "hook_checked_at",
        "hook_note",
        "key_asked_at",
        "last_error",
        "last_in_at",
        "last_out_at",
        "left_out",
        "locked_at",
        "next_poll_at",
        "reading_until",
        "rejected_before",
        "rejected_hooks",
        "resting_until",
        "revision",
        "sight_lost_at",
        "sight_lost_why",
        "stray_hooks",
        "unready_hooks",
    }
)
"""Fields that say how a connection fares. A change of any other field makes a new revision."""


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Rows whose revision counts on with every change of what a connection is, however it is made."""

    def update(self, **changes: Any) -> int:
        if not CONDITION.issuperset(changes):
            changes["revision"] = F("revision") + 1
        return super().update(**changes)


class Connection(models.Model):
    """One vendor's system, reached through one connector. Its times are system time, not the time of the record."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        LOCKED_OUT = "locked_out", _("locked out")
        ARCHIVED = "archived", _("archived")

    class Intake(models.TextChoices):
        ADOPT = "adopt", _("import: a ticket created by the vendor becomes our ticket")
        IGNORE = "ignore", _("ignore: only tickets that we sent are synchronised")

    class Purpose(models.TextChoices):
        TICKETS = "tickets", _("tickets in both directions")
        ALERTS = "alerts", _("incoming alerts")

    class Acceptance(models.TextChoices):
        STATUS = "status", _("the vendor's status means accepted")
        ASSIGNED = "assigned", _("the vendor's status means accepted, or one of the vendor's people is assigned")

    class SensitiveData(models.TextChoices):
        WARN = "warn", _("warn before it is sent")
        MASK = "mask", _("mask it in what is sent")
        REFUSE = "refuse", _("refuse to send it")

    public_id = PublicIdField()
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    """Counts the changes of settings, credentials and state. What a process keeps of a connection is kept by it."""
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
    intake = models.CharField(_("tickets created by the vendor"), max_length=16, choices=Intake, default=Intake.ADOPT)
    intake_queues = models.JSONField(_("queues to import from"), default=list, blank=True)
    """Values of the vendor's queue picklist; empty means every queue that our user can see."""
    acceptance = models.CharField(_("accepted when"), max_length=16, choices=Acceptance, default=Acceptance.STATUS)
    service = models.ForeignKey(
        "hub.Service",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        verbose_name=_("service of tickets created by the vendor"),
    )
    sensitive_data = models.CharField(
        _("passwords, keys and account, card or ID numbers"),
        max_length=8,
        choices=SensitiveData,
        default=SensitiveData.WARN,
        help_text=_(
            "What happens if a text for the vendor seems to contain a password, a key, or an account, card or "
            "ID number. A file cannot be masked; with that rule it is not sent."
        ),
    )
    poll_seconds = models.PositiveIntegerField(_("seconds between polls"), default=60)
    own_user = models.CharField(_("our user"), max_length=64, blank=True, editable=False)
    memory = models.JSONField(default=dict, blank=True, editable=False)
    """What the connector learned and keeps between calls: see `Ports.memory`."""
    cursor = models.TextField(_("cursor"), blank=True, editable=False)
    hook_id = models.CharField(_("webhook registration"), max_length=64, blank=True, editable=False)
    hook_url = models.CharField(_("URL registered for the webhook"), max_length=300, blank=True, editable=False)
    hook_note = SentenceField(_("webhook note"), blank=True, editable=False)
    hook_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    share = models.PositiveIntegerField(_("our share of the vendor's rate limit (percent)"), null=True, blank=True)
    rejected_hooks = models.PositiveIntegerField(_("webhooks with a wrong signature"), default=0, editable=False)
    rejected_before = models.PositiveIntegerField(default=0, editable=False)
    """The value of `rejected_hooks` when a webhook was last accepted."""
    unready_hooks = models.PositiveIntegerField(_("webhooks whose key could not be fetched"), default=0, editable=False)
    stray_hooks = models.PositiveIntegerField(_("unexpected webhooks"), default=0, editable=False)
    key_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When a key for checking webhooks was last requested."""
    next_poll_at = models.DateTimeField(null=True, blank=True, editable=False)
    reading_until = models.DateTimeField(null=True, blank=True, editable=False)
    """The lease of the worker that reads the alerts of this connection in order."""
    healed_at = models.DateTimeField(_("all links last read at"), null=True, blank=True, editable=False)
    resting_until = models.DateTimeField(_("paused until"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    last_error = SentenceField(_("last error"), blank=True, editable=False)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When it was last locked out; earlier refusals no longer count."""
    sight_lost_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when so many records are invisible to our user that its permissions were probably reduced."""
    sight_lost_why = SentenceField(blank=True, editable=False)
    left_out = SentenceField(_("records missing from the vendor's list"), blank=True, editable=False)
    """Kept until a person marks it as handled."""
    last_in_at = models.DateTimeField(_("last received at"), null=True, blank=True, editable=False)
    last_out_at = models.DateTimeField(_("last sent at"), null=True, blank=True, editable=False)

    objects = ConnectionQuerySet.as_manager()

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
            models.CheckConstraint(
                condition=Q(sensitive_data__in=["warn", "mask", "refuse"]), name="connection_sensitive_data_is_known"
            ),
            models.CheckConstraint(condition=Q(intake__in=["adopt", "ignore"]), name="connection_intake_is_known"),
        ]
        indexes = [models.Index(fields=["next_poll_at"], condition=Q(state="active"), name="connection_next_to_poll")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **more: Any) -> None:
        fields = None if update_fields is None else set(update_fields)
        if fields is not None and CONDITION.issuperset(fields):
            super().save(*args, update_fields=fields, **more)
            return
        is_new = self._state.adding or self.pk is None or bool(more.get("force_insert"))
        if fields is None and not is_new:
            loaded = [field for field in self._meta.concrete_fields if field.attname not in self.get_deferred_fields()]
            fields = {field.name for field in loaded if not field.primary_key} - {"revision"}
        with transaction.atomic():
            super().save(*args, update_fields=fields, **more)
            type(self)._base_manager.filter(pk=self.pk).update(revision=F("revision") + 1)


class Usage(models.Model):
    """How many requests all workers made within one slice of the connection's rate-limit window."""

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
    """One of the few calls that may be in progress at once at an endpoint of the vendor."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="call_slots")
    endpoint = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    until = models.FloatField(default=0)
    """Until when the slot is taken, as a Unix timestamp."""

    class Meta:
        verbose_name = _("call slot")
        verbose_name_plural = _("call slots")
        constraints = [
            models.UniqueConstraint(fields=["connection", "endpoint", "number"], name="call_slot_once_per_endpoint")
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.endpoint} {self.number}"
