"""A vendor replaced by another: one act over many tickets, one at a time, resumable."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hub.models import Leg, Organisation, Service
from hub.models.fields import PublicIdField, SentenceField


class VendorSwitch(models.Model):
    """Replace one vendor by another for some services, or for all, from an instant on."""

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CALLED_OFF = "called_off", _("called off")

    public_id = PublicIdField()
    leaves = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="switches_from",
        verbose_name=_("who leaves"),
        limit_choices_to={"kind": "vendor"},
    )
    comes = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="switches_to",
        verbose_name=_("who comes"),
        limit_choices_to={"kind": "vendor", "archived_at": None},
    )
    services = models.ManyToManyField(
        Service,
        related_name="switches",
        blank=True,
        verbose_name=_("for these services"),
        help_text=_("None chosen: for everything they do."),
    )
    effective_at = models.DateTimeField(
        _("from"), help_text=_("From then on open engagements go over, and rules that name the one name the other.")
    )
    reason = models.TextField(_("why"), help_text=_("Both vendors are told this with every ticket."))
    archives = models.BooleanField(
        _("archive who leaves"),
        default=False,
        help_text=_("When all is over, their system is not followed any more. What is recorded stays."),
    )
    shares_history = models.BooleanField(
        _("share the past"),
        default=False,
        help_text=_("Who comes may read what later organisations may see of tickets the other worked on."),
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PLANNED)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True, editable=False)
    """When somebody who had seen what goes over said so; before that nothing begins."""
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("vendor switch")
        verbose_name_plural = _("vendor switches")
        constraints = [
            models.CheckConstraint(condition=~Q(leaves=F("comes")), name="vendor_switch_is_between_two"),
            models.CheckConstraint(
                condition=Q(state__in=["planned", "running", "done", "called_off"]), name="vendor_switch_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leaves} → {self.comes}"


class SwitchItem(models.Model):
    """One engagement that goes over."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        LEFT = "left", _("had ended already")
        FAILED = "failed", _("failed")

    switch = models.ForeignKey(VendorSwitch, models.CASCADE, related_name="items")
    leg = models.ForeignKey(Leg, models.PROTECT, related_name="switch_items", verbose_name=_("engagement"))
    successor = models.OneToOneField(
        Leg, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("the new one")
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.WAITING)
    why = SentenceField(_("why"), blank=True)
    done_at = models.DateTimeField(_("at"), null=True, blank=True)

    class Meta:
        verbose_name = _("engagement that goes over")
        verbose_name_plural = _("engagements that go over")
        constraints = [
            models.UniqueConstraint(fields=["switch", "leg"], name="switch_item_once_per_leg"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "left", "failed"]), name="switch_item_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leg}"
