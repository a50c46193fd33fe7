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


class State(models.Model):
    """One status of a workflow version, mapped to the phase whose law it keeps."""

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="states")
    slug = models.SlugField(_("slug"), max_length=50)
    name = models.CharField(_("name"), max_length=100)
    phase = models.CharField(_("phase"), max_length=16, choices=Phase)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
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
