"""Forms for engagements: handing a ticket over, acting on an engagement, deciding joint triage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.forms.styling import StyledForm
from hub.models import OPEN_STAGES, Leg, Message, Organisation, ReasonCode, Ticket
from workflows.handoffs import briefing, verbs

REASON_CODES = [("", _("Reason …")), *ReasonCode.choices]


def _accept_minutes() -> forms.IntegerField:
    """Minutes until an offer expires; empty for the value of the workflow."""
    return forms.IntegerField(
        label=_("Minutes to accept, around the clock (empty: as set in the workflow)"),
        required=False,
        min_value=1,
        max_value=100_000,
    )


def accept_within(form: forms.Form) -> timedelta | None:
    """The time entered in a valid form; None if it was left empty."""
    minutes = form.cleaned_data["accept_minutes"]
    return timedelta(minutes=minutes) if minutes else None


def _first_words(message: Message) -> str:
    return f"{message.author_name or message.author_organisation}: {' '.join(message.body.split())[:100]}"


class HandOverForm(StyledForm):
    """Hands a ticket over to another organisation, or engages one in addition."""

    organisation = forms.ModelChoiceField(
        label=pgettext_lazy("hand over", "To"),
        queryset=Organisation.objects.none(),
        to_field_name="public_id",
        empty_label=_("Choose …"),
    )
    reason = forms.CharField(
        label=_("What they need to know"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=4000
    )
    accept_minutes = _accept_minutes()
    is_parallel = forms.BooleanField(label=_("In addition to the current holder"), required=False)
    is_blocking = forms.BooleanField(
        label=_("The ticket cannot be resolved until they are done"), required=False, initial=True
    )
    also = forms.ModelMultipleChoiceField(
        label=_("Also send them"),
        queryset=Message.objects.none(),
        to_field_name="public_id",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        engaged = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).values("organisation")
        choices = Organisation.objects.filter(archived_at=None).exclude(kind=Organisation.Kind.CUSTOMER)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = choices.exclude(pk__in=engaged).order_by("name")
        also = self.fields["also"]
        assert isinstance(also, forms.ModelMultipleChoiceField)
        if self.is_bound:
            also.queryset = briefing.may_also_be_told(ticket)
            also.label_from_instance = _first_words  # type: ignore[assignment, method-assign]
        else:
            self.others = [(each.public_id, _first_words(each)) for each in briefing.newest_untold(ticket)]
            also.widget.choices = self.others


class DecisionForm(StyledForm):
    """The decision that ends joint triage."""

    organisation = forms.ModelChoiceField(
        label=_("Assign to"),
        queryset=Organisation.objects.filter(archived_at=None)
        .exclude(kind=Organisation.Kind.CUSTOMER)
        .order_by("name"),
        to_field_name="public_id",
        required=False,
        empty_label=_("No change of organisation"),
    )
    decision = forms.CharField(label=_("Decision and reason (the organisation reads this)"), max_length=2000)
    accept_minutes = _accept_minutes()


class EngagementForm(StyledForm):
    """One action on an engagement, with its reason."""

    act = forms.ChoiceField(choices=[(name, verb.label) for name, verb in verbs.OURS.items()])
    reason = forms.CharField(required=False, max_length=2000)
    code = forms.ChoiceField(required=False, choices=REASON_CODES)
    is_shared = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("act") in verbs.WITH_CODE and not (given.get("code") or given.get("reason")):
            raise forms.ValidationError(_("Choose or enter a reason. The next organisation will read it."))
        return given
