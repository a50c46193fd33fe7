"""The engagement of one organisation on one ticket."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from .fields import PublicIdField
from .organisation import Organisation
from .ticket import Ticket


class Stage(models.TextChoices):
    """The state of an engagement, fixed by the law of the product."""

    OFFERED = "offered", _("offered")
    ACCEPTED = "accepted", _("accepted")
    WORKING = "working", _("working")
    WAITING = "waiting", _("waiting")
    DONE = "done", _("done")
    DECLINED = "declined", _("declined")
    EXPIRED = "expired", _("expired")
    RECALLED = "recalled", _("recalled")
    RETURNED = "returned", _("returned")


OPEN_STAGES = (Stage.OFFERED, Stage.ACCEPTED, Stage.WORKING, Stage.WAITING)
ENGAGED_STAGES = (Stage.ACCEPTED, Stage.WORKING, Stage.WAITING)


class ReasonCode(models.TextChoices):
    """Why an organisation declines or returns a ticket, as counted by the scorecard."""

    NOT_OURS = "not_ours", _("not our responsibility")
    NEEDS_INFORMATION = "needs_information", _("missing information")
    NO_CAPACITY = "no_capacity", _("no capacity")
    OUT_OF_SCOPE = "out_of_scope", _("not covered by the contract")
    DUPLICATE = "duplicate", _("already known")
    OTHER = "other", _("another reason")


class WaitsOn(models.TextChoices):
    """For whom an engagement waits."""

    REQUESTER = "requester", _("the requester")
    US = "us", _("our IT organisation")
    OTHER = "other", _("another organisation")
    OWN = "own", _("its own internal work")


class Leg(models.Model):
    """One engagement of an organisation on a ticket; pages call it an engagement.

    A ticket can have several at once or in succession, also of the same organisation. At most one leads.
    Only `workflows.handoffs` calls the transitions.
    """

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="legs", verbose_name=_("ticket"))
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="legs", verbose_name=_("organisation"))
    given_by = models.ForeignKey(
        Organisation, models.PROTECT, related_name="given_legs", verbose_name=_("handed over by")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    stage = FSMField(_("stage"), max_length=16, choices=Stage.choices, default=Stage.OFFERED, protected=True)
    is_lead = models.BooleanField(_("leading engagement"), default=False)
    is_blocking = models.BooleanField(
        _("blocks resolution"),
        default=True,
        help_text=_("The ticket cannot be resolved while this engagement is open."),
    )
    is_born_there = models.BooleanField(_("opened in the vendor's system"), default=False)
    brief = models.TextField(_("briefing"), blank=True)
    reason = models.TextField(_("reason"), blank=True)
    reason_code = models.CharField(_("coded reason"), max_length=20, choices=ReasonCode, blank=True)
    pack = models.JSONField(_("hand-off pack"), default=dict, blank=True)
    approved_at = models.DateTimeField(_("completion approved at"), null=True, blank=True)
    resolution = models.TextField(_("resolution"), blank=True)
    """What was done, as last reported. It is kept when the engagement is reopened."""
    is_resolution_shared = models.BooleanField(
        _("resolution shared"),
        default=True,
        help_text=_("Included in later hand-off packs."),
    )
    waits_on = models.CharField(_("waiting for"), max_length=16, choices=WaitsOn, blank=True)
    waits_on_organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="awaited_by_legs",
        verbose_name=_("waiting for organisation"),
    )
    wait_reason = models.CharField(_("wait reason"), max_length=100, blank=True)
    cycle = models.PositiveSmallIntegerField(_("cycle"), default=0)
    priority = models.CharField(_("requested priority"), max_length=16, blank=True)
    remote_priority = models.CharField(_("vendor's priority"), max_length=100, blank=True)
    remote_status = models.CharField(_("vendor's status"), max_length=100, blank=True)
    remote_title = models.CharField(_("vendor's title"), max_length=255, blank=True)
    """Empty unless the vendor renamed the record."""
    remote_number = models.CharField(_("vendor's number"), max_length=100, blank=True)
    remote_assignee = models.CharField(_("vendor's assignee"), max_length=150, blank=True)
    deadline_at = models.DateTimeField(_("acceptance deadline"), null=True, blank=True)
    offered_at = models.DateTimeField(_("offered at"))
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    is_unreached = models.BooleanField(
        _("update not delivered"),
        default=False,
        help_text=_("Our last update has not reached the vendor's system yet."),
    )

    class Meta:
        verbose_name = _("engagement")
        verbose_name_plural = _("engagements")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "number"], name="leg_number_once_per_ticket"),
            models.UniqueConstraint(fields=["ticket"], condition=Q(is_lead=True), name="leg_one_lead_per_ticket"),
            models.CheckConstraint(
                condition=Q(
                    stage__in=[
                        "offered",
                        "accepted",
                        "working",
                        "waiting",
                        "done",
                        "declined",
                        "expired",
                        "recalled",
                        "returned",
                    ]
                ),
                name="leg_stage_is_known",
            ),
            models.CheckConstraint(
                condition=Q(waits_on__in=["", "requester", "us", "other", "own"]), name="leg_waits_on_is_known"
            ),
            models.CheckConstraint(
                condition=Q(waits_on="other", waits_on_organisation__isnull=False)
                | (~Q(waits_on="other") & Q(waits_on_organisation__isnull=True)),
                name="leg_waits_on_another_names_it",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "stage"], name="leg_by_organisation_and_stage"),
            models.Index(fields=["organisation", "ticket"], name="leg_by_organisation_and_ticket"),
            models.Index(fields=["ticket"], condition=Q(stage="offered"), name="leg_offered"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(stage="offered", deadline_at__isnull=False),
                name="leg_next_to_expire",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticket.label}/{self.number} {self.organisation}"

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN_STAGES

    @transition(field=stage, source=Stage.OFFERED, target=Stage.ACCEPTED)
    def accept(self, *, at: datetime) -> None:
        """The organisation accepts the offer."""
        self.answered_at = at

    @transition(field=stage, source=Stage.OFFERED, target=Stage.DECLINED)
    def decline(self, *, at: datetime, reason: str) -> None:
        """The organisation declines the offer, and the ticket goes back to the organisation that offered it."""
        self.answered_at = self.ended_at = at
        self.reason = reason

    @transition(field=stage, source=Stage.OFFERED, target=Stage.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """The offer was not answered in time, and the ticket goes back to the organisation that offered it."""
        self.ended_at = at

    @transition(field=stage, source=Stage.ACCEPTED, target=Stage.WORKING)
    def start(self) -> None:
        """The organisation starts to work."""

    @transition(field=stage, source=Stage.WORKING, target=Stage.WAITING)
    def wait(self, *, waits_on: str, organisation: Organisation | None, reason: str) -> None:
        """The organisation cannot continue until somebody else acts, or until its own internal work is done."""
        self.waits_on = waits_on
        self.waits_on_organisation = organisation
        self.wait_reason = reason

    @transition(field=stage, source=Stage.WAITING, target=Stage.WORKING)
    def resume(self) -> None:
        """The wait is over."""
        self._forget_wait()

    @transition(field=stage, source=[Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.DONE)
    def finish(self, *, at: datetime, resolution: str, is_shared: bool) -> None:
        """The organisation reports completion; the owner verifies. Without a text, an earlier resolution stays."""
        self.ended_at = at
        if resolution:
            self.resolution, self.is_resolution_shared = resolution, is_shared
        self._forget_wait()

    @transition(
        field=stage, source=[Stage.OFFERED, Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.RECALLED
    )
    def recall(self, *, at: datetime, reason: str) -> None:
        """The organisation that handed the ticket over takes it back."""
        self.ended_at = at
        self.reason = reason
        self._forget_wait()

    @transition(field=stage, source=[Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.RETURNED)
    def give_back(self, *, at: datetime, reason: str) -> None:
        """The organisation returns the ticket to the organisation that handed it over."""
        self.ended_at = at
        self.reason = reason
        self._forget_wait()

    @transition(field=stage, source=Stage.DONE, target=Stage.WORKING)
    def reopen(self) -> None:
        """The work was not complete: a new cycle of the same engagement begins."""
        self.ended_at = None
        self.cycle += 1

    def _forget_wait(self) -> None:
        self.waits_on = ""
        self.waits_on_organisation = None
        self.wait_reason = ""
