"""The ticket, and relations between tickets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from .asset import Asset
from .fields import PublicIdField
from .organisation import Organisation, Person, Site, Team
from .service import Service
from .workflow import Phase, State

REOPEN_WINDOW = timedelta(days=14)


class Priority(models.TextChoices):
    P1 = "P1", _("P1, critical")
    P2 = "P2", _("P2, high")
    P3 = "P3", _("P3, medium")
    P4 = "P4", _("P4, low")


class Degree(models.IntegerChoices):
    """The degree of impact or urgency."""

    HIGH = 1, _("1, high")
    MEDIUM = 2, _("2, medium")
    LOW = 3, _("3, low")


class Resolution(NamedTuple):
    """What was done to resolve a ticket, or to complete an engagement."""

    text: str = ""
    code: str = ""
    """One of `ResolutionCode`, or empty."""
    is_shared: bool = True
    """Whether organisations that are engaged later receive the text."""


class ResolutionCode(models.TextChoices):
    """How a ticket was resolved."""

    SOLVED = "solved", _("solved permanently")
    WORKAROUND = "workaround", _("workaround")
    BY_ITSELF = "by_itself", _("recovered without intervention")
    BY_REQUESTER = "by_requester", _("solved by the requester")
    NO_FAULT = "no_fault", _("no fault found")
    NOT_SOLVED = "not_solved", _("not solved")


OPEN = (Phase.NEW, Phase.ACTIVE, Phase.WAITING)
"""The phases of an open ticket."""
OPEN_LISTS = {
    "change": ["-changed_at", "-number"],
    "priority": ["priority", "number"],
    "opening": ["opened_at", "number"],
    "holding": ["held_since", "number"],
    "number": ["number"],
}
"""The orders of lists of open tickets that have an index of their own."""


class Ticket(models.Model):
    """The one record of a request: what is requested, who is accountable, who has to act next.

    `phase` is law: its transitions set fields of this row only, and only `workflows.lifecycle.transitions` calls
    them, under the row's lock. `status` is policy: a State of the workflow version that the ticket follows.
    """

    class Kind(models.TextChoices):
        INCIDENT = "incident", _("incident")
        REQUEST = "request", _("request")
        PROBLEM = "problem", _("problem")
        CHANGE = "change", _("change")

    public_id = PublicIdField()
    number = models.PositiveBigIntegerField(_("number"), unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.INCIDENT)
    title = models.CharField(_("title"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    priority = models.CharField(_("priority"), max_length=16, default=Priority.P3)
    impact = models.PositiveSmallIntegerField(_("impact"), choices=Degree, null=True, blank=True)
    urgency = models.PositiveSmallIntegerField(_("urgency"), choices=Degree, null=True, blank=True)
    is_priority_set = models.BooleanField(
        _("priority set manually"),
        default=False,
        help_text=_("The priority is no longer derived from impact, urgency and service."),
    )
    is_major = models.BooleanField(_("major incident"), default=False)
    bounces = models.PositiveSmallIntegerField(_("returns"), default=0, editable=False)
    phase = FSMField(_("phase"), max_length=16, choices=Phase.choices, default=Phase.NEW, protected=True)
    status = models.ForeignKey(State, models.PROTECT, related_name="tickets", verbose_name=_("status"))
    owner = models.ForeignKey(
        Organisation, models.PROTECT, related_name="owned_tickets", verbose_name=_("accountable organisation")
    )
    holder = models.ForeignKey(
        Organisation, models.PROTECT, related_name="held_tickets", verbose_name=_("has to act next")
    )
    held_since = models.DateTimeField(_("held since"))
    hold_reason = models.CharField(_("reason"), max_length=64, blank=True)
    requester = models.ForeignKey(
        Person, models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("requester")
    )
    service = models.ForeignKey(
        Service, models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("service")
    )
    asset = models.ForeignKey(
        Asset, models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("asset")
    )
    site = models.ForeignKey(
        Site, models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("site")
    )
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("team")
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="assigned_tickets",
        verbose_name=_("assignee"),
    )
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="aliases", verbose_name=_("merged into")
    )
    opened_at = models.DateTimeField(_("opened at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    changed_at = models.DateTimeField(_("last changed at"))
    resolution = models.TextField(_("resolution"), blank=True)
    """What was done, as last recorded. It is kept when the ticket is reopened."""
    resolution_code = models.CharField(_("resolution code"), max_length=16, choices=ResolutionCode, blank=True)
    is_resolution_shared = models.BooleanField(
        _("resolution shared"),
        default=True,
        help_text=_("Included in later hand-off packs."),
    )
    last_seq = models.PositiveIntegerField(default=0, editable=False)
    chain_head = models.CharField(max_length=64, blank=True, editable=False)
    imported_from = models.ForeignKey(
        "hub.HistoryImport", models.PROTECT, null=True, blank=True, related_name="tickets", editable=False
    )
    source_number = models.CharField(_("number in the source system"), max_length=64, blank=True, editable=False)
    raw = models.JSONField(_("raw values"), default=dict, blank=True, editable=False)
    is_indexed = models.BooleanField(default=False, editable=False)
    """Whether the search index has the current texts; see `hub.search.indexing`."""

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        constraints = [
            models.CheckConstraint(
                condition=Q(phase__in=["new", "active", "waiting", "resolved", "closed", "cancelled"]),
                name="ticket_phase_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["incident", "request", "problem", "change"]), name="ticket_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(phase="cancelled"), name="ticket_merged_is_cancelled"
            ),
            models.UniqueConstraint(
                fields=["imported_from", "source_number"],
                condition=Q(imported_from__isnull=False),
                name="ticket_once_per_import",
            ),
        ]
        indexes = [
            models.Index(fields=["phase", "-changed_at"], name="ticket_by_phase_and_change"),
            models.Index(fields=["holder", "phase"], name="ticket_by_holder_and_phase"),
            models.Index(fields=["-changed_at", "-number"], name="ticket_by_change"),
            *(
                models.Index(
                    fields=fields, condition=Q(phase__in=OPEN, imported_from=None), name=f"ticket_open_by_{name}"
                )
                for name, fields in OPEN_LISTS.items()
            ),
            models.Index(
                fields=["opened_at", "number"],
                condition=~Q(phase__in=OPEN) & Q(imported_from=None),
                name="ticket_ended_by_opening",
            ),
            models.Index(fields=["id"], condition=Q(is_indexed=False), name="ticket_to_index"),
            models.Index(fields=["id"], condition=Q(is_major=True, phase__in=OPEN), name="ticket_major_and_open"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.title}"

    @property
    def label(self) -> str:
        return f"TH-{self.number}"

    @property
    def is_open(self) -> bool:
        return self.phase in OPEN

    @property
    def is_history(self) -> bool:
        return self.imported_from_id is not None

    @property
    def goes_on_as(self) -> Ticket:
        """The ticket that continues this one: itself, or the ticket it was merged into."""
        return self.merged_into or self

    def get_absolute_url(self) -> str:
        return reverse("console:ticket", args=[self.public_id])

    def may_reopen(self, at: datetime) -> bool:
        """Whether the ticket is resolved, or was closed within the reopen window before `at`."""
        if self.phase == Phase.RESOLVED:
            return True
        return self.phase == Phase.CLOSED and self.closed_at is not None and at <= self.closed_at + REOPEN_WINDOW

    @transition(field=phase, source=[Phase.NEW, Phase.WAITING], target=Phase.ACTIVE)
    def activate(self, *, status: State) -> None:
        """Work begins or resumes."""
        self.status = status

    @transition(field=phase, source=[Phase.NEW, Phase.ACTIVE], target=Phase.WAITING)
    def wait(self, *, status: State) -> None:
        """Work cannot continue until the requester or a third party answers."""
        self.status = status

    @transition(field=phase, source=[Phase.NEW, Phase.ACTIVE, Phase.WAITING], target=Phase.RESOLVED)
    def resolve(self, *, status: State, at: datetime, resolution: Resolution) -> None:
        """The requester can work again. Without a text, an earlier resolution stays."""
        self.status = status
        self.resolved_at = at
        if resolution.text or resolution.code:
            self.resolution, self.resolution_code = resolution.text, resolution.code
            self.is_resolution_shared = resolution.is_shared

    @transition(field=phase, source=Phase.RESOLVED, target=Phase.CLOSED)
    def close(self, *, status: State, at: datetime) -> None:
        """Nobody objected to the resolution."""
        self.status = status
        self.closed_at = at

    @transition(field=phase, source=[Phase.RESOLVED, Phase.CLOSED], target=Phase.ACTIVE)
    def reopen(self, *, status: State) -> None:
        """The ticket was not resolved and is worked on again."""
        self.status = status
        self.resolved_at = None
        self.closed_at = None

    @transition(field=phase, source=[Phase.NEW, Phase.ACTIVE, Phase.WAITING], target=Phase.CANCELLED)
    def cancel(self, *, status: State, at: datetime) -> None:
        """End the ticket for good: the request was withdrawn, or the ticket was merged into another."""
        self.status = status
        self.closed_at = at


class Relation(models.Model):
    """A directed relation between two tickets: `from_ticket` is `kind` of `to_ticket`."""

    class Kind(models.TextChoices):
        PARENT = "parent", _("is parent of")
        DUPLICATE = "duplicate", _("is duplicate of")
        CAUSED_BY = "caused_by", _("is caused by")
        BLOCKS = "blocks", _("blocks")
        FOLLOWS = "follows", _("follows")

    from_ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="relations")
    to_ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="related_from")
    kind = models.CharField(max_length=16, choices=Kind)

    class Meta:
        verbose_name = _("relation")
        verbose_name_plural = _("relations")
        constraints = [
            models.UniqueConstraint(fields=["from_ticket", "to_ticket", "kind"], name="relation_once"),
            models.CheckConstraint(
                condition=~Q(from_ticket=models.F("to_ticket")), name="relation_is_between_two_tickets"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["parent", "duplicate", "caused_by", "blocks", "follows"]),
                name="relation_kind_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_ticket.label} {self.get_kind_display()} {self.to_ticket.label}"
