"""Saved views of the ticket list, and what each person made of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField


class SavedView(models.Model):
    """A list of tickets that somebody gave a name: its filters, order and columns."""

    class Audience(models.TextChoices):
        PERSONAL = "personal", _("only me")
        TEAMS = "teams", _("members of my teams")
        EVERYONE = "everyone", _("everyone in our organisation")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="views", verbose_name=_("owner"))
    audience = models.CharField(_("audience"), max_length=10, choices=Audience, default=Audience.PERSONAL)
    query = models.TextField(_("query"), help_text=_("The query string of the list."))

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_once_per_owner"),
            models.CheckConstraint(
                condition=Q(audience__in=["personal", "teams", "everyone"]), name="saved_view_audience_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ViewPreference(models.Model):
    """What one person made of a saved view: whether their navigation shows it, and the order and columns they chose."""

    view = models.ForeignKey(SavedView, models.CASCADE, related_name="preferences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="view_preferences")
    pinned_at = models.DateTimeField(null=True)
    """Since when the navigation shows it; None if it does not."""
    sort = models.CharField(max_length=30, blank=True)
    columns = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("view preference")
        verbose_name_plural = _("view preferences")
        constraints = [models.UniqueConstraint(fields=["view", "user"], name="view_preference_once_per_user")]

    def __str__(self) -> str:
        return f"{self.view} ({self.user})"
