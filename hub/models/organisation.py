"""Organisations, their teams and sites, and the people who request something."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField, is_zone


class Organisation(models.Model):
    """A party: our own IT organisation, a vendor, or a customer.

    The public id of our own organisation identifies the hub: it is part of every correlation mark that the hub writes
    into vendors' systems.
    """

    class Kind(models.TextChoices):
        US = "us", _("our IT organisation")
        VENDOR = "vendor", _("vendor")
        CUSTOMER = "customer", _("customer")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.VENDOR)
    is_us = models.BooleanField(
        _("our own organisation"), default=False, help_text=_("True for exactly one organisation.")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        default="UTC",
        validators=[is_zone],
        help_text=_("IANA name, for example Europe/Berlin."),
    )
    calendar = models.ForeignKey(
        "hub.Calendar",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="organisations",
        verbose_name=_("calendar"),
        help_text=_("The organisation's working hours. Contracts can name another calendar."),
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
    """A group inside one organisation."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="teams")
    name = models.CharField(_("name"), max_length=150)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="teams", verbose_name=_("members")
    )

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="team_name_once_per_organisation")]

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """A location of people and assets."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="sites", verbose_name=_("organisation"))
    name = models.CharField(_("name"), max_length=150)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[is_zone])

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="site_name_once_per_organisation")]

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """Somebody who requests something, with or without a log-in."""

    public_id = PublicIdField()
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="people", verbose_name=_("organisation")
    )
    site = models.ForeignKey(
        Site, models.SET_NULL, null=True, blank=True, related_name="people", verbose_name=_("site")
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="person",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=150)
    email = models.EmailField(_("e-mail"), blank=True)
    job = models.CharField(_("job title"), max_length=150, blank=True)
    is_vip = models.BooleanField(_("VIP"), default=False)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        indexes = [models.Index(fields=["email"], name="person_by_email")]

    def __str__(self) -> str:
        return self.name
