"""The targets of contracts."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .calendar import Calendar
from .contract import Contract


class Target(models.Model):
    """One promise of a contract: a goal for one kind of target and one priority."""

    class Kind(models.TextChoices):
        ACKNOWLEDGE = "acknowledge", _("acknowledgement")
        FIRST_RESPONSE = "first_response", _("first response")
        NEXT_UPDATE = "next_update", _("next update")
        RESOLVE = "resolve", _("resolution")

    contract = models.ForeignKey(Contract, models.CASCADE, related_name="targets")
    kind = models.CharField(_("target"), max_length=16, choices=Kind)
    priority = models.CharField(_("priority"), max_length=16)
    goal_seconds = models.PositiveIntegerField(
        _("goal in seconds"),
        null=True,
        blank=True,
        help_text=_("Business seconds. If empty, the time is measured without a goal."),
    )
    calendar = models.ForeignKey(
        Calendar,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("calendar"),
        help_text=_("Only if this priority has different working hours from the contract."),
    )

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        constraints = [
            models.UniqueConstraint(
                fields=["contract", "kind", "priority"], name="target_once_per_contract_kind_priority"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["acknowledge", "first_response", "next_update", "resolve"]),
                name="target_kind_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.priority}"
