"""The time ledger of tickets: a projection that can be rebuilt from the events."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation
from .ticket import Ticket


class LedgerSegment(models.Model):
    """A half-open stretch of a ticket's life with one holder and one charged party."""

    class Charge(models.TextChoices):
        CONTESTED = "contested", _("contested")
        HUB = "hub", _("transport")
        NOBODY = "nobody", _("nobody")
        REQUESTER = "requester", _("the requester")
        HOLDER = "holder", _("the holder")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="ledger")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    charge = models.CharField(max_length=16, choices=Charge)
    charged_to = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("ledger segment")
        verbose_name_plural = _("ledger")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "from_at"], name="ledger_one_segment_per_start"),
            models.UniqueConstraint(
                fields=["ticket"], condition=Q(until_at__isnull=True), name="ledger_one_open_segment_per_ticket"
            ),
            models.CheckConstraint(
                condition=Q(until_at__isnull=True) | Q(until_at__gt=F("from_at")), name="ledger_segment_is_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(charge__in=["contested", "hub", "nobody", "requester", "holder"]),
                name="ledger_charge_is_known",
            ),
            models.CheckConstraint(
                condition=Q(charge="holder", charged_to__isnull=False)
                | (~Q(charge="holder") & Q(charged_to__isnull=True)),
                name="ledger_charged_to_the_holder_names_it",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder} from {self.from_at:%Y-%m-%d %H:%M:%S}"
