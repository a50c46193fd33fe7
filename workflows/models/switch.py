"""Vendor changes: one vendor replaces another on many tickets, one at a time, resumable."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hub.models import Leg, Organisation, Service
from hub.models.fields import PublicIdField, SentenceField


class VendorSwitch(models.Model):
    """The replacement of one vendor by another, for some services or all, from an instant on."""

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CALLED_OFF = "called_off", _("cancelled")

    public_id = PublicIdField()
    leaves = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="switches_from",
        verbose_name=_("leaving vendor"),
        limit_choices_to={"kind": "vendor"},
    )
    comes = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="switches_to",
        verbose_name=_("new vendor"),
        limit_choices_to={"kind": "vendor", "archived_at": None},
    )
    services = models.ManyToManyField(
        Service,
        related_name="switches",
        blank=True,
        verbose_name=_("services"),
        help_text=_("Choose none for every service."),
    )
    effective_at = models.DateTimeField(
        _("effective from"),
        help_text=_("Engagements are transferred then, and rules naming the old vendor apply to the new one."),
    )
    reason = models.TextField(_("reason"), help_text=_("Both vendors receive this text with every ticket."))
    archives = models.BooleanField(
        _("archive the leaving vendor"),
        default=False,
        help_text=_("After the last engagement, their system is no longer synchronised. All records are kept."),
    )
    shares_history = models.BooleanField(
        _("share history"),
        default=False,
        help_text=_("The new vendor may read past tickets as far as later organisations may see them."),
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PLANNED)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True, editable=False)
    """When somebody confirmed the list of engagements; before that, nothing starts."""
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(_("created at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("vendor change")
        verbose_name_plural = _("vendor changes")
        constraints = [
            models.CheckConstraint(condition=~Q(leaves=F("comes")), name="vendor_switch_is_between_two"),
            models.CheckConstraint(
                condition=Q(state__in=["planned", "running", "done", "called_off"]), name="vendor_switch_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leaves} → {self.comes}"


class SwitchItem(models.Model):
    """One engagement that is transferred."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        LEFT = "left", _("already over")
        FAILED = "failed", _("failed")

    switch = models.ForeignKey(VendorSwitch, models.CASCADE, related_name="items")
    leg = models.ForeignKey(Leg, models.PROTECT, related_name="switch_items", verbose_name=_("engagement"))
    successor = models.OneToOneField(
        Leg, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("new engagement")
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    why = SentenceField(_("reason"), blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    class Meta:
        verbose_name = _("engagement to transfer")
        verbose_name_plural = _("engagements to transfer")
        constraints = [
            models.UniqueConstraint(fields=["switch", "leg"], name="switch_item_once_per_leg"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "left", "failed"]), name="switch_item_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leg}"
