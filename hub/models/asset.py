"""Assets: what a ticket can be about."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField
from .organisation import Organisation, Person, Site
from .service import Service


class Asset(models.Model):
    """Something a ticket is about (a configuration item in ITIL)."""

    public_id = PublicIdField()
    tag = models.CharField(_("tag"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=150)
    owner = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="assets", verbose_name=_("owner")
    )
    service = models.ForeignKey(
        Service, models.SET_NULL, null=True, blank=True, related_name="assets", verbose_name=_("service")
    )
    site = models.ForeignKey(
        Site, models.SET_NULL, null=True, blank=True, related_name="assets", verbose_name=_("site")
    )
    organisation = models.ForeignKey(
        Organisation, models.SET_NULL, null=True, blank=True, related_name="assets", verbose_name=_("organisation")
    )

    class Meta:
        verbose_name = _("asset")
        verbose_name_plural = _("assets")

    def __str__(self) -> str:
        return f"{self.tag} {self.name}"
