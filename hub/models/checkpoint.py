"""Where the fold of a long ticket may start: a cache of what its older events amount to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .ticket import Ticket


class Checkpoint(models.Model):
    """The state of one fold of a ticket after one of its events, in order of time; it can be deleted at any time."""

    class Fold(models.TextChoices):
        LEDGER = "ledger", _("ledger")
        CLOCKS = "clocks", _("clocks")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="checkpoints")
    fold = models.CharField(max_length=8, choices=Fold)
    occurred_at = models.DateTimeField()
    """When the newest event in it occurred; with `seq`, its place in the order of time."""
    seq = models.IntegerField()
    covered_seq = models.IntegerField()
    """The ticket's newest event when this was kept. A later one that belongs before the end makes this invalid."""
    next_seq = models.IntegerField()
    """No event that is not in it has a lower number."""
    rules = models.CharField(max_length=64)
    """A digest of the code that folded; see `hub.domain.checkpoints.RULES`."""
    state = models.JSONField()

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        constraints = [models.UniqueConstraint(fields=["ticket", "fold"], name="checkpoint_once_per_fold")]

    def __str__(self) -> str:
        return f"{self.ticket}: {self.fold} until event {self.seq}"
