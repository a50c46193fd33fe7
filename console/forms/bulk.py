"""Forms of bulk actions: what to do to all chosen tickets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.forms.styling import StyledForm
from hub.models import Organisation, Priority, Team, User
from hub.queries import roles


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
    assignee = forms.ModelChoiceField(
        label=_("Assignee"), queryset=User.objects.none(), to_field_name="public_id", required=False
    )
    team = forms.ModelChoiceField(
        label=_("Team"), queryset=Team.objects.none(), to_field_name="public_id", required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ours = User.objects.filter(is_active=True, memberships__organisation__is_us=True)
        self.fields["assignee"].queryset = (  # type: ignore[attr-defined]
            ours.filter(memberships__role__in=roles.WORKING).distinct().order_by("name")
        )
        self.fields["team"].queryset = Team.objects.filter(organisation__is_us=True).order_by("name")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("assignee") and not found.get("team"):
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

    def __init__(self, *args: Any, transitions: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["transition"].choices = transitions  # type: ignore[attr-defined]


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
