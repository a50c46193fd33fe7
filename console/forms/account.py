"""Forms for a user's own account."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.utils.translation import gettext_lazy as _

from console.forms.pickers import PickerField
from console.forms.styling import StyledForm, styled
from console.shortcuts import SHORTCUTS, usable
from hub.models import User
from hub.queries import permissions


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    """How the console looks and behaves for one user."""

    class Meta:
        model = User
        fields = (
            "time_zone",
            "language",
            "theme",
            "density",
            "start_page",
            "has_shortcuts",
            "absent_from",
            "absent_until",
        )
        widgets: ClassVar = {
            name: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d") for name in ("absent_from", "absent_until")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [(zone, zone) for zone in sorted(zoneinfo.available_timezones())]
        self.fields["time_zone"] = forms.ChoiceField(label=_("Time zone"), choices=zones)
        if not permissions.may_work(self.instance):
            for name in ("absent_from", "absent_until"):
                del self.fields[name]
            styled(self)
            return
        substitute = PickerField(
            "user", label=_("Substitute"), required=False, help_text=User._meta.get_field("substitute").help_text
        )
        self.initial["substitute"] = substitute.kept = self.instance.substitute
        self.fields["substitute"] = substitute
        styled(self)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        begins, ends = given.get("absent_from"), given.get("absent_until")
        if begins and ends and ends < begins:
            self.add_error("absent_until", _("The absence cannot end before it begins."))
        if given.get("substitute") == self.instance:
            self.add_error("substitute", _("Choose somebody else."))
        return given


class ShortcutsForm(StyledForm):
    """The keys of the shortcuts, each in a field named by the usual key."""

    def __init__(self, *args: Any, chosen: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, (key, label) in enumerate(SHORTCUTS.items()):
            field = forms.CharField(label=str(label), max_length=1, initial=chosen.get(key, key), required=False)
            field.widget.attrs |= {"size": 1, "autocomplete": "off"}
            self.fields[f"key_{number}"] = field
        styled(self)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not usable(self.keys()):
            raise forms.ValidationError(_("Choose a single visible character for each shortcut, and each only once."))
        return given

    def keys(self) -> dict[str, str]:
        """The keys that differ from the usual ones; an empty field means the usual key."""
        given = {key: self.cleaned_data.get(f"key_{number}") or key for number, key in enumerate(SHORTCUTS)}
        return {key: chosen for key, chosen in given.items() if chosen != key}


class AddressForm(StyledForm):
    """The e-mail address of an account."""

    email = forms.EmailField(label=_("E-mail address"), max_length=254)


class ChosenPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """A new password without the old one. Saves only the password, because an admin may edit the account meanwhile."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        styled(self)

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit=False)
        if commit:
            user.save(update_fields=["password"])
        return user


class OwnPasswordForm(ChosenPasswordForm, PasswordChangeForm):
    """A new password for a user who is logged in and enters the old one."""
