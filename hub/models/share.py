"""What of the past an organisation may read that had no part in it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation
from .ticket import Ticket


class HistoryShare(models.Model):
    """A ticket that an organisation may read because it takes over from one that worked on it.

    It reads what every later organisation may read, as if it were told with an engagement; it can do nothing on it.
    Ended, not deleted: who could read what, and when, stays known.
    """

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="history_shares", verbose_name=_("who may read it")
    )
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="history_shares", verbose_name=_("ticket"))
    why = models.CharField(_("why"), max_length=255)
    shared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    shared_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("until"), null=True, blank=True)

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
