"""Filters of a list of tickets: what each condition finds, how a URL holds them, and what a reader may ask."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Clock, Organisation, Team, Ticket
from hub.queries import choices, filter_fields
from hub.queries import tickets as questions
from hub.queries.filter_fields import FIELDS, Reader
from hub.queries.filters import Condition, Filters, parsed
from tests import factories
from workflows.handoffs import engagements, stages

NAMES = st.sampled_from([*FIELDS, *(f"{slug}.not" for slug in FIELDS), *(f"2.{slug}" for slug in FIELDS), "show", "x"])


def of(query: str) -> Filters:
    return parsed(dict(QueryDict(query).items()), fields=list(FIELDS), show="open")


def test_the_examples_in_the_docs() -> None:
    assert doctest.testmod(filter_fields).failed == 0


def test_a_url_holds_conditions_alternatives_and_exclusions() -> None:
    found = of("holder=A,B&priority.not=P4&1.priority=P1&2.is=vip&page=3&sort=due")
    assert found.always == [
        Condition(field="holder", values=("A", "B")),
        Condition(field="priority", values=("P4",), is_not=True),
    ]
    assert [[each.field for each in group] for group in found.groups] == [["priority"], ["is"]]
    assert found.query == "show=open&holder=A,B&priority.not=P4&1.priority=P1&2.is=vip"
    assert of(found.query) == found


@given(st.dictionaries(NAMES, st.text(max_size=30), max_size=8))
def test_any_query_string_is_read_and_written_the_same(asked: dict[str, str]) -> None:
    found = parsed(asked, fields=list(FIELDS), show="open")
    assert parsed(dict(QueryDict(found.query).items()), fields=list(FIELDS), show="open") == found


@pytest.fixture
def world(us: Organisation, agent: Actor, at: datetime) -> dict[str, Any]:
    """Three tickets: one with everything, one with little, one with nothing."""
    factories.contract(us, goals={"resolve": {"P1": 8 * 3600, "P2": 8 * 3600}})
    vendor = factories.OrganisationFactory(name="Hostwerk")
    person = factories.PersonFactory(name="Rosa", is_vip=True)
    service = factories.ServiceFactory(name="Payroll", tier=1)
    user = factories.member("agent", us, name="Ada")
    full = tickets.open_ticket(
        title="full", priority="P1", requester=person, service=service, kind="request", actor=agent, at=at
    )
    leg = engagements.offer(ticket=full, organisation=vendor, actor=agent, at=at)
    stages.accept(leg=leg, actor=Actor.vendor(vendor), at=at)
    team = Team.objects.create(organisation=us, name="Network")
    tickets.assign(ticket=full, team=team, assignee=user, actor=agent, at=at)
    tickets.open_ticket(title="little", priority="P2", actor=agent, at=at + timedelta(hours=1))
    nothing = tickets.open_ticket(title="nothing", priority="P4", actor=agent, at=at + timedelta(hours=2))
    Clock.objects.filter(ticket=nothing).delete()
    return {
        "vendor": vendor.public_id, "us": us.public_id, "person": person.public_id, "user": user,
        "service": service.public_id, "team": team.public_id, "customer": person.organisation.public_id,
        "gone": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    }  # fmt: skip


def shown(world: dict[str, Any], query: str, at: datetime, **more: Any) -> str:
    reader = Reader(user_id=world["user"].pk, at=at, **more)
    found = questions.narrowed(Ticket.objects.all(), of(query.format(**world)), reader)
    return " ".join(found.order_by("pk").values_list("title", flat=True))


QUERIES = [
    ("", "full little nothing"),
    ("holder={vendor}", "full"),
    ("holder={vendor},{us}", "full little nothing"),
    ("holder.not={vendor}", "little nothing"),
    ("holder={gone}", ""),
    ("holder={gone},{vendor}", "full"),
    ("engaged={vendor}", "full"),
    ("engaged.not={vendor}", "little nothing"),
    ("engaged=none", "little nothing"),
    ("engaged={gone}", ""),
    ("priority=P1,P2", "full little"),
    ("priority=P9", ""),
    ("priority.not=P1", "little nothing"),
    ("phase=new", "little nothing"),
    ("status=new", "little nothing"),
    ("kind=request", "full"),
    ("service={service}", "full"),
    ("service=none", "little nothing"),
    ("service.not={service}", "little nothing"),
    ("service.not=none", "full"),
    ("tier=1", "full"),
    ("team={team}", "full"),
    ("team=none", "little nothing"),
    ("assignee=me", "full"),
    ("assignee=none", "little nothing"),
    ("assignee.not=me", "little nothing"),
    ("requester={person}", "full"),
    ("customer={customer}", "full"),
    ("is=vip", "full"),
    ("is=vip,major", "full"),
    ("is=nonsense", ""),
    ("clock=none", "nothing"),
    ("clock=running", "full little"),
    ("clock=breached", ""),
    ("opened=2026-03-16..2026-03-16", "full little nothing"),
    ("opened=..2026-03-15", ""),
    ("opened=1h", "little nothing"),
    ("opened=yesterday", ""),
    ("opened=2026-02-31..", ""),
    ("opened=9999-12-31..9999-12-31", ""),
    ("resolved=none", "full little nothing"),
    ("1.priority=P1&2.priority=P4", "full nothing"),
    ("1.priority=P1&1.is=vip&2.priority=P4", "full nothing"),
    ("holder.not={vendor}&1.priority=P1&2.priority=P4", "nothing"),
    ("show=unassigned", "little nothing"),
    ("show=without_clock", "nothing"),
    ("show=nonsense", "full little nothing"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("query", "titles"), QUERIES)
def test_each_condition_finds_what_it_says(world: dict[str, Any], at: datetime, query: str, titles: str) -> None:
    assert shown(world, query, at + timedelta(hours=2)) == titles


@pytest.mark.django_db
def test_a_clock_is_at_risk_from_three_quarters_of_its_goal_on(world: dict[str, Any], at: datetime) -> None:
    """The first one's six hours are over five hours after the second one began."""
    assert shown(world, "clock=soon", at + timedelta(hours=6, seconds=-1)) == ""
    assert shown(world, "clock=soon", at + timedelta(hours=6)) == "full"
    assert shown(world, "show=at_risk", at + timedelta(hours=7)) == "full little"
    assert shown(world, "clock=soon", at + timedelta(hours=8, minutes=1)) == "little"
    assert shown(world, "clock=breached", at + timedelta(hours=8, minutes=1)) == "full"
    assert shown(world, "party={us}", at + timedelta(hours=8, minutes=1)) == "full"
    assert shown(world, "party={vendor}", at + timedelta(hours=8, minutes=1)) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("field", [slug for slug, field in FIELDS.items() if not field.is_for_all])
def test_a_reader_who_sees_not_everything_may_not_ask_about_others(
    world: dict[str, Any], at: datetime, field: str
) -> None:
    for value in ("{vendor}", "{us}", "{user}", "{team}", "none", "me", "vip", "running", "365d"):
        assert shown(world, f"{field}={value}", at, known=frozenset()) == ""
        assert shown(world, f"{field}.not={value}", at, known=frozenset()) == ""


@pytest.mark.django_db
def test_a_holder_the_reader_does_not_know_is_not_found_out(
    world: dict[str, Any], us: Organisation, at: datetime
) -> None:
    assert shown(world, "holder={vendor}", at, known=frozenset({us.pk})) == ""
    assert shown(world, "holder={us}", at + timedelta(hours=2), known=frozenset({us.pk})) == "little nothing"


@pytest.mark.django_db
@pytest.mark.parametrize("slug", FIELDS)
def test_each_choice_opens_as_many_tickets_as_it_says(world: dict[str, Any], at: datetime, slug: str) -> None:
    reader = Reader(user_id=world["user"].pk, at=at + timedelta(hours=8, minutes=1))
    field = FIELDS[slug]
    offered = choices.choices(questions.narrowed(Ticket.objects.all(), Filters(), reader), field, reader)
    for choice in offered:
        found = questions.narrowed(Ticket.objects.all(), Filters().where(**{slug: choice.value}), reader)
        assert choice.count is None or choice.count == found.count(), choice
        assert choice.label
    counted = [choice for choice in offered if choice.count]
    assert counted or slug in ("site", "asset") or field.is_time
