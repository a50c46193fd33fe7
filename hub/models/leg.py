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
    """The law: where an engagement is."""

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
    """Why an organisation declines or returns: what a scorecard can count."""

    NOT_OURS = "not_ours", _("not our part")
    NEEDS_INFORMATION = "needs_information", _("information is missing")
    NO_CAPACITY = "no_capacity", _("no capacity")
    OUT_OF_SCOPE = "out_of_scope", _("not in the contract")
    DUPLICATE = "duplicate", _("known already")
    OTHER = "other", _("another reason")


class WaitsOn(models.TextChoices):
    """Whose move it is while a leg waits."""

    REQUESTER = "requester", _("the requester")
    US = "us", _("our IT organisation")
    OTHER = "other", _("another organisation")
    OWN = "own", _("nobody but itself")


class Leg(models.Model):
    """One engagement: offered, accepted or not, worked on, given back or done.

    A ticket may have several at once, one after another, and the same organisation twice.
    One leg leads. `workflows.handoffs.engagements` alone calls the transitions.
    """

    public_id = PublicIdField()
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="legs")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="legs")
    given_by = models.ForeignKey(Organisation, models.PROTECT, related_name="given_legs")
    number = models.PositiveSmallIntegerField()
    stage = FSMField(_("stage"), max_length=16, choices=Stage.choices, default=Stage.OFFERED, protected=True)
    is_lead = models.BooleanField(_("leads"), default=False)
    is_blocking = models.BooleanField(
        _("blocks resolution"), default=True, help_text=_("The ticket cannot be resolved while this leg is open.")
    )
    is_born_there = models.BooleanField(_("born at the vendor"), default=False)
    brief = models.TextField(_("what they were told"), blank=True)
    reason = models.TextField(_("why"), blank=True)
    reason_code = models.CharField(_("coded reason"), max_length=20, choices=ReasonCode, blank=True)
    pack = models.JSONField(_("hand-off pack"), default=dict, blank=True)
    approved_at = models.DateTimeField(_("completion approved at"), null=True, blank=True)
    resolution = models.TextField(_("resolution"), blank=True)
    waits_on = models.CharField(_("waits on"), max_length=16, choices=WaitsOn, blank=True)
    waits_on_organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="awaited_by_legs"
    )
    wait_reason = models.CharField(_("wait reason"), max_length=100, blank=True)
    cycle = models.PositiveSmallIntegerField(default=0)
    priority = models.CharField(_("priority asked"), max_length=16, blank=True)
    remote_priority = models.CharField(_("priority there"), max_length=100, blank=True)
    remote_status = models.CharField(_("status there"), max_length=100, blank=True)
    remote_title = models.CharField(_("title there"), max_length=255, blank=True)
    """Only where they renamed it."""
    remote_number = models.CharField(_("number there"), max_length=100, blank=True)
    remote_assignee = models.CharField(_("assignee there"), max_length=150, blank=True)
    deadline_at = models.DateTimeField(_("accept until"), null=True, blank=True)
    offered_at = models.DateTimeField(_("offered at"))
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    is_unreached = models.BooleanField(
        default=False, help_text=_("Our last word to them has not arrived at their system yet.")
    )

    class Meta:
        verbose_name = _("leg")
        verbose_name_plural = _("legs")
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
        """They took the ball."""
        self.answered_at = at

    @transition(field=stage, source=Stage.OFFERED, target=Stage.DECLINED)
    def decline(self, *, at: datetime, reason: str) -> None:
        """The ball goes back to the giver, who is told why."""
        self.answered_at = self.ended_at = at
        self.reason = reason

    @transition(field=stage, source=Stage.OFFERED, target=Stage.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        """Nobody answered in time; the ball goes back to the giver."""
        self.ended_at = at

    @transition(field=stage, source=Stage.ACCEPTED, target=Stage.WORKING)
    def start(self) -> None:
        """They work on it."""

    @transition(field=stage, source=Stage.WORKING, target=Stage.WAITING)
    def wait(self, *, waits_on: str, organisation: Organisation | None, reason: str) -> None:
        """They cannot go on until somebody moves."""
        self.waits_on = waits_on
        self.waits_on_organisation = organisation
        self.wait_reason = reason

    @transition(field=stage, source=Stage.WAITING, target=Stage.WORKING)
    def resume(self) -> None:
        """What they waited for is there."""
        self._forget_wait()

    @transition(field=stage, source=[Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.DONE)
    def finish(self, *, at: datetime, resolution: str) -> None:
        """They are done; our side verifies."""
        self.ended_at = at
        self.resolution = resolution
        self._forget_wait()

    @transition(
        field=stage, source=[Stage.OFFERED, Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.RECALLED
    )
    def recall(self, *, at: datetime, reason: str) -> None:
        """The giver takes the ball back."""
        self.ended_at = at
        self.reason = reason
        self._forget_wait()

    @transition(field=stage, source=[Stage.ACCEPTED, Stage.WORKING, Stage.WAITING], target=Stage.RETURNED)
    def give_back(self, *, at: datetime, reason: str) -> None:
        """Not theirs, they say: the ball goes back to the giver."""
        self.ended_at = at
        self.reason = reason
        self._forget_wait()

    @transition(field=stage, source=Stage.DONE, target=Stage.WORKING)
    def reopen(self) -> None:
        """Not done after all: a new cycle of the same engagement."""
        self.ended_at = None
        self.resolution = ""
        self.cycle += 1

    def _forget_wait(self) -> None:
        self.waits_on = ""
        self.waits_on_organisation = None
        self.wait_reason = ""
