"""The form of a guest link, for vendors without a system."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from console.forms.files import LARGEST
from hub.models import ReasonCode
from workflows.handoffs.verbs import GUEST


class GuestLinkForm(forms.Form):
    """A message and an action. The browser remembers the name."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=80,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "name"}),
    )
    text = forms.CharField(
        label=_("Message"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5, "class": "form-control"}),
    )
    code = forms.ChoiceField(
        label=_("Reason, if you decline or return the ticket"),
        required=False,
        choices=[("", _("See my message")), *ReasonCode.choices],
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    file = forms.FileField(
        label=_("File or photo"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"class": "form-control"}),
    )
    act = forms.ChoiceField(choices=[(name, verb.guest_label) for name, verb in GUEST.items()])

    def clean_file(self) -> object:
        file = self.cleaned_data.get("file")
        if file is not None and file.size > LARGEST:
            raise forms.ValidationError(_("A file may be at most 20 MB."))
        return file
