"""Promises: calendars, contracts and their targets. Immutable once published."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hub.sla.calendars import BadCalendar, CalendarSpec

from .fields import PublicIdField
from .organisation import Organisation
from .service import Service


class Publication(models.TextChoices):
    """Where a versioned policy is in its life."""

    DRAFT = "draft", _("draft")
    PUBLISHED = "published", _("published")
    RETIRED = "retired", _("retired")


class Calendar(models.Model):
    """One version of somebody's working hours: a zone, windows a weekday, holidays, exceptions."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150)
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Publication, default=Publication.DRAFT)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", help_text=_("IANA name, Europe/Berlin"))
    weekly = models.JSONField(
        _("windows"),
        default=dict,
        help_text=_('Per weekday: {"mon": [["09:00", "17:00"]]}. "24:00" ends the day; 22:00-06:00 runs overnight.'),
    )
    holidays = models.JSONField(_("holidays"), default=list, blank=True, help_text=_('Closed dates: ["2026-12-25"].'))
    exceptions = models.JSONField(
        _("exceptions"),
        default=dict,
        blank=True,
        help_text=_('Dates with windows of their own: {"2026-12-24": [["09:00", "12:00"]]}.'),
    )

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="calendar_version_once_per_name"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="calendar_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def clean(self) -> None:
        try:
            self.spec()
        except (BadCalendar, AttributeError, TypeError) as error:
            raise ValidationError(str(error)) from error

    def spec(self) -> CalendarSpec:
        """The calendar as hub.sla reads it; BadCalendar where it cannot be understood."""
        return CalendarSpec.parse(
            zone=self.time_zone, weekly=self.weekly, holidays=self.holidays, exceptions=self.exceptions
        )


class Contract(models.Model):
    """One version of what an organisation promised for a service.

    SLA: we promise the business. OLA: an internal team promises us. UC: a vendor promises us.
    """

    class Kind(models.TextChoices):
        SLA = "sla", _("SLA: we promise the business")
        OLA = "ola", _("OLA: an internal team promises us")
        UC = "uc", _("UC: a vendor promises us")

    class Reopen(models.TextChoices):
        RESUME = "resume", _("resume: the resolved gap is not counted")
        CONTINUE = "continue", _("continue: the gap is counted")
        RESTART = "restart", _("restart: a new cycle")

    class OnReturn(models.TextChoices):
        ACCUMULATE = "accumulate", _("accumulate: the clock goes on where it stood")
        RESTART = "restart", _("restart: every engagement has the full goal")

    class OnChange(models.TextChoices):
        CARRY = "carry", _("carry: minutes stay measured by the calendar of their time")
        RETROACTIVE = "retroactive", _("retroactive: measured anew by the newest calendar")

    class StartsOn(models.TextChoices):
        DELIVERY = "delivery", _("confirmed delivery")
        ACCEPTANCE = "acceptance", _("acceptance")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150)
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Publication, default=Publication.DRAFT)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="contracts",
        verbose_name=_("promised by"),
        help_text=_("Empty: whoever holds the ticket (history only)."),
    )
    service = models.ForeignKey(
        Service,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="contracts",
        verbose_name=_("service"),
        help_text=_("Empty: every service without a contract of its own."),
    )
    calendar = models.ForeignKey(Calendar, models.PROTECT, related_name="contracts", verbose_name=_("calendar"))
    pause_reasons = models.JSONField(
        _("pauses while"),
        default=list,
        help_text=_("Of waiting_requester, waiting_us, waiting_other, waiting_own and contested (joint triage)."),
    )
    on_reopen = models.CharField(_("after a reopen"), max_length=16, choices=Reopen, default=Reopen.RESUME)
    on_return = models.CharField(_("after a return"), max_length=16, choices=OnReturn, default=OnReturn.ACCUMULATE)
    on_change = models.CharField(_("after a change of terms"), max_length=16, choices=OnChange, default=OnChange.CARRY)
    starts_on = models.CharField(_("resolve starts at"), max_length=16, choices=StartsOn, default=StartsOn.DELIVERY)
    may_resolve = models.BooleanField(
        _("may resolve"), default=False, help_text=_("The vendor's own 'done' resolves the ticket.")
    )
    history_policy = models.SlugField(
        _("history policy"),
        blank=True,
        help_text=_("Only for imported tickets: the policy of the import profile this stands for."),
    )
    rules = models.JSONField(
        _("clock rules"),
        default=dict,
        blank=True,
        help_text=_("Only for imported history: which statuses start, stop, pause and resume the clock."),
    )

    class Meta:
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="contract_version_once_per_name"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="contract_status_is_known"
            ),
            models.CheckConstraint(condition=Q(kind__in=["sla", "ola", "uc"]), name="contract_kind_is_known"),
            models.CheckConstraint(
                condition=Q(organisation__isnull=False) | ~Q(history_policy=""),
                name="contract_without_promiser_is_history",
            ),
        ]
        indexes = [models.Index(fields=["status", "kind"], name="contract_by_status_and_kind")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Target(models.Model):
    """One promise of a contract: a goal for one kind of target and one priority."""

    class Kind(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", _("acknowledge")
        FIRST_RESPONSE = "first_response", _("first response")
        NEXT_UPDATE = "next_update", _("next update")
        RESOLVE = "resolve", _("resolve")

    contract = models.ForeignKey(Contract, models.CASCADE, related_name="targets")
    kind = models.CharField(_("target"), max_length=16, choices=Kind)
    priority = models.CharField(_("priority"), max_length=16)
    goal_seconds = models.PositiveIntegerField(
        _("goal in seconds"), null=True, blank=True, help_text=_("Business seconds. Empty: measured without a goal.")
    )
    calendar = models.ForeignKey(
        Calendar,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("calendar"),
        help_text=_("Only where this priority runs by other hours than the contract."),
    )

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        constraints = [
            models.UniqueConstraint(
                fields=["contract", "kind", "priority"], name="target_once_per_contract_kind_priority"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["acknowledge", "first_response", "next_update", "resolve"]),
                name="target_kind_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.priority}"


class Clock(models.Model):
    """Where one promise stands for one (ticket, target, party, cycle): a fold of the ticket's events."""

    class State(models.TextChoices):
        NOT_STARTED = "not_started", _("not started")
        ACTIVE = "active", _("running")
        PAUSED = "paused", _("paused")
        IDLE = "idle", _("idle")
        STOPPED = "stopped", _("stopped")
        CANCELLED = "cancelled", _("cancelled")

    ticket = models.ForeignKey("hub.Ticket", models.CASCADE, related_name="clocks")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="clocks")
    target = models.CharField(_("target"), max_length=16, choices=Target.Kind)
    party = models.ForeignKey(Organisation, models.PROTECT, related_name="clocks")
    calendar = models.ForeignKey(Calendar, models.PROTECT, null=True, related_name="+")
    """The one in force: a priority may have hours of its own."""
    cycle = models.PositiveIntegerField(default=0)
    is_current = models.BooleanField(default=True)
    state = models.CharField(_("state"), max_length=16, choices=State)
    revision = models.PositiveIntegerField(default=0)
    goal_seconds = models.PositiveIntegerField(null=True)
    used_seconds = models.PositiveIntegerField(default=0)
    paused_seconds = models.PositiveIntegerField(default=0)
    as_of = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    projected_due_at = models.DateTimeField(null=True)
    breach_at = models.DateTimeField(null=True)
    is_breached = models.BooleanField(default=False)
    breaches = models.JSONField(default=list)
    next_fire_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "contract", "target", "party", "cycle"],
                name="clock_once_per_ticket_target_party_cycle",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["not_started", "active", "paused", "idle", "stopped", "cancelled"]),
                name="clock_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_fire_at"], condition=Q(next_fire_at__isnull=False), name="clock_next_to_fire"),
            models.Index(fields=["is_current", "state", "due_at"], name="clock_by_state_and_due"),
            models.Index(fields=["is_breached", "is_current"], name="clock_breached"),
        ]

    def __str__(self) -> str:
        return f"{self.contract} {self.target} of {self.party}"

    @property
    def hours(self) -> Calendar:
        """The calendar it counts in."""
        return self.calendar or self.contract.calendar


class Span(models.Model):
    """A stretch of one clock in one state, half-open; an open end is still going on."""

    clock = models.ForeignKey(Clock, models.CASCADE, related_name="spans")
    state = models.CharField(max_length=16, choices=Clock.State)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("span")
        verbose_name_plural = _("spans")
        constraints = [
            models.CheckConstraint(
                condition=Q(until_at__isnull=True) | Q(until_at__gt=F("from_at")), name="span_is_not_empty"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} from {self.from_at:%Y-%m-%d %H:%M:%S}"
