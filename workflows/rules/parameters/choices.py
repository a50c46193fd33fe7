"""Kinds of parameters whose value is chosen from a list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.models import Membership, Priority, WorkflowVersion
from workflows.models import Endpoint as EndpointRow
from workflows.models import Transition, Trigger

from .base import Label, Param, ParameterField


class Choice(ParameterField, forms.ChoiceField):
    """One of the parameter's own choices."""

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        """The values that can be chosen now, with their labels."""
        return list(param.choices)

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        def choices() -> list[tuple[str, Label]]:
            found = cls.listed(param, version)
            return found if param.is_required and len(found) == 1 else [("", "—"), *found]

        return super().arguments(param, version) | {"choices": choices}

    def fault(self, value: Any) -> str:
        return super().fault(value) if not isinstance(value, str) else self.chosen_fault(value)

    def chosen_fault(self, value: str) -> str:
        return "" if self.valid_value(value) else _not_one_of(self.choices, value)

    @classmethod
    def names(cls, param: Param, values: list[Any]) -> dict[str, str]:
        return {str(value): str(label) for value, label in cls.listed(param, None)}


class Choices(ParameterField, forms.MultipleChoiceField):
    """Several of the parameter's own choices."""

    holds = list
    expected = _lazy("Expected a list.")

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        more = {"choices": _grouped(param), "widget": forms.CheckboxSelectMultiple}
        return super().arguments(param, version) | more

    def fault(self, value: Any) -> str:
        if not isinstance(value, list):
            return str(self.expected)
        wrong = next((each for each in value if not isinstance(each, str) or not self.valid_value(each)), None)
        return "" if wrong is None else _not_one_of(self.choices, wrong)


def _not_one_of(choices: Any, value: Any) -> str:
    """The error for a value that is not among the choices, which may be grouped under headings."""
    under = [label if isinstance(label, list | tuple) else [(name, label)] for name, label in choices]
    known = ", ".join(str(name) for each in under for name, _label in each if name)
    return _("“%(value)s” is not one of: %(known)s.") % {"value": str(value)[:60], "known": known}


def _grouped(param: Param) -> list[tuple[Any, Any]]:
    """The choices, under their headings if the parameter has any."""
    if not param.groups:
        return list(param.choices)
    return [
        (heading, [each for each in param.choices if each[0].startswith(beginnings)])
        for heading, beginnings in param.groups
    ]


class Role(Choice):
    """A role of our own people."""

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        return [(value, label) for value, label in Membership.Role.choices if value != Membership.Role.VENDOR]


class PriorityChoice(Choice):
    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        return list(Priority.choices)


class Verb(Choice):
    """A transition of the version that a person can use, by its identifier."""

    def __init__(self, *, is_checked: bool, **more: Any) -> None:
        super().__init__(**more)
        self.is_checked = is_checked

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"is_checked": version is not None}

    @classmethod
    def listed(cls, param: Param, version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        rows = Transition.objects.filter(version=version, trigger=Trigger.PERSON).order_by("position", "pk")
        return [(row.slug, row.name) for row in rows] if version is not None else []

    def chosen_fault(self, value: str) -> str:
        if not self.is_checked or self.valid_value(value):
            return ""
        return _("This version has no transition “%(verb)s” that a person can use.") % {"verb": value}


class Endpoint(Choice):
    """A webhook endpoint, by its name. If it does not exist when the rule runs, the action fails."""

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        names = EndpointRow.objects.filter(is_active=True).order_by("name").values_list("name", flat=True)
        return [(name, name) for name in names]

    def chosen_fault(self, value: str) -> str:
        return ""
