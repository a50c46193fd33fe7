"""The parties, their teams and places, and the people who ask."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField, is_zone


class Organisation(models.Model):
    """A party: our own IT organisation, a vendor, or the customer side.

    The public id of the one organisation that is us is the hub's id: part of every mark the hub
    leaves at a vendor.
    """

    class Kind(models.TextChoices):
        US = "us", _("our IT organisation")
        VENDOR = "vendor", _("vendor")
        CUSTOMER = "customer", _("customer")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.VENDOR)
    is_us = models.BooleanField(_("is us"), default=False, help_text=_("Exactly one organisation is us."))
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[is_zone], help_text=_("IANA name, Europe/Berlin")
    )
    calendar = models.ForeignKey(
        "hub.Calendar",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="organisations",
        verbose_name=_("calendar"),
        help_text=_("When they work. Contracts may name another."),
    )
    contact_name = models.CharField(_("contact"), max_length=150, blank=True)
    contact_email = models.EmailField(_("contact e-mail"), blank=True)
    contact_phone = models.CharField(_("contact phone"), max_length=64, blank=True)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints = [
            models.UniqueConstraint(fields=["is_us"], condition=Q(is_us=True), name="organisation_only_one_is_us"),
            models.CheckConstraint(
                condition=Q(is_us=True, kind="us") | (Q(is_us=False) & ~Q(kind="us")),
                name="organisation_us_is_of_kind_us",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    """A group inside one organisation; an OLA is promised by a team."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="teams")
    name = models.CharField(_("name"), max_length=150)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="team_name_once_per_organisation")]

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """A place where people and assets are."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="sites")
    name = models.CharField(_("name"), max_length=150)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[is_zone])

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="site_name_once_per_organisation")]

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """Somebody who asks for something, whether or not they log in."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="people")
    site = models.ForeignKey(Site, models.SET_NULL, null=True, blank=True, related_name="people")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="person")
    name = models.CharField(_("name"), max_length=150)
    email = models.EmailField(_("e-mail"), blank=True)
    job = models.CharField(_("job"), max_length=150, blank=True)
    is_vip = models.BooleanField(_("VIP"), default=False)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        indexes = [models.Index(fields=["email"], name="person_by_email")]

    def __str__(self) -> str:
        return self.name
