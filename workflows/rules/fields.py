"""Fields in which a list is entered: rows in order, or texts with commas between them."""

from __future__ import annotations

from typing import Any

from django import forms

MOST_IN_ORDER = 6


class InOrderWidget(forms.MultiWidget):
    """Several lists, one below the other: the first, the second …"""

    template_name = "admin/workflows/in_order.html"

    def decompress(self, value: Any) -> list[str]:
        found = list(value or [])
        return found + [""] * (len(self.widgets) - len(found))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """What is empty is folded away, but for two lists, or one after the last that is used."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        used = [number for number, widget in enumerate(context["widget"]["subwidgets"], 1) if any(widget["value"])]
        return context | {"shown": max(used[-1] + 1 if used else 0, 2)}


class InOrderField(forms.MultiValueField):
    """Rows in the order in which they are asked."""

    def __init__(self, choices: list[tuple[str, Any]], **more: Any) -> None:
        listed = [("", "—"), *choices]
        fields = [forms.ChoiceField(choices=listed, required=False) for _each in range(MOST_IN_ORDER)]
        widget = InOrderWidget([forms.Select(choices=listed) for _each in range(MOST_IN_ORDER)])
        super().__init__(fields, require_all_fields=False, widget=widget, **more)

    def compress(self, data_list: list[str]) -> list[str]:
        return list(dict.fromkeys(each for each in data_list if each))


class TextsField(forms.CharField):
    """Texts, separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value) or ""
        return [each.strip() for each in found.split(",") if each.strip()]
