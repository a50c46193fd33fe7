"""An admin's rules, as rows of a workflow version: which verbs there are, when they may be used, what follows.

A row names a kind from a registry and its parameters; there is no code in the database.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.models import State, WorkflowVersion
from hub.models.fields import SentenceField


class Trigger(models.TextChoices):
    """What sets a rule off."""

    PERSON = "person", _("a person")
    VENDOR = "vendor", _("what a vendor does")
    EVENT = "event", _("an event")
    TIMER = "timer", _("a time in its state")
    CLOCK = "clock", _("a level of a clock")
    SILENCE = "silence", _("nobody says anything")


class Rule(models.Model):
    """What transitions and escalations share."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("verb"), max_length=50, help_text=_("One word: its name in the API and the history."))
    trigger = models.CharField(_("set off by"), max_length=16, choices=Trigger, default=Trigger.PERSON)
    trigger_params = models.JSONField(_("when exactly"), default=dict, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    help = models.CharField(_("help"), max_length=300, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Transition(Rule):
    """One verb: from which states, to which, who may, and what it needs. Without a target the status stays."""

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="transitions")
    sources = models.ManyToManyField(
        State, related_name="leaving", verbose_name=_("from"), blank=True, help_text=_("None chosen: every open state.")
    )
    target = models.ForeignKey(
        State,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="entering",
        verbose_name=_("to"),
        help_text=_("Empty: the status stays as it is."),
    )
    roles = models.JSONField(
        _("who may"),
        default=list,
        blank=True,
        help_text=_("Roles of ours, and “requester”. Empty: everybody of ours who works on tickets."),
    )
    required = models.JSONField(
        _("needs"), default=list, blank=True, help_text=_("What has to be filled in: “reason”, or names of fields.")
    )

    class Meta:
        verbose_name = _("transition")
        verbose_name_plural = _("transitions")
        constraints = [
            models.UniqueConstraint(fields=["version", "slug"], name="transition_verb_once_per_version"),
            models.CheckConstraint(
                condition=Q(trigger__in=["person", "vendor", "event", "timer", "clock", "silence"]),
                name="transition_trigger_is_known",
            ),
        ]


class Escalation(Rule):
    """Steps that follow one after the other until somebody acknowledges, or the ticket is resolved."""

    class Kind(models.TextChoices):
        FUNCTIONAL = "functional", _("functional: to whom it goes")
        HIERARCHICAL = "hierarchical", _("hierarchical: who is told")

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="escalations")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.HIERARCHICAL)
    ends_with_acknowledgement = models.BooleanField(
        _("ends when somebody acknowledges"), default=True, help_text=_("Else it goes through all its steps.")
    )
    is_quiet_at_night = models.BooleanField(
        _("only in working hours"), default=False, help_text=_("Steps wait for our calendar to open.")
    )

    class Meta:
        verbose_name = _("escalation")
        verbose_name_plural = _("escalations")
        constraints = [
            models.UniqueConstraint(fields=["version", "slug"], name="escalation_once_per_version"),
            models.CheckConstraint(
                condition=Q(trigger__in=["vendor", "event", "timer", "clock", "silence"]),
                name="escalation_trigger_is_known",
            ),
        ]


class Step(models.Model):
    """One step of an escalation: how long after the one before, and what is done."""

    class Hours(models.TextChoices):
        OURS = "ours", _("our working hours")
        ALWAYS = "always", _("around the clock")

    escalation = models.ForeignKey(Escalation, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    wait_minutes = models.PositiveIntegerField(_("minutes after the one before"), default=0)
    hours = models.CharField(_("counted in"), max_length=8, choices=Hours, default=Hours.OURS)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints = [models.UniqueConstraint(fields=["escalation", "position"], name="step_once_per_position")]

    def __str__(self) -> str:
        return f"{self.escalation} {self.position}"


class Guard(models.Model):
    """A condition of a transition or an escalation, of a kind the registry knows."""

    transition = models.ForeignKey(Transition, models.CASCADE, null=True, blank=True, related_name="guards")
    escalation = models.ForeignKey(Escalation, models.CASCADE, null=True, blank=True, related_name="guards")
    kind = models.SlugField(_("kind"), max_length=50)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    is_negated = models.BooleanField(_("must not be so"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("guard")
        verbose_name_plural = _("guards")
        constraints = [
            models.CheckConstraint(
                condition=Q(transition__isnull=False, escalation__isnull=True)
                | Q(transition__isnull=True, escalation__isnull=False),
                name="guard_of_one_rule",
            )
        ]

    def __str__(self) -> str:
        return self.kind


class Action(models.Model):
    """What a transition or a step of an escalation does, of a kind the registry knows."""

    transition = models.ForeignKey(Transition, models.CASCADE, null=True, blank=True, related_name="actions")
    step = models.ForeignKey(Step, models.CASCADE, null=True, blank=True, related_name="actions")
    kind = models.SlugField(_("kind"), max_length=50)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        constraints = [
            models.CheckConstraint(
                condition=Q(transition__isnull=False, step__isnull=True)
                | Q(transition__isnull=True, step__isnull=False),
                name="action_of_one_rule",
            )
        ]

    def __str__(self) -> str:
        return self.kind


class PolicyRecord(models.Model):
    """Who published, retired or moved what, when and why. Append-only."""

    version = models.ForeignKey(WorkflowVersion, models.PROTECT, related_name="records")
    verb = models.CharField(_("what"), max_length=32)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("who")
    )
    why = SentenceField(_("why"), blank=True)
    at = models.DateTimeField(_("when"))
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("policy record")
        verbose_name_plural = _("policy records")

    def __str__(self) -> str:
        return f"{self.version} {self.verb}"
