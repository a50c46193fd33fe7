"""The form of the first-run page."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from console.forms.styling import StyledForm
from hub.models import User
from hub.sla.calendars import BadCalendar, load_zone
from hub.translation import localized


class FirstRunForm(StyledForm):
    organisation = forms.CharField(label=_("Your IT organisation"), max_length=150)
    time_zone = forms.CharField(
        label=_("Time zone"), max_length=64, initial="UTC", help_text=_("IANA name, for example Europe/Berlin.")
    )
    name = forms.CharField(label=_("Your name"), max_length=150)
    email = forms.EmailField(label=_("Your e-mail address"), max_length=254, help_text=_("You use it to log in."))
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput, min_length=12, help_text=_("At least 12 characters.")
    )

    def clean_time_zone(self) -> str:
        try:
            return load_zone(self.cleaned_data["time_zone"]).key
        except BadCalendar as error:
            raise forms.ValidationError(localized(str(error))) from error

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(_("An account with this address already exists."))
        return email
