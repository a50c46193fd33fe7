"""Read access of an organisation to tickets of its predecessor."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation
from .ticket import Ticket


class HistoryShare(models.Model):
    """The right of an organisation to read a ticket of its predecessor.

    It can read what every later organisation may read, as in a briefing, and cannot change the ticket. A share is
    ended, not deleted: the record shows who could read what, and when.
    """

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="history_shares", verbose_name=_("shared with")
    )
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="history_shares", verbose_name=_("ticket"))
    why = models.CharField(_("reason"), max_length=255)
    shared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("shared by")
    )
    shared_at = models.DateTimeField(_("shared at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("shared history")
        verbose_name_plural = _("shared history")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "ticket"], condition=models.Q(ended_at=None), name="history_shared_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.organisation}: {self.ticket.label}"
