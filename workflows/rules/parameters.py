"""The kinds of parameters that guards, actions and triggers have. Each kind is a form field.

The builder shows the field; what an import brings and what is published is checked by the same class. So a kind says
in one place how its value is entered, when it fits, and how it reads in a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub import models
from hub.expressions import BadExpression, expression
from hub.models import Membership, Priority, Publication, WorkflowVersion
from workflows.models import Endpoint as EndpointRow
from workflows.models import Transition, Trigger
from workflows.notifications import templates
from workflows.rules.fields import InOrderField, TextsField

Label = str | Promise
NOTHING: tuple[Any, ...] = (None, "", [])
"""Values that say nothing: the default is used."""
EXPRESSION_NAMES = ("ticket", "lead", "requester", "legs", "clocks")
"""What an expression of a rule may name."""
LONGEST_SHOWN = 60


class ParameterField(forms.Field):
    """A kind of parameter: how it is entered, checked and shown."""

    holds: ClassVar[type] = str
    """The type of its value as it is stored."""
    expected: ClassVar[Label] = _lazy("Expected a text.")
    model: ClassVar[Any] = None
    """The table whose rows it names by their public id."""

    @classmethod
    def arguments(cls, param: Param, _version: WorkflowVersion | None) -> dict[str, Any]:
        """What the field is made with for a parameter."""
        return {
            "label": param.label,
            "help_text": param.help,
            "required": param.is_required,
            "initial": param.default,
        }

    def fault(self, value: Any) -> str:
        """Why a stored value does not fit, in a sentence; empty where it fits."""
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
        """The value as a list of rules shows it; empty where there is nothing to show."""
        if value in NOTHING:
            return ""
        values = value if isinstance(value, list) else [value]
        names = cls.names(param, values)
        return Truncator(", ".join(names.get(str(each), str(each)) for each in values)).chars(LONGEST_SHOWN)

    @classmethod
    def names(cls, param: Param, _values: list[Any]) -> dict[str, str]:
        """What values are called, where that is another word."""
        return {str(value): str(label) for value, label in param.choices}


class Text(ParameterField, forms.CharField):
    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        widget = forms.TextInput(attrs={"class": "vTextField"})
        return super().arguments(param, version) | {"max_length": 4000, "widget": widget}


class LongText(Text):
    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})
        return super().arguments(param, version) | {"widget": widget}


class Template(LongText):
    """A text with facts of the ticket in braces."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        try:
            templates.check(str(value))
        except templates.BadTemplate as error:
            raise ValidationError(str(error)) from error


class Expression(LongText):
    """A condition in CEL."""

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
        if said := super().fault(value):
            is_number = isinstance(value, int) and not isinstance(value, bool)
            bounds = {"value": value, "least": self.min_value, "most": self.max_value}
            return _("%(value)s is not between %(least)s and %(most)s.") % bounds if is_number else said
        return ""

    @classmethod
    def in_words(cls, param: Param, value: Any) -> str:
        return "" if value in NOTHING else f"{param.label} {value}"


class Flag(ParameterField, forms.BooleanField):
    holds = bool
    expected = _lazy("Expected true or false.")

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"required": False}

    @classmethod
    def in_words(cls, param: Param, value: Any) -> str:
        """Shown only where it was changed."""
        if value == param.default:
            return ""
        return str(param.label) if value else _("not %s") % param.label


class Choice(ParameterField, forms.ChoiceField):
    """One of the parameter's own choices."""

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        """What can be chosen now."""
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
    """The choices may stand under headings."""
    under = [label if isinstance(label, list | tuple) else [(name, label)] for name, label in choices]
    known = ", ".join(str(name) for each in under for name, _label in each if name)
    return _("“%(value)s” is not one of: %(known)s.") % {"value": str(value)[:60], "known": known}


def _grouped(param: Param) -> list[tuple[Any, Any]]:
    """The choices under their headings, where there are many."""
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


class Row(Choice):
    """One row of a table, by its public id."""

    @classmethod
    def offered(cls) -> Any:
        """The rows that can be chosen now; those chosen earlier stay valid as long as they exist."""
        return cls.model.objects.all()

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        return [(row.public_id, str(row)) for row in cls.offered().order_by("name", "pk")]

    def chosen_fault(self, value: str) -> str:
        return missing_row(self.model, [value])

    @classmethod
    def names(cls, param: Param, values: list[Any]) -> dict[str, str]:
        return row_names(cls.model, values)


def missing_row(model: Any, wanted: list[str]) -> str:
    found = row_names(model, wanted)
    gone = next((each for each in wanted if each not in found), None)
    return "" if gone is None else _("There is no row with the id %s any more.") % gone


def row_names(model: Any, wanted: Iterable[Any]) -> dict[str, str]:
    """The names of a table's rows by their public ids."""
    rows = model.objects.filter(public_id__in=list(wanted))
    return dict(rows.values_list("public_id", "name"))


class Organisation(Row):
    model = models.Organisation

    @classmethod
    def offered(cls) -> Any:
        rows = models.Organisation.objects.filter(archived_at=None)
        return rows.exclude(kind=models.Organisation.Kind.CUSTOMER)


class Service(Row):
    model = models.Service


class Calendar(Row):
    model = models.Calendar

    @classmethod
    def offered(cls) -> Any:
        return models.Calendar.objects.filter(status=Publication.PUBLISHED)


class Team(Row):
    model = models.Team


class Organisations(ParameterField, InOrderField):
    """Several organisations, in order."""

    holds = list
    expected = _lazy("Expected a list.")
    model = models.Organisation

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"choices": Organisation.listed(param, version)}

    def fault(self, value: Any) -> str:
        if not isinstance(value, list):
            return str(self.expected)
        if not all(isinstance(each, str) for each in value):
            return _("Expected the ids of rows.")
        return missing_row(self.model, value)

    @classmethod
    def names(cls, param: Param, values: list[Any]) -> dict[str, str]:
        return row_names(cls.model, values)


class Texts(ParameterField, TextsField):
    """Several texts."""

    holds = list
    expected = _lazy("Expected a list of texts.")

    def fault(self, value: Any) -> str:
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "" if fits else str(self.expected)


class Verb(Choice):
    """A verb of the version that somebody can use."""

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
        return _("There is no verb “%s” in this version.") % value


class Endpoint(Choice):
    """A webhook endpoint, by its name. One that is not there when the rule runs is a failed action."""

    @classmethod
    def listed(cls, param: Param, _version: WorkflowVersion | None) -> list[tuple[str, Label]]:
        names = EndpointRow.objects.filter(is_active=True).order_by("name").values_list("name", flat=True)
        return [(name, name) for name in names]

    def chosen_fault(self, value: str) -> str:
        return ""


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
    """Headings of the choices, each with how the values under it begin; together they hold every choice."""
    least: int = 0
    most: int = 1_000_000

    @property
    def is_required(self) -> bool:
        return self.is_needed and self.default is None

    def field(self, version: WorkflowVersion | None = None) -> ParameterField:
        """The field in which it is entered and by which it is checked; a version gives it its verbs."""
        return self.kind(**self.kind.arguments(self, version))
