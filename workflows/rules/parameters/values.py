"""Kinds of parameters whose value is entered: texts, numbers, true or false."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.expressions import BadExpression, expression
from hub.models import WorkflowVersion
from workflows.notifications import templates
from workflows.rules.fields import TextsField

from .base import NOTHING, Param, ParameterField, Text

EXPRESSION_NAMES = ("ticket", "lead", "requester", "legs", "clocks")
"""The names that an expression of a rule may use; `Context.plain` gives their values."""


class LongText(Text):
    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})
        return super().arguments(param, version) | {"widget": widget}


class Template(LongText):
    """A text with facts of the ticket in braces, such as `{ticket.title}`."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        try:
            templates.check(str(value))
        except templates.BadTemplate as error:
            raise ValidationError(str(error)) from error


class Expression(LongText):
    """A condition in CEL, the Common Expression Language."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value in NOTHING:
            return
        try:
            expression(str(value), names=EXPRESSION_NAMES)
        except BadExpression as error:
            raise ValidationError(str(error)) from error


class Number(ParameterField, forms.IntegerField):
    holds = int
    expected = _lazy("Expected a whole number.")

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"min_value": param.least, "max_value": param.most}

    def fault(self, value: Any) -> str:
        fault = super().fault(value)
        if fault and isinstance(value, int) and not isinstance(value, bool):
            bounds = {"value": value, "least": self.min_value, "most": self.max_value}
            return _("%(value)s is not between %(least)s and %(most)s.") % bounds
        return fault

    @classmethod
    def in_words(cls, param: Param, value: Any) -> str:
        if value in NOTHING:
            return ""
        return _("%(label)s %(value)s") % {"label": param.label, "value": value}


class Flag(ParameterField, forms.BooleanField):
    holds = bool
    expected = _lazy("Expected true or false.")

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"required": False}

    @classmethod
    def in_words(cls, param: Param, value: Any) -> str:
        """Shown only if it differs from the default."""
        if value == param.default:
            return ""
        return str(param.label) if value else _("not %s") % param.label


class Texts(ParameterField, TextsField):
    """A list of texts."""

    holds = list
    expected = _lazy("Expected a list of text values.")

    def fault(self, value: Any) -> str:
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "" if fits else str(self.expected)
