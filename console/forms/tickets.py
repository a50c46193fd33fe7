"""Forms for tickets: opening a ticket, its transitions, its priority and its messages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.forms.files import ManyFilesField
from console.forms.pickers import PickerField
from console.forms.styling import StyledForm
from hub.models import OPEN_STAGES, Degree, Leg, Priority, ResolutionCode, Ticket

DEGREES = [("", "–"), *Degree.choices]


class OpenForm(StyledForm):
    title = forms.CharField(label=_("Title"), max_length=255)
    description = forms.CharField(label=_("Description"), widget=forms.Textarea(attrs={"rows": 6}), required=False)
    impact = forms.TypedChoiceField(label=_("Impact"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    priority = forms.ChoiceField(
        label=_("Priority"),
        required=False,
        choices=[("", _("from impact and urgency, otherwise P3")), *Priority.choices],
    )
    requester = PickerField(
        "person", label=_("Requester"), required=False, help_text=_("Receives our questions and the first response.")
    )
    service = PickerField("service", label=_("Service"), required=False)
    asset = PickerField("asset", label=_("Asset"), required=False)
    site = PickerField("site", label=pgettext_lazy("place", "Site"), required=False)


class EditForm(StyledForm):
    """The fields of a ticket that people correct. Each remembers the value it had when the page was made."""

    title = forms.CharField(label=_("Title"), max_length=255, show_hidden_initial=True)
    description = forms.CharField(
        label=_("Description"),
        widget=forms.Textarea(attrs={"rows": 8}),
        required=False,
        max_length=100_000,
        show_hidden_initial=True,
    )
    requester = PickerField("person", label=_("Requester"), required=False, show_hidden_initial=True)
    service = PickerField("service", label=_("Service"), required=False, show_hidden_initial=True)
    asset = PickerField("asset", label=_("Asset"), required=False, show_hidden_initial=True)
    site = PickerField("site", label=pgettext_lazy("place", "Site"), required=False, show_hidden_initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, PickerField):
                field.kept = self.initial.get(name)

    def clean_description(self) -> str:
        """The text with plain line ends, as everything else in the record."""
        return str(self.cleaned_data["description"]).replace("\r\n", "\n")

    def changes(self) -> dict[str, Any]:
        """The fields of a valid form that were changed on the page, with their new values."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class VerbForm(StyledForm):
    """A transition of the ticket's workflow, with the fields it requires."""

    move = forms.SlugField(max_length=50)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500)
    title = forms.CharField(label=_("Title"), required=False, max_length=255)
    description = forms.CharField(label=_("Description"), required=False, max_length=20_000)
    impact = forms.TypedChoiceField(label=_("Impact"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    service = PickerField("service", label=_("Service"), required=False)
    asset = PickerField("asset", label=_("Asset"), required=False)
    site = PickerField("site", label=pgettext_lazy("place", "Site"), required=False)
    requester = PickerField("person", label=_("Requester"), required=False)

    resolution = forms.CharField(
        label=_("What was done"), required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    resolution_code = forms.ChoiceField(
        label=_("Resolution code"), required=False, choices=[("", _("Choose …")), *ResolutionCode.choices]
    )
    is_resolution_shared = forms.BooleanField(
        label=_("Share with organisations engaged later"), required=False, initial=True
    )

    def given(self) -> dict[str, Any]:
        """The fields that were filled in."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in ("move", "reason") and value not in (None, "")
        }


class PriorityForm(StyledForm):
    """Impact and urgency, or a manual priority with a reason."""

    impact = forms.TypedChoiceField(label=_("Impact"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    urgency = forms.TypedChoiceField(label=_("Urgency"), choices=DEGREES, coerce=int, required=False, empty_value=None)
    priority = forms.ChoiceField(
        label=_("Priority"), required=False, choices=[("", _("from impact and urgency")), *Priority.choices]
    )
    reason = forms.CharField(label=_("Reason"), required=False, max_length=500)


class CommentForm(StyledForm):
    body = forms.CharField(
        label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}), max_length=20_000, required=False
    )
    attached = ManyFilesField(label=_("Files"))
    for_requester = forms.BooleanField(label=_("Requester"), required=False)
    for_all = forms.BooleanField(label=_("All organisations, including later ones"), required=False)
    legs = forms.ModelMultipleChoiceField(
        label=_("Organisations"),
        queryset=Leg.objects.none(),
        to_field_name="public_id",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["legs"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = (
            Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).select_related("organisation").order_by("number")
        )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("body") and not found.get("attached") and "attached" not in self.errors:
            raise forms.ValidationError(_("Enter a message."))
        return found


class TaskForm(StyledForm):
    """Something one of us has to do; times are in the user's time zone."""

    title = forms.CharField(label=_("Task"), max_length=255)
    assignee = PickerField("user", label=_("Assignee"), required=False)
    due_at = forms.DateTimeField(
        label=_("Due"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


class ReplyForm(StyledForm):
    body = forms.CharField(label=_("Reply from the requester"), widget=forms.Textarea(attrs={"rows": 2}))
