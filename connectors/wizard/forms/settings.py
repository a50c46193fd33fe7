"""The settings of a connector, for the pages Access and Company and queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from connectors.engine import vault
from connectors.kit.contract import Choice, Connector, Setting, several
from connectors.models import Connection
from hub.translation import localized

Picklists = Mapping[str, tuple[Choice, ...]]


class SettingsForm(forms.Form):
    """Some of a connector's settings. Secrets are never shown again, and are kept if nothing is entered."""

    def __init__(
        self, connection: Connection, settings: Iterable[Setting], picklists: Picklists, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.connection, self.settings = connection, list(settings)
        self.kept = vault.unseal(connection) if connection.sealed else {}
        self.is_own_draft = False
        """Whether the user who fills in the form has entered the credentials of this draft."""
        for setting in self.settings:
            self.fields[setting.name] = _field(connection, setting, picklists, is_kept=setting.name in self.kept)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        moved = [] if self.is_own_draft else [localized(each.label) for each in self.settings if self._is_moved(each)]
        for setting in self.settings:
            if moved and setting.is_secret and setting.name in self.kept and not cleaned.get(setting.name):
                self.add_error(setting.name, enter_again(moved))
        return cleaned

    def _is_moved(self, setting: Setting) -> bool:
        before = str(self.connection.settings.get(setting.name, setting.default))
        return setting.is_address and self._entered(setting) != before

    def _entered(self, setting: Setting) -> str:
        entered = self.cleaned_data.get(setting.name) or ""
        return ",".join(entered) if isinstance(entered, list) else str(entered).strip()

    def changes(self) -> list[str]:
        """The labels of the settings that change; a secret changes if one was entered."""
        before = self.connection.settings
        return [
            localized(setting.label)
            for setting in self.settings
            if (
                self._entered(setting)
                if setting.is_secret
                else self._entered(setting) != str(before.get(setting.name, setting.default))
            )
        ]

    def rare(self) -> list[Any]:
        """Fields that few connections need, which the page folds away."""
        return [self[setting.name] for setting in self.settings if setting.is_rare]

    def usual(self) -> list[Any]:
        return [self[setting.name] for setting in self.settings if not setting.is_rare]

    def is_rare_wrong(self) -> bool:
        return any(field.errors for field in self.rare())

    def keep(self) -> None:
        """Put what was entered into the connection. The caller saves the connection after a successful check."""
        secrets = vault.unseal(self.connection) if self.connection.sealed else {}
        for setting in self.settings:
            value = self._entered(setting)
            if not setting.is_secret:
                self.connection.settings[setting.name] = value
            elif value:
                secrets[setting.name] = value
                # If the check fails, the form is shown again, and the secret does not have to be entered again.
                self.fields[setting.name].required = False
                self.fields[setting.name].help_text = help_of(setting, is_kept=True)
        vault.seal(self.connection, secrets)
        # What the connector learned with other settings may be wrong with these.
        self.connection.memory = {}


def enter_again(moved: Iterable[str]) -> str:
    """The error at a stored credential that has to be entered again, because an address changes."""
    return _("Enter this again: %(settings)s changed, so it would be sent to another system.") % {
        "settings": ", ".join(moved)
    }


def access_settings(kind: type[Connector]) -> list[Setting]:
    """The settings that are needed to read the vendor's picklists."""
    return [setting for setting in kind.settings if setting.is_address or not setting.picklist]


def place_settings(kind: type[Connector]) -> list[Setting]:
    """The settings that are chosen from the vendor's picklists."""
    return [setting for setting in kind.settings if setting.picklist and not setting.is_address]


def _field(connection: Connection, setting: Setting, picklists: Picklists, *, is_kept: bool) -> forms.Field:
    initial = connection.settings.get(setting.name, setting.default)
    if setting.choices:
        choices = [(value, localized(label)) for value, label in setting.choices]
        return forms.ChoiceField(choices=choices, initial=initial, **_common(setting))
    chosen = several(initial) if setting.is_many else (initial,)
    theirs = [c for c in picklists.get(setting.picklist, ()) if c.is_active or c.value in chosen]
    if theirs and (setting.is_many or setting.picklist):
        return _picklist_field(setting, theirs, initial, chosen)
    return _text_field(setting, initial, is_kept=is_kept)


def _common(setting: Setting) -> dict[str, Any]:
    label, help_text = localized(setting.label), localized(setting.help)
    return {"label": label, "help_text": help_text, "required": setting.is_required}


def _picklist_field(setting: Setting, theirs: list[Choice], initial: str, chosen: Iterable[str]) -> forms.Field:
    choices = [(c.value, f"{c.label} ({c.value})") for c in theirs]
    if setting.is_many:
        return forms.MultipleChoiceField(
            choices=choices, initial=list(chosen), widget=forms.CheckboxSelectMultiple, **_common(setting)
        )
    if len(choices) == 1 and setting.is_required:
        initial = initial or choices[0][0]
    return forms.ChoiceField(choices=[("", "—"), *choices], initial=initial, **_common(setting))


def _text_field(setting: Setting, initial: str, *, is_kept: bool) -> forms.Field:
    common = _common(setting)
    if is_kept:
        common |= {"required": False, "help_text": help_of(setting, is_kept=True)}
    widget: forms.Widget = forms.TextInput(attrs={"class": "vTextField"})
    if setting.is_long:
        widget = forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField", "spellcheck": "false"})
    elif setting.is_secret:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"})
    return forms.CharField(initial="" if setting.is_secret else initial, widget=widget, **common)


def help_of(setting: Setting, *, is_kept: bool) -> str:
    """The help text of a setting; for a stored secret, also what an empty field means."""
    text, kept = localized(setting.help), _("Leave empty to keep the current value.")
    if not is_kept:
        return text
    return _("%(help)s %(kept)s") % {"help": text, "kept": kept} if text else kept
