"""Guest links: how a vendor without a system or a log-in works on one engagement."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.models import Leg
from hub.models.fields import PublicIdField


class GuestLink(models.Model):
    """One signed address for one engagement. It expires, can be revoked, and every use is an event."""

    public_id = PublicIdField()
    leg = models.ForeignKey(Leg, models.CASCADE, related_name="guest_links", verbose_name=_("engagement"))
    made_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    opened_at = models.DateTimeField(_("last opened at"), null=True, blank=True)
    window_at = models.DateTimeField(null=True, blank=True)
    window_uses = models.PositiveIntegerField(default=0)
    """Uses within the hour that started at `window_at`."""

    class Meta:
        verbose_name = _("guest link")
        verbose_name_plural = _("guest links")

    def __str__(self) -> str:
        return f"{self.leg} {self.public_id}"
