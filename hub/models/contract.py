"""What organisations promised for services, in versions. A published version is immutable."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .calendar import Calendar
from .fields import PublicIdField
from .organisation import Organisation
from .publication import Publication
from .service import Service


class Contract(models.Model):
    """One version of what an organisation promised for a service.

    SLA: we promise the business. OLA: an internal team promises us. UC: a vendor promises us.
    """

    class Kind(models.TextChoices):
        SLA = "sla", _("SLA: we promise the business")
        OLA = "ola", _("OLA: an internal team promises us")
        UC = "uc", _("UC: a vendor promises us")

    class Reopen(models.TextChoices):
        RESUME = "resume", _("resume: time while resolved is not counted")
        CONTINUE = "continue", _("continue: time while resolved is counted")
        RESTART = "restart", _("restart: a new cycle")

    class OnReturn(models.TextChoices):
        ACCUMULATE = "accumulate", _("accumulate: the clock continues where it stopped")
        RESTART = "restart", _("restart: every engagement gets the full goal")

    class OnChange(models.TextChoices):
        CARRY = "carry", _("carry over: elapsed time keeps the calendar it was counted with")
        RETROACTIVE = "retroactive", _("retroactive: elapsed time is recounted with the new calendar")

    class StartsOn(models.TextChoices):
        DELIVERY = "delivery", _("confirmed delivery")
        ACCEPTANCE = "acceptance", _("acceptance")

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150)
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Publication, default=Publication.DRAFT)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="contracts",
        verbose_name=_("promised by"),
        help_text=_("If empty, the organisation that holds the ticket (imported history only)."),
    )
    service = models.ForeignKey(
        Service,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="contracts",
        verbose_name=_("service"),
        help_text=_("If empty, every service without its own contract."),
    )
    calendar = models.ForeignKey(Calendar, models.PROTECT, related_name="contracts", verbose_name=_("calendar"))
    pause_reasons = models.JSONField(
        _("pauses while"),
        default=list,
        help_text=_("Any of waiting_requester, waiting_us, waiting_other, waiting_own and contested (joint triage)."),
    )
    on_reopen = models.CharField(_("after a reopen"), max_length=16, choices=Reopen, default=Reopen.RESUME)
    on_return = models.CharField(_("after a return"), max_length=16, choices=OnReturn, default=OnReturn.ACCUMULATE)
    on_change = models.CharField(_("after a change of terms"), max_length=16, choices=OnChange, default=OnChange.CARRY)
    starts_on = models.CharField(_("resolution starts at"), max_length=16, choices=StartsOn, default=StartsOn.DELIVERY)
    may_resolve = models.BooleanField(
        _("may resolve"), default=False, help_text=_("The ticket is resolved when the vendor reports completion.")
    )
    history_policy = models.SlugField(
        _("history policy"),
        blank=True,
        help_text=_("Only for imported history: the policy of the import profile that this contract represents."),
    )
    rules = models.JSONField(
        _("clock rules"),
        default=dict,
        blank=True,
        help_text=_("Only for imported history: which statuses start, stop, pause and resume the clock."),
    )

    class Meta:
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="contract_version_once_per_name"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="contract_status_is_known"
            ),
            models.CheckConstraint(condition=Q(kind__in=["sla", "ola", "uc"]), name="contract_kind_is_known"),
            models.CheckConstraint(
                condition=Q(organisation__isnull=False) | ~Q(history_policy=""),
                name="contract_without_promiser_is_history",
            ),
        ]
        indexes = [models.Index(fields=["status", "kind"], name="contract_by_status_and_kind")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
