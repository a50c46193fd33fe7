"""History imported from other systems."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField


class HistoryImport(models.Model):
    """One imported log: its profile at the time, its progress, and how many rows could not be read."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    public_id = PublicIdField()
    source = models.CharField(_("source"), max_length=255)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True)
    format = models.SlugField(_("format"))
    profile = models.JSONField(_("profile"), default=dict)
    parties = models.JSONField(_("parties"), default=dict)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RUNNING)
    imported_at = models.DateTimeField(_("imported at"))
    tickets_done = models.PositiveIntegerField(_("tickets"), default=0)
    rows_done = models.PositiveIntegerField(_("rows"), default=0)
    rows_rejected = models.PositiveIntegerField(_("rejected rows"), default=0)

    class Meta:
        verbose_name = _("history import")
        verbose_name_plural = _("history imports")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["running", "done"]), name="history_import_status_is_known"),
        ]

    def __str__(self) -> str:
        return self.source


class UnmappedValue(models.Model):
    """A value of another system to which nobody has assigned a meaning yet, and how often it was seen."""

    source = models.CharField(_("source"), max_length=64, help_text=_("Public id of the connection or import."))
    field = models.CharField(_("field"), max_length=64)
    value = models.CharField(_("value"), max_length=255)
    count = models.PositiveIntegerField(_("occurrences"), default=1)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    resolved_at = models.DateTimeField(_("mapped at"), null=True, blank=True)

    class Meta:
        verbose_name = _("unmapped value")
        verbose_name_plural = _("unmapped values")
        constraints = [
            models.UniqueConstraint(fields=["source", "field", "value"], name="unmapped_value_once_per_source")
        ]

    def __str__(self) -> str:
        return f"{self.field} = {self.value!r}"
