"""The rules of a workflow version as rows: which transitions exist, when they are allowed and what they do.

A row names a kind from a registry and its parameters; the database contains no code.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from hub.models import State, WorkflowVersion
from hub.models.fields import SentenceField


class Trigger(models.TextChoices):
    """What starts a rule."""

    PERSON = "person", _("a person")
    VENDOR = "vendor", _("what a vendor does")
    EVENT = "event", _("an event")
    TIMER = "timer", _("time in a status")
    CLOCK = "clock", _("a level of a clock")
    SILENCE = "silence", _("silence")


class Rule(models.Model):
    """What transitions and escalations share."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(
        _("identifier"), max_length=50, help_text=_("One word, used in the API and in the history.")
    )
    trigger = models.CharField(_("triggered by"), max_length=16, choices=Trigger, default=Trigger.PERSON)
    trigger_params = models.JSONField(_("trigger settings"), default=dict, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    help = models.CharField(_("help text"), max_length=300, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Transition(Rule):
    """One step: from which statuses, to which, by whom, with what filled in. Without a target the status stays."""

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="transitions")
    sources = models.ManyToManyField(
        State,
        related_name="leaving",
        verbose_name=pgettext_lazy("transition", "from"),
        blank=True,
        help_text=_("Choose none for every open status."),
    )
    target = models.ForeignKey(
        State,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="entering",
        verbose_name=pgettext_lazy("transition", "to"),
        help_text=_("Leave empty to keep the current status."),
    )
    roles = models.JSONField(
        _("allowed roles"),
        default=list,
        blank=True,
        help_text=_("Our roles, and “requester”. Leave empty to allow all of our people who work on tickets."),
    )
    required = models.JSONField(
        _("required"), default=list, blank=True, help_text=_("What must be filled in: “reason”, or names of fields.")
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
    """Steps that follow one another until somebody acknowledges or the ticket is resolved."""

    class Kind(models.TextChoices):
        FUNCTIONAL = "functional", _("functional: to another team or organisation")
        HIERARCHICAL = "hierarchical", _("hierarchical: to management")

    version = models.ForeignKey(WorkflowVersion, models.CASCADE, related_name="escalations")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.HIERARCHICAL)
    ends_with_acknowledgement = models.BooleanField(
        _("stops when acknowledged"), default=True, help_text=_("Otherwise every step is carried out.")
    )
    is_quiet_at_night = models.BooleanField(
        _("only in working hours"), default=False, help_text=_("Steps wait until our working hours start.")
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
    """One step of an escalation: how long after the previous one, and what it does."""

    class Hours(models.TextChoices):
        OURS = "ours", _("our working hours")
        ALWAYS = "always", _("around the clock")

    escalation = models.ForeignKey(Escalation, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    wait_minutes = models.PositiveIntegerField(_("minutes after the previous step"), default=0)
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
    is_negated = models.BooleanField(_("negated"), default=False)
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
    """Who published or retired a version or moved its tickets, when and why. Append-only."""

    WHAT = {"published": _("published"), "retired": _("retired"), "moved": _("tickets moved")}

    version = models.ForeignKey(WorkflowVersion, models.PROTECT, related_name="records")
    verb = models.CharField(_("action"), max_length=32)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("user")
    )
    why = SentenceField(_("reason"), blank=True)
    at = models.DateTimeField(_("time"))
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("workflow change")
        verbose_name_plural = _("workflow changes")

    def __str__(self) -> str:
        return gettext("%(version)s: %(action)s") % {"version": self.version, "action": self.what}

    @property
    def what(self) -> str:
        """What was done, in words."""
        return str(self.WHAT.get(self.verb, self.verb))
