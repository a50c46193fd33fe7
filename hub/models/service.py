"""Services: what the business consumes."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField
from .organisation import Person


def main_currency() -> str:
    """The hub's main currency."""
    return str(settings.CURRENCY)


class Service(models.Model):
    """What the business consumes: payroll, e-mail, printing."""

    class Tier(models.IntegerChoices):
        MISSION_CRITICAL = 1, _("1, mission critical")
        IMPORTANT = 2, _("2, important")
        NORMAL = 3, _("3, normal")
        LOW = 4, _("4, low")

    class Strategy(models.TextChoices):
        DIFFERENTIATOR = "differentiator", _("differentiator")
        COMMODITY = "commodity", _("commodity")

    class NoteAudience(models.TextChoices):
        US = "us", _("us only")
        LEGS = "legs", _("every organisation on the ticket")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    tier = models.PositiveSmallIntegerField(_("tier"), choices=Tier, default=Tier.NORMAL)
    strategy = models.CharField(_("strategy"), max_length=16, choices=Strategy, default=Strategy.COMMODITY)
    outage_cost = models.DecimalField(
        _("cost of an outage hour"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("What an hour without the service costs. Open tickets are ranked by this."),
    )
    outage_currency = models.CharField(
        _("currency of that cost"),
        max_length=3,
        default=main_currency,
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Three capital letters, such as EUR."))],
    )
    business_owner = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="owned_services", verbose_name=_("business owner")
    )
    depends_on = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="dependents", verbose_name=_("depends on")
    )
    workflow = models.ForeignKey(
        "hub.Workflow",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="services",
        verbose_name=_("workflow"),
        help_text=_("If empty, the default workflow."),
    )
    note_audience = models.CharField(
        _("audience of vendor notes"),
        max_length=8,
        choices=NoteAudience,
        default=NoteAudience.LEGS,
        help_text=_("Who can read a vendor's public notes besides us."),
    )

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        constraints = [
            models.CheckConstraint(condition=Q(tier__in=[1, 2, 3, 4]), name="service_tier_is_known"),
            models.CheckConstraint(
                condition=Q(outage_cost__isnull=True) | Q(outage_cost__gte=0), name="service_cost_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name
