"""A field in which a row is chosen by typing. It works as a plain text field without JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.safestring import SafeString, mark_safe

from hub.queries.pickers import LONGEST, PICKERS, NotChosen


class PickerInput(forms.TextInput):
    """A text field with suggestions from the server for what has been typed."""

    template_name = "console/widgets/picker.html"

    def __init__(self, kind: str) -> None:
        super().__init__(attrs={"autocomplete": "off", "class": "form-control"})
        self.url = reverse_lazy("console:pick", args=[kind])

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The field by the console's own template, which Django's renderer of forms does not look for."""
        return mark_safe(render_to_string(self.template_name, self.get_context(name, value, attrs)))  # noqa: S308

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        found = f"{context['widget']['attrs'].get('id') or name}_found"
        context["widget"]["attrs"]["list"] = found
        return context | {"url": self.url, "found": found}


class PickerField(forms.CharField):
    """A row of one of the kinds in `hub.queries.pickers`, by its label or public id; None if empty."""

    kept: Model | None = None
    """The row that the form began with: if its label comes back unchanged, nothing is looked up."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.picker = PICKERS[kind]
        super().__init__(widget=PickerInput(kind), max_length=LONGEST, **options)

    def prepare_value(self, value: Any) -> Any:
        return self.picker.label(value) if isinstance(value, Model) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        if self.kept is not None and text == self.prepare_value(self.kept):
            return self.kept
        try:
            return self.picker.chosen(text)
        except NotChosen as why:
            raise forms.ValidationError(str(why)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial or "") != (data or ""))
