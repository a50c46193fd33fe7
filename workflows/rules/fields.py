"""Form fields for lists: choices in order, or texts separated by commas."""

from __future__ import annotations

from typing import Any

from django import forms

MOST_IN_ORDER = 6


class InOrderWidget(forms.MultiWidget):
    """Several select boxes, one below the other: the first choice, the second …"""

    template_name = "admin/workflows/in_order.html"

    def decompress(self, value: Any) -> list[str]:
        found = list(value or [])
        return found + [""] * (len(self.widgets) - len(found))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Unused boxes are folded away, except for the first two and one after the last that is used."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        used = [number for number, widget in enumerate(context["widget"]["subwidgets"], 1) if any(widget["value"])]
        return context | {"shown": max(used[-1] + 1 if used else 0, 2)}


class InOrderField(forms.MultiValueField):
    """Several choices in order; a choice made twice counts once."""

    def __init__(self, choices: list[tuple[str, Any]], **more: Any) -> None:
        listed = [("", "—"), *choices]
        fields = [forms.ChoiceField(choices=listed, required=False) for _each in range(MOST_IN_ORDER)]
        widget = InOrderWidget([forms.Select(choices=listed) for _each in range(MOST_IN_ORDER)])
        super().__init__(fields, require_all_fields=False, widget=widget, **more)

    def compress(self, data_list: list[str]) -> list[str]:
        return list(dict.fromkeys(each for each in data_list if each))


class TextsField(forms.CharField):
    """A list of texts, entered with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value) or ""
        return [each.strip() for each in found.split(",") if each.strip()]
