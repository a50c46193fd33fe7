"""Policy an admin owns: the workflow whose states a ticket shows."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField


class Phase(models.TextChoices):
    """The law: where a ticket is in its life, whatever an admin calls it."""

    NEW = "new", _("new")
    ACTIVE = "active", _("active")
    WAITING = "waiting", _("waiting")
    RESOLVED = "resolved", _("resolved")
    CLOSED = "closed", _("closed")
    CANCELLED = "cancelled", _("cancelled")


class Workflow(models.Model):
    """A named policy; its versions say which states there are."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    is_default = models.BooleanField(_("for every service without its own"), default=False)

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
    """One version of a workflow: draft, then published and immutable, fading, retired."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        FADING = "fading", _("fading")
        RETIRED = "retired", _("retired")

    workflow = models.ForeignKey(Workflow, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(_("number"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.DRAFT)
    note = models.TextField(_("what it is for"), blank=True, help_text=_("Why it is as it is; shown in the list."))
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    """A digest of everything in it, made when it is published."""
    bounce_budget = models.PositiveSmallIntegerField(
        _("bounce budget"),
        default=2,
        help_text=_("So often may a ticket come back; the next return or decline opens joint triage."),
    )
    triage_minutes = models.PositiveIntegerField(
        _("minutes for joint triage"), default=60, help_text=_("Until when the decision owner has to decide.")
    )
    most_organisations = models.PositiveSmallIntegerField(
        _("most organisations at once"), default=12, help_text=_("So many may be engaged on one ticket.")
    )
    accept_minutes = models.PositiveIntegerField(
        _("minutes to accept an offer"),
        null=True,
        blank=True,
        help_text=_("Where nothing else is said. Empty: an offer waits until it is answered."),
    )
    priority_matrix = models.JSONField(
        _("priority matrix"),
        default=dict,
        blank=True,
        help_text=_('Impact, urgency (1 to 3) to priority: {"1": {"1": "P1", "2": "P2"}}. Empty: the usual one.'),
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
    """Colours of a state, where its phase's own does not do."""

    BLUE = "blue", _("blue")
    GREEN = "green", _("green")
    YELLOW = "yellow", _("yellow")
    ORANGE = "orange", _("orange")
    RED = "red", _("red")
    PURPLE = "purple", _("purple")
    GREY = "grey", _("grey")


class State(models.Model):
    """One status of a workflow version, mapped to the phase whose law it keeps."""

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="states")
    slug = models.SlugField(_("slug"), max_length=50)
    name = models.CharField(_("name"), max_length=100)
    phase = models.CharField(_("phase"), max_length=16, choices=Phase)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    colour = models.CharField(_("colour"), max_length=16, choices=Colour, blank=True)
    wait_reason = models.SlugField(
        _("waits for"),
        max_length=30,
        blank=True,
        help_text=_("Of a waiting state; empty: the requester. A contract has to name “waiting_…” to pause."),
    )
    default_holder = models.ForeignKey(
        "hub.Organisation",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("is offered to"),
        help_text=_("Whoever is offered a ticket that comes here while nobody is engaged on it."),
    )
    requester_name = models.CharField(_("name for the requester"), max_length=100, blank=True)
    vendor_name = models.CharField(_("name for vendors"), max_length=100, blank=True)
    is_default = models.BooleanField(_("where its phase begins"), default=False)

    class Meta:
        verbose_name = _("state")
        verbose_name_plural = _("states")
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
        """What it is called for ``requester`` or ``vendor``; ours where they have no name of their own."""
        own = self.requester_name if audience == "requester" else self.vendor_name if audience == "vendor" else ""
        return own or self.name
