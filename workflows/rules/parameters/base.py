"""What a parameter is, and what all kinds of parameters have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _lazy

from hub.models import WorkflowVersion

Label = str | Promise
NOTHING: tuple[Any, ...] = (None, "", [])
"""Values that count as empty: the default is used."""
LONGEST_SHOWN = 60


class ParameterField(forms.Field):
    """A kind of parameter: how it is entered, checked and shown."""

    holds: ClassVar[type] = str
    """The type of a stored value."""
    expected: ClassVar[Label] = _lazy("Expected text.")
    """The error for a value of another type."""
    model: ClassVar[Any] = None
    """The model whose rows a value names by public id, if any."""

    @classmethod
    def arguments(cls, param: Param, _version: WorkflowVersion | None) -> dict[str, Any]:
        """The arguments with which the field is created for a parameter."""
        return {
            "label": param.label,
            "help_text": param.help,
            "required": param.is_required,
            "initial": param.default,
        }

    def fault(self, value: Any) -> str:
        """Why a stored value is invalid, as a sentence; empty if it is valid."""
        if not isinstance(value, self.holds) or (isinstance(value, bool) and self.holds is not bool):
            return str(self.expected)
        try:
            self.validate(value)
            self.run_validators(value)
        except ValidationError as error:
            return " ".join(error.messages)
        return ""

    @classmethod
    def in_words(cls, param: Param, value: Any) -> str:
        """The value as shown in a list of rules; empty if there is nothing to show."""
        if value in NOTHING:
            return ""
        values = value if isinstance(value, list) else [value]
        names = cls.names(param, values)
        return Truncator(", ".join(names.get(str(each), str(each)) for each in values)).chars(LONGEST_SHOWN)

    @classmethod
    def names(cls, param: Param, _values: list[Any]) -> dict[str, str]:
        """The labels of values, for values that have one."""
        return {str(value): str(label) for value, label in param.choices}


class Text(ParameterField, forms.CharField):
    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        widget = forms.TextInput(attrs={"class": "vTextField"})
        return super().arguments(param, version) | {"max_length": 4000, "widget": widget}


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter of a guard, an action or a trigger."""

    name: str
    label: Label
    kind: type[ParameterField] = Text
    help: Label = ""
    is_needed: bool = True
    default: Any = None
    choices: tuple[tuple[str, Label], ...] = ()
    groups: tuple[tuple[Label, tuple[str, ...]], ...] = ()
    """Headings for the choices, each with the prefixes of the values below it; together they cover every choice."""
    least: int = 0
    most: int = 1_000_000
    """Bounds of a number, both included."""

    @property
    def is_required(self) -> bool:
        return self.is_needed and self.default is None

    def field(self, version: WorkflowVersion | None = None) -> ParameterField:
        """The field in which the value is entered and by which it is checked; a version provides its transitions."""
        return self.kind(**self.kind.arguments(self, version))
