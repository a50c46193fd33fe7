"""*Fix this first*: the arithmetic, what an outage affects, and the words for it."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.rows import risk as words
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import HistoryImport, Organisation, Service, Ticket, User
from hub.queries import business_risk
from hub.queries.business_risk import Stakes
from hub.queries.filter_fields import Reader
from tests import factories
from workflows.incidents import major_incidents

STAKES = st.builds(
    Stakes,
    tier=st.sampled_from([None, 1, 2, 3, 4]),
    cost=st.none() | st.decimals(0, 10**6, places=2),
    left=st.none() | st.integers(-(10**6), 10**6),
    people=st.integers(0, 50),
    is_vip=st.booleans(),
    is_major=st.booleans(),
)


def test_the_examples_in_the_docs() -> None:
    assert doctest.testmod(business_risk).failed == 0


@given(STAKES)
def test_the_risk_is_the_product_of_the_terms_that_are_shown(stakes: Stakes) -> None:
    product = stakes.hourly
    for factor in stakes.factors:
        product *= factor
    assert stakes.risk == product >= 0
    assert all(0 <= factor <= 2 for factor in stakes.factors)
    assert len(words.terms(stakes)) == 2 + (stakes.people > 1) + stakes.is_vip + stakes.is_major


@given(STAKES, st.integers(1, 10**5))
def test_less_time_is_never_less_risk(stakes: Stakes, seconds: int) -> None:
    from dataclasses import replace

    if stakes.left is not None:
        assert replace(stakes, left=stakes.left - seconds).risk >= stakes.risk


@pytest.fixture
def world(us: Organisation, agent: Actor, at: datetime) -> dict[str, Service]:
    """The network, on which payroll and mail depend; a report that depends on payroll; and one in another currency."""
    factories.contract(us, goals={"resolve": {"P1": 3600, "P3": 8 * 3600}})
    made = {
        "network": factories.ServiceFactory(name="Network", tier=3),
        "payroll": factories.ServiceFactory(name="Payroll", tier=1, outage_cost=4000),
        "mail": factories.ServiceFactory(name="Mail", tier=3, outage_cost=Decimal("600.50")),
        "report": factories.ServiceFactory(name="Report", tier=4),
        "abroad": factories.ServiceFactory(name="Abroad", tier=2, outage_cost=9000, outage_currency="USD"),
    }
    made["payroll"].depends_on.add(made["network"])
    made["mail"].depends_on.add(made["network"])
    made["report"].depends_on.add(made["payroll"])
    made["network"].depends_on.add(made["report"])  # a cycle
    return made


def ranked(at: datetime, user: User | None = None) -> list[business_risk.Ranked]:
    return business_risk.fix_first(Reader(user_id=0, at=at))


@pytest.mark.django_db
def test_an_outage_affects_everything_that_depends_on_the_service(world: dict[str, Service]) -> None:
    affected = business_risk.affected_services()
    assert affected[world["network"].pk].cost == Decimal("4600.50")
    assert affected[world["network"].pk].tier == 1
    assert affected[world["network"].pk].dependents == 3
    assert affected[world["mail"].pk].cost == Decimal("600.50")
    assert (affected[world["abroad"].pk].cost, affected[world["abroad"].pk].other_currency) == (None, True)


@pytest.mark.django_db
def test_tickets_rank_by_cost_and_time_and_say_why(world: dict[str, Service], agent: Actor, at: datetime) -> None:
    def opened(title: str, **fields: Any) -> Ticket:
        return tickets.open_ticket(title=title, actor=agent, at=at, **fields)

    opened("mail, soon", service=world["mail"], priority="P1")
    opened("network, later", service=world["network"], priority="P3")
    opened("abroad", service=world["abroad"], priority="P1")
    opened("nothing", priority="P4")
    rows = words.risk_rows(ranked(at + timedelta(minutes=50)))

    assert [row.ticket.title for row in rows] == ["network, later", "mail, soon", "abroad", "nothing"]
    plain = [row.why.replace("\u00a0", " ") for row in rows]
    assert plain == [
        "Network, tier 3, affects tier 1, 4,600 EUR an hour, due in 7 h 10 m; 3 services depend on it",
        "Mail, tier 3, 600 EUR an hour, due in 10 m",
        "Abroad, tier 2, cost in another currency, ranked by tier as if it were 250 EUR an hour, due in 10 m",
        "no service, cost not known, ranked by tier as if it were 10 EUR an hour, no service level running",
    ]


@pytest.mark.django_db
def test_people_vips_and_major_incidents_raise_the_rank(world: dict[str, Service], agent: Actor, at: datetime) -> None:
    vip = factories.PersonFactory(is_vip=True)
    plain = tickets.open_ticket(title="plain", service=world["mail"], priority="P3", actor=agent, at=at)
    theirs = tickets.open_ticket(
        title="theirs", service=world["mail"], priority="P3", requester=vip, actor=agent, at=at
    )
    many = tickets.open_ticket(title="many", service=world["mail"], priority="P3", actor=agent, at=at)
    for _ in range(3):
        child = tickets.open_ticket(title="child", requester=factories.PersonFactory(), actor=agent, at=at)
        tickets.relate(ticket=many, other=child, kind="parent", actor=agent, at=at)
    twice = tickets.open_ticket(title="twice", requester=factories.PersonFactory(), actor=agent, at=at)
    tickets.relate(ticket=twice, other=many, kind="duplicate", actor=agent, at=at)
    major_incidents.declare(ticket=plain, is_major=True, actor=agent, at=at)

    rows = {each.ticket.title: each for each in ranked(at)}
    assert list(rows)[:3] == ["plain", "theirs", "many"]
    assert rows["many"].stakes.people == 4
    assert "4 people affected" in words.why(rows["many"].stakes)
    assert rows["theirs"].ticket == theirs
    assert words.why(rows["plain"].stakes).endswith("major incident")


@pytest.mark.django_db
def test_ended_and_imported_tickets_and_those_of_others_are_not_ranked(
    world: dict[str, Service], agent: Actor, at: datetime
) -> None:
    kept = tickets.open_ticket(title="kept", service=world["mail"], actor=agent, at=at)
    ended = tickets.open_ticket(title="ended", service=world["payroll"], actor=agent, at=at)
    Ticket.objects.filter(pk=ended.pk).update(phase="closed")
    old = tickets.open_ticket(title="imported", service=world["payroll"], actor=agent, at=at)
    run = HistoryImport.objects.create(source="old", fingerprint="0" * 64, imported_at=at)
    Ticket.objects.filter(pk=old.pk).update(imported_from=run)
    assert [each.ticket for each in ranked(at)] == [kept]
    reader = Reader(user_id=0, at=at)
    assert business_risk.ranked(Ticket.objects.none(), reader, most=0) == ([], True)


@pytest.mark.django_db
def test_a_ticket_that_many_requested_is_not_left_out(world: dict[str, Service], agent: Actor, at: datetime) -> None:
    """Its service costs a little less than that of seven others, and seven are shown."""
    costs = {"tier": 3, "outage_currency": "EUR"}
    dear, cheap = (factories.ServiceFactory(name=f"{cost}", outage_cost=cost, **costs) for cost in (9000, 8500))
    for number in range(business_risk.SHOWN):
        tickets.open_ticket(title=f"alone {number}", service=dear, actor=agent, at=at)
    many = tickets.open_ticket(title="many", service=cheap, requester=factories.PersonFactory(), actor=agent, at=at)
    assert many not in [each.ticket for each in ranked(at)]
    child = tickets.open_ticket(title="child", actor=agent, at=at, requester=factories.PersonFactory())
    tickets.relate(ticket=many, other=child, kind="parent", actor=agent, at=at)
    assert ranked(at)[0].ticket == many


@pytest.mark.django_db
def test_ranking_takes_as_many_queries_for_one_ticket_as_for_many(
    world: dict[str, Service], agent: Actor, at: datetime, django_assert_num_queries: Any
) -> None:
    tickets.open_ticket(title="one", service=world["mail"], actor=agent, at=at)
    with django_assert_num_queries(6):
        ranked(at)
    for number in range(20):
        tickets.open_ticket(title=f"more {number}", service=world["mail"], actor=agent, at=at)
    with django_assert_num_queries(6):
        assert len(ranked(at)) == business_risk.SHOWN
