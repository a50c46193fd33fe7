"""The severities of a monitoring tool, and a sample of its calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from hub.models import Priority

SEVERITIES = {
    "P1": "critical, disaster, emergency, fatal, down",
    "P2": "error, high, major, average",
    "P3": "warning, warn, minor, medium",
    "P4": "info, information, notice, low",
}


class SeverityForm(forms.Form):
    """Which severities of the tool mean which priority. Any other severity means P3 and is shown as unmapped."""

    def __init__(self, known: Mapping[str, str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for priority, label in Priority.choices:
            self.fields[priority] = forms.CharField(
                label=label,
                required=False,
                max_length=400,
                initial=known.get(priority, SEVERITIES[priority]),
                widget=forms.TextInput(attrs={"class": "vTextField"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        seen: dict[str, str] = {}
        for priority in Priority.values:
            for word in self.words(priority):
                if word in seen:
                    self.add_error(
                        priority, _("“%(word)s” already means %(other)s.") % {"word": word, "other": seen[word]}
                    )
                seen[word] = priority
        return cleaned

    def words(self, priority: str) -> list[str]:
        return [word.strip().lower() for word in (self.cleaned_data.get(priority) or "").split(",") if word.strip()]


class AlertSampleForm(forms.Form):
    """A sample call, for a preview of its alerts."""

    sample = forms.CharField(
        label=_("Sample call from the tool"),
        required=False,
        max_length=500_000,
        widget=forms.Textarea(attrs={"rows": 10, "class": "vLargeTextField", "spellcheck": "false"}),
        help_text=_("Paste the JSON that the tool posts. It is not stored."),
    )
