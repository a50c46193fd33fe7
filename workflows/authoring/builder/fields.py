"""The form field for the priority matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.models import Priority
from workflows.lifecycle.priorities import USUAL

WEIGHTS = (("1", _("high")), ("2", _("medium")), ("3", _("low")))


class MatrixWidget(forms.MultiWidget):
    """A table with a row for each impact and a column for each urgency."""

    template_name = "admin/workflows/matrix.html"

    def decompress(self, value: Any) -> list[str]:
        rows = {impact: row for impact, row in value.items() if isinstance(row, dict)} if value else {}
        return [str(rows.get(impact, {}).get(urgency, "")) for impact, urgency in _cells()]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        cells = iter(context["widget"]["subwidgets"])
        context["weights"] = WEIGHTS
        context["rows"] = [(impact, label, [next(cells) for _each in WEIGHTS]) for impact, label in WEIGHTS]
        return context


class MatrixField(forms.MultiValueField):
    """Priorities by impact and urgency, as {"1": {"1": "P1"}}; empty cells are left out and mean the default."""

    def __init__(self, **more: Any) -> None:
        listed = [_listed(USUAL[impact][urgency]) for impact, urgency in _cells()]
        fields = [forms.ChoiceField(choices=choices, required=False) for choices in listed]
        selects = [
            forms.Select(choices=choices, attrs={"aria-label": _cell_label(impact, urgency)})
            for choices, (impact, urgency) in zip(listed, _cells(), strict=True)
        ]
        super().__init__(fields, require_all_fields=False, widget=MatrixWidget(selects), **more)

    def compress(self, data_list: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for (impact, urgency), priority in zip(_cells(), data_list, strict=False):
            if priority:
                found.setdefault(impact, {})[urgency] = priority
        return found


def _cells() -> Iterator[tuple[str, str]]:
    return ((impact, urgency) for impact, _high in WEIGHTS for urgency, _low in WEIGHTS)


def _listed(usual: str) -> list[tuple[str, Any]]:
    return [("", _default_label(usual)), *((value, value) for value in Priority.values)]


def _default(priority: str) -> str:
    return gettext("default: %(priority)s") % {"priority": priority}


def _cell(impact: str, urgency: str) -> str:
    return gettext("impact %(impact)s, urgency %(urgency)s") % {"impact": impact, "urgency": urgency}


# Forms are made once, when they are imported; these texts are translated when a page is shown.
_default_label, _cell_label = lazy(_default, str), lazy(_cell, str)
