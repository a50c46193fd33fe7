"""Kinds of parameters whose value is the public id of a row, or a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub import models
from hub.models import Publication, WorkflowVersion
from workflows.rules.fields import InOrderField

from .base import Label, Param, ParameterField
from .choices import Choice


class Row(Choice):
    """One row of a model, by its public id."""

    @classmethod
    def offered(cls) -> Any:
        """The rows that can be chosen now; rows chosen earlier stay valid as long as they exist."""
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
    """The error for the first of these public ids that has no row; empty if all have one."""
    found = row_names(model, wanted)
    gone = next((each for each in wanted if each not in found), None)
    return (
        "" if gone is None else _("The entry with the id %(id)s no longer exists; choose another one.") % {"id": gone}
    )


def row_names(model: Any, wanted: Iterable[Any]) -> dict[str, str]:
    """The names of a model's rows by their public ids."""
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
            return _("Expected a list of ids.")
        return missing_row(self.model, value)

    @classmethod
    def names(cls, param: Param, values: list[Any]) -> dict[str, str]:
        return row_names(cls.model, values)
