"""Forms with the console's style."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms

_Form = TypeVar("_Form", bound=forms.BaseForm)


def styled(form: _Form) -> _Form:
    """The form, with the console's CSS classes on its controls."""
    for field in form.fields.values():
        widget = field.widget
        if isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple):
            widget.attrs.setdefault("class", "form-check-input")
        elif isinstance(widget, forms.Select):
            widget.attrs.setdefault("class", "form-select")
        else:
            widget.attrs.setdefault("class", "form-control")
    return form


class StyledForm(forms.Form):
    """A form with the console's CSS classes on its controls."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        styled(self)
