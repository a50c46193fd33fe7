"""Forms of bulk actions: what to do to all chosen tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.forms.pickers import PickerField
from console.forms.styling import StyledForm
from hub.models import Organisation, Priority, ResolutionCode
from workflows.rules.verbs import Verb


class BulkForm(StyledForm):
    """One action; `given` is what is stored of its fields."""

    def given(self) -> dict[str, Any]:
        """The values of a valid form as plain JSON: rows by their public ids."""
        return {name: _plain(value) for name, value in self.cleaned_data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return getattr(value, "public_id")  # noqa: B009 - every model of these forms has one
    return "" if value is None else value


class AssignForm(BulkForm):
    assignee = PickerField("user", label=_("Assignee"), required=False)
    team = PickerField("team", label=_("Team"), required=False)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not self.errors and not found.get("assignee") and not found.get("team"):
            raise forms.ValidationError(_("Choose a person or a team."))
        return found


class HandOverForm(BulkForm):
    organisation = forms.ModelChoiceField(
        label=pgettext_lazy("hand over", "To"),
        queryset=Organisation.objects.exclude(kind=Organisation.Kind.CUSTOMER)
        .filter(archived_at=None)
        .order_by("name"),
        to_field_name="public_id",
        empty_label=_("Choose …"),
    )
    reason = forms.CharField(
        label=_("What they need to know"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=4000
    )


class MessageForm(BulkForm):
    body = forms.CharField(label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}), max_length=20_000)
    for_requester = forms.BooleanField(label=_("Visible to the requester"), required=False)
    for_engaged = forms.BooleanField(label=_("Visible to all organisations engaged on the ticket"), required=False)


class PriorityForm(BulkForm):
    priority = forms.ChoiceField(label=_("Priority"), choices=Priority.choices)
    reason = forms.CharField(label=_("Reason"), max_length=500)


class TransitionForm(BulkForm):
    transition = forms.ChoiceField(label=_("Transition"))
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500)
    resolution = forms.CharField(
        label=_("What was done"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Only for resolving the tickets."),
    )
    resolution_code = forms.ChoiceField(
        label=_("Resolution code"), required=False, choices=[("", _("Choose …")), *ResolutionCode.choices]
    )

    def __init__(self, *args: Any, transitions: Mapping[str, Verb], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transitions = transitions
        choices = [(slug, str(verb.label)) for slug, verb in transitions.items()]
        self.fields["transition"].choices = sorted(choices, key=lambda each: each[1])  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        verb = self.transitions.get(found.get("transition", ""))
        for name in verb.needs if verb is not None else ():
            if not found.get(name) and name not in self.errors:
                self.add_error(name, _("The transition needs this."))
        return found


class GatherForm(BulkForm):
    parent = forms.CharField(
        label=_("Number of the major incident"),
        max_length=20,
        help_text=_("For example TH-1042. The tickets become its child tickets."),
    )


FORMS: dict[str, type[BulkForm]] = {
    "assign": AssignForm,
    "hand_over": HandOverForm,
    "message": MessageForm,
    "priority": PriorityForm,
    "transition": TransitionForm,
    "gather": GatherForm,
}
