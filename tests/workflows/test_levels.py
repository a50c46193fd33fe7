"""Levels of a clock: each fires once for each cycle and revision of the goal."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps
from django.db import connection

from hub.domain.actors import Actor
from hub.models import Organisation, User
from tests import factories
from tests.workflows.building import act, published
from tests.workflows.test_running import director, escalation, level, minutes, opened, pass_until
from workflows.handoffs import comments
from workflows.lifecycle import priorities
from workflows.models import EscalationRun, Pending
from workflows.rules import execution, runner

__all__ = ["director"]

pytestmark = pytest.mark.django_db


def three_levels() -> None:
    levels = [
        escalation(f"l{percent}", "clock", level(percent), (0, [act("notify", whom="executive", text=f"{percent}")]))
        for percent in (50, 75, 100)
    ]
    published(escalations=levels)


def causes() -> list[str]:
    return list(EscalationRun.objects.order_by("pk").values_list("cause", flat=True))


def test_of_the_levels_a_change_passes_only_the_highest_fires_marked_late(
    agent: Actor, us: Organisation, director: User
) -> None:
    factories.contract(us, goals={"resolve": {"P1": 3600, "P3": 7200}})
    three_levels()
    ticket = opened(agent)
    pass_until(58)
    priorities.override(ticket=ticket, priority="P1", reason="worse", actor=agent, at=minutes(58))
    pass_until(59)
    assert causes() == ["75% of the time to resolution is used (late)"]
    comments.comment(ticket=ticket, body="more", actor=agent, at=minutes(59))
    pass_until(60)
    assert causes()[1:] == ["100% of the time to resolution is used"]


def test_a_level_fires_once_for_each_revision_of_the_goal(agent: Actor, us: Organisation, director: User) -> None:
    factories.contract(us, goals={"resolve": {"P1": 3600, "P3": 7200}})
    published(escalations=[escalation("half", "clock", level(50), (0, [act("notify", whom="executive", text="x")]))])
    ticket = opened(agent, priority="P1")
    pass_until(40)
    assert causes() == ["50% of the time to resolution is used"]
    priorities.override(ticket=ticket, priority="P3", reason="better", actor=agent, at=minutes(40))
    pass_until(59)
    assert len(causes()) == 1
    pass_until(61)
    comments.comment(ticket=ticket, body="more", actor=agent, at=minutes(62))
    pass_until(90)
    assert causes() == ["50% of the time to resolution is used"] * 2


def test_a_level_that_came_due_while_its_clock_stood_still_fires_when_it_runs_again(
    agent: Actor, us: Organisation, director: User
) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    published(escalations=[escalation("half", "clock", level(50), (0, [act("notify", whom="executive", text="x")]))])
    ticket = opened(agent)
    comments.comment(ticket=ticket, body="Which one?", is_for_requester=True, actor=agent, at=minutes(30))
    row = Pending.objects.get()
    execution.fire(ticket=ticket, verb="ask", actor=agent, at=minutes(30))
    assert not Pending.objects.exists()
    row.pk = None
    row.save()  # one that a worker read before it was taken back
    runner.run(pending_id=row.pk, at=minutes(60))
    assert not Pending.objects.exists()
    comments.requester_says(ticket=ticket, requester=ticket.requester, body="That", actor=agent, at=minutes(330))  # type: ignore[arg-type]
    pass_until(360)
    assert causes() == ["50% of the time to resolution is used"]


def test_levels_that_fired_before_keys_named_the_revision_do_not_fire_again(
    agent: Actor, us: Organisation, director: User
) -> None:
    factories.contract(us, goals={"resolve": {"P3": 7200}})
    three_levels()
    ticket = opened(agent)
    pass_until(65)
    for row in [*Pending.objects.filter(key__startswith="clock:"), *EscalationRun.objects.all()]:
        row.key = row.key.rpartition(":")[0]
        row.save()
    named = importlib.import_module("workflows.migrations.0009_levels_per_revision")
    named.name_revisions(apps, connection.schema_editor())
    comments.comment(ticket=ticket, body="more", actor=agent, at=minutes(66))
    pass_until(90)
    assert causes() == [f"{percent}% of the time to resolution is used" for percent in (50, 75)]
