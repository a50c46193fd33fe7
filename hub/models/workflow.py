"""Workflows, their versions and statuses: policy that an admin defines."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField


class Phase(models.TextChoices):
    """The state of a ticket by law, whatever name an admin gives its statuses."""

    NEW = "new", _("new")
    ACTIVE = "active", _("active")
    WAITING = "waiting", _("waiting")
    RESOLVED = "resolved", _("resolved")
    CLOSED = "closed", _("closed")
    CANCELLED = "cancelled", _("cancelled")


class Workflow(models.Model):
    """A named policy; its versions define the statuses and transitions."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    is_default = models.BooleanField(_("default for services without their own workflow"), default=False)

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="workflow_only_one_is_default"
            )
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """One version of a workflow: draft, then published and immutable, then superseded, then retired.

    A superseded version still has open tickets; a retired one has none.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        FADING = "fading", _("superseded")
        RETIRED = "retired", _("retired")

    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="versions", verbose_name=_("workflow"))
    number = models.PositiveIntegerField(_("number"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.DRAFT)
    note = models.TextField(
        _("purpose"), blank=True, help_text=_("Why this version exists. Shown in the list of versions.")
    )
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    """A digest of the whole version, set when it is published."""
    bounce_budget = models.PositiveSmallIntegerField(
        _("return limit"),
        default=2,
        help_text=_(
            "How often a ticket may be returned, declined or left unanswered. "
            "The next return or decline starts joint triage."
        ),
    )
    triage_minutes = models.PositiveIntegerField(
        _("minutes for joint triage"), default=60, help_text=_("How long the decision owner has to decide.")
    )
    most_organisations = models.PositiveSmallIntegerField(
        _("maximum number of organisations"),
        default=12,
        help_text=_("How many organisations may be engaged on one ticket at once."),
    )
    accept_minutes = models.PositiveIntegerField(
        _("minutes to accept an offer"),
        null=True,
        blank=True,
        help_text=_("Used unless the hand-over sets its own deadline. If empty, offers do not expire."),
    )
    priority_matrix = models.JSONField(
        _("priority matrix"),
        default=dict,
        blank=True,
        help_text=_(
            'Priority by impact and urgency (1 to 3): {"1": {"1": "P1", "2": "P2"}}. If empty, the default matrix.'
        ),
    )

    class Meta:
        verbose_name = _("workflow version")
        verbose_name_plural = _("workflow versions")
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_once_per_number"),
            models.UniqueConstraint(
                fields=["workflow"], condition=Q(status="published"), name="workflow_one_published_version"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "fading", "retired"]),
                name="workflow_version_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.number}"


class Colour(models.TextChoices):
    """Colours of a status that replace the default colour of its phase."""

    BLUE = "blue", _("blue")
    GREEN = "green", _("green")
    YELLOW = "yellow", _("yellow")
    ORANGE = "orange", _("orange")
    RED = "red", _("red")
    PURPLE = "purple", _("purple")
    GREY = "grey", _("grey")


class State(models.Model):
    """One status of a workflow version, mapped to a phase; pages call it a status."""

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="states", verbose_name=_("version"))
    slug = models.SlugField(_("slug"), max_length=50)
    name = models.CharField(_("name"), max_length=100)
    phase = models.CharField(_("phase"), max_length=16, choices=Phase)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    colour = models.CharField(_("colour"), max_length=16, choices=Colour, blank=True)
    wait_reason = models.SlugField(
        _("waiting for"),
        max_length=30,
        blank=True,
        help_text=_(
            "Only for waiting statuses. If empty, the requester. "
            "Clocks pause if their contract lists “waiting_” followed by this value."
        ),
    )
    default_holder = models.ForeignKey(
        "hub.Organisation",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("offer to"),
        help_text=_("The organisation that is offered a ticket with this status if no organisation is engaged."),
    )
    requester_name = models.CharField(_("name for the requester"), max_length=100, blank=True)
    vendor_name = models.CharField(_("name for vendors"), max_length=100, blank=True)
    is_default = models.BooleanField(_("first status of its phase"), default=False)

    class Meta:
        verbose_name = _("status")
        verbose_name_plural = _("statuses")
        constraints = [
            models.UniqueConstraint(fields=["version", "slug"], name="state_slug_once_per_version"),
            models.UniqueConstraint(
                fields=["version", "phase"], condition=Q(is_default=True), name="state_one_default_per_phase"
            ),
            models.CheckConstraint(
                condition=Q(phase__in=["new", "active", "waiting", "resolved", "closed", "cancelled"]),
                name="state_phase_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def name_for(self, audience: str) -> str:
        """The name shown to ``requester`` or ``vendor``; our own name if there is none for that audience."""
        own = self.requester_name if audience == "requester" else self.vendor_name if audience == "vendor" else ""
        return own or self.name
