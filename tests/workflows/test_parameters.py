"""Kinds of parameters: form fields that also check what is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.workflows.building import draft, rule
from workflows.rules import parameters
from workflows.rules.parameters import Param
from workflows.rules.registry import ACTIONS, GUARDS, ActionKind, BadParams, Effect, GuardKind, Kind
from workflows.rules.triggers import TRIGGERS

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["figures", "number", int, None])
def test_a_guard_or_action_with_an_unknown_kind_of_parameter_is_not_registered(kind: Any) -> None:
    param = Param(name="most", label="most", kind=kind)

    with pytest.raises(ImproperlyConfigured, match="“late”: the parameter “most” is of the unknown kind"):
        GuardKind(slug="late", label="late", judge=lambda _context, _params: "", params=(param,))
    with pytest.raises(ImproperlyConfigured, match=r"workflows\.rules\.parameters"):
        ActionKind(
            slug="late",
            label="late",
            plan=lambda _context, _params: Effect(says=""),
            do=lambda _context, _params, _execution: "",
            params=(param,),
        )


def test_the_field_that_checks_is_the_field_that_is_shown() -> None:
    version = draft(rule("begin", ["new"], "working"))
    for kind in (*GUARDS.values(), *ACTIONS.values(), *TRIGGERS.values()):
        for param in kind.params:
            field = param.field(version)
            assert type(field) is param.kind
            assert (str(field.label), field.initial) == (str(param.label), param.default)


@pytest.mark.parametrize(
    ("param", "value", "said"),
    [
        ({"kind": parameters.Number, "least": 1, "most": 4}, 2, ""),
        ({"kind": parameters.Number, "least": 1, "most": 4}, 5, "5 is not between 1 and 4."),
        ({"kind": parameters.Number}, "2", "Expected a whole number."),
        ({"kind": parameters.Number}, True, "Expected a whole number."),
        ({"kind": parameters.Flag}, True, ""),
        ({"kind": parameters.Flag}, "yes", "Expected true or false."),
        ({}, 3, "Expected text."),
        ({}, "x" * 4001, "at most 4000 characters"),
        ({"kind": parameters.Choice, "choices": (("a", "A"),)}, "b", "“b” is not one of: a."),
        ({"kind": parameters.Choices, "choices": (("a", "A"),)}, ["a", "b"], "“b” is not one of: a."),
        ({"kind": parameters.Choices, "choices": (("a", "A"),)}, "a", "Expected a list."),
        ({"kind": parameters.Organisation}, "gone", "The entry with the id gone no longer exists; choose another one."),
        (
            {"kind": parameters.Organisations},
            ["gone"],
            "The entry with the id gone no longer exists; choose another one.",
        ),
        ({"kind": parameters.Texts}, ["new", 3], "Expected a list of text values."),
        ({"kind": parameters.Expression}, "ticket.priority ==", "."),
        ({"kind": parameters.Template}, "{ticket.nothing}", "nothing"),
        ({"kind": parameters.Verb}, "whatever", ""),
    ],
)
def test_a_stored_value_is_checked_by_its_kind(param: dict[str, Any], value: Any, said: str) -> None:
    kind = Kind(slug="k", label="k", params=(Param(name="p", label="p", **param),))

    if not said:
        assert kind.judged({"p": value}) == {"p": value}
        return
    with pytest.raises(BadParams) as error:
        kind.judged({"p": value})
    assert said in error.value.mistakes["p"]


def test_a_verb_has_to_be_one_of_the_version() -> None:
    kind = Kind(slug="k", label="k", params=(Param(name="verb", label="verb", kind=parameters.Verb),))
    version = draft(rule("begin", ["new"], "working"))

    assert kind.judged({"verb": "begin"}, version=version) == {"verb": "begin"}
    with pytest.raises(BadParams, match="This version has no transition “fly” that a person can use"):
        kind.judged({"verb": "fly"}, version=version)
