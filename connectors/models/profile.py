"""The description of a system's API for the REST connector: a document in versions, owned by an admin."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hub.models import Publication


class Profile(models.Model):
    """One version of a profile. A connection keeps the version it was created with until somebody changes it."""

    connector = models.SlugField(_("connector"), editable=False)
    slug = models.SlugField(_("short name"), editable=False)
    name = models.CharField(_("name"), max_length=150, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    status = models.CharField(
        _("status"), max_length=16, choices=Publication, default=Publication.DRAFT, editable=False
    )
    document = models.TextField(
        _("document"), help_text=_("TOML; docs/how-to/connect-a-rest-vendor.md explains each table.")
    )
    is_shipped = models.BooleanField(_("shipped with Ticket Hub"), default=False, editable=False)
    made_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        constraints = [
            models.UniqueConstraint(fields=["connector", "slug", "version"], name="profile_version_once"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="profile_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def save(self, *args: Any, **more: Any) -> None:
        """Save, and let every process read again what it keeps of the connections with this profile."""
        with transaction.atomic():
            super().save(*args, **more)
            self.connections.update(revision=F("revision") + 1)
