"""Kinds of parameters whose value is the public id of a row, or a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub import models
from hub.models import Publication, WorkflowVersion
from workflows.rules.fields import MOST_IN_ORDER, InOrderField

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
        rows = _with_owner(cls.offered()).order_by("name", "pk")
        names = full_name if _is_named_per_organisation(cls.model) else str
        return [(row.public_id, names(row)) for row in rows]

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
    rows = _with_owner(model.objects.filter(public_id__in=list(wanted)))
    return {row.public_id: full_name(row) for row in rows}


def rows_named(model: Any, name: str) -> list[Any]:
    """The rows with this full name, the newest first. Names without an organisation, as older files have, count too."""
    names = {name, name.partition(": ")[2]}
    rows = list(_with_owner(model.objects.filter(name__in=names)).order_by("-pk"))
    return [row for row in rows if full_name(row) == name] or [row for row in rows if row.name == name]


def full_name(row: Any) -> str:
    """What tells a row apart from all others of its model: the name, after that of its organisation if need be."""
    return f"{row.organisation}: {row.name}" if _is_named_per_organisation(type(row)) else str(row.name)


def _is_named_per_organisation(model: Any) -> bool:
    return any(
        set(getattr(each, "fields", ())) == {"organisation", "name"} for each in model._meta.total_unique_constraints
    )


def _with_owner(rows: Any) -> Any:
    return rows.select_related("organisation") if _is_named_per_organisation(rows.model) else rows


class Organisation(Row):
    """An organisation that can be engaged; customers are not offered."""

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


class Rows(ParameterField, InOrderField):
    """Several rows of a model in order, at most MOST_IN_ORDER; a subclass says of which kind."""

    holds = list
    expected = _lazy("Expected a list.")
    one: type[Row]
    """The kind of parameter for one such row."""

    @classmethod
    def arguments(cls, param: Param, version: WorkflowVersion | None) -> dict[str, Any]:
        return super().arguments(param, version) | {"choices": cls.one.listed(param, version)}

    def fault(self, value: Any) -> str:
        if not isinstance(value, list):
            return str(self.expected)
        if not all(isinstance(each, str) for each in value):
            return _("Expected a list of ids.")
        if len(value) > MOST_IN_ORDER:
            return _("At most %(most)s entries are possible here.") % {"most": MOST_IN_ORDER}
        return missing_row(self.model, value)

    @classmethod
    def names(cls, param: Param, values: list[Any]) -> dict[str, str]:
        return row_names(cls.model, values)


class Organisations(Rows):
    """Several organisations that can be engaged, in order; customers are not offered."""

    one, model = Organisation, models.Organisation
