"""The page of vendors counts what happened, for whoever sees everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation
from hub.queries import scorecard
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import engagements, returns, stages

pytestmark = pytest.mark.django_db
AT = now() - timedelta(days=2)


@pytest.fixture
def vendor(us: Organisation) -> Organisation:
    made: Organisation = factories.OrganisationFactory(name="Hostwerk")
    factories.contract(made, kind="uc", goals={"acknowledge": {"P3": 600}})
    return made


def offered(vendor: Organisation, agent: Actor, *, at: Any = AT) -> Leg:
    ticket = tickets.open_ticket(title="VPN down", priority="P3", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at, accept_within=timedelta(hours=1))
    return stages.confirm_delivery(leg=leg, actor=Actor.system("hub"), at=at, key="1")


def after(minutes: int) -> Any:
    return AT + timedelta(minutes=minutes)


def all_happened(vendor: Organisation, agent: Actor) -> None:
    theirs = Actor.vendor(vendor)
    done = stages.accept(leg=offered(vendor, agent), actor=theirs, at=after(5))
    stages.finish(leg=done, resolution="Mended", actor=theirs, at=after(50))
    late = stages.accept(leg=offered(vendor, agent), actor=theirs, at=after(25))
    returns.give_back(leg=late, reason="Not ours", code="not_ours", actor=theirs, at=after(30))
    for code in ("not_ours", "no_capacity"):
        returns.decline(leg=offered(vendor, agent), reason="No", code=code, actor=theirs, at=after(15))
    returns.expire(leg=offered(vendor, agent), actor=Actor.timer("acceptance deadline"), at=after(70))
    offered(vendor, agent, at=AT - timedelta(days=60))


def test_what_happened_is_counted_once_and_by_its_reason(vendor: Organisation, agent: Actor) -> None:
    all_happened(vendor, agent)

    [card] = scorecard.cards(since=AT - timedelta(days=1), until=now())

    assert (card.organisation, card.offered, card.done) == (vendor, 5, 1)
    assert (card.declined, card.unanswered, card.returned, card.blocked) == (2, 1, 1, 0)
    assert card.reasons == (("not our responsibility", 2), ("no capacity", 1))
    assert card.answer_seconds == 15 * 60
    assert 0 < card.kept < card.promises


def test_a_return_that_was_blocked_is_counted(vendor: Organisation, agent: Actor) -> None:
    leg = offered(vendor, agent)
    version = leg.ticket.status.version
    type(version).objects.filter(pk=version.pk).update(bounce_budget=0)
    returns.give_back(
        leg=stages.accept(leg=leg, actor=Actor.vendor(vendor), at=after(5)),
        reason="No",
        code="other",
        actor=Actor.vendor(vendor),
        at=after(6),
    )

    [card] = scorecard.cards(since=AT - timedelta(days=1), until=now())

    assert (card.blocked, card.returned) == (1, 0)
    assert card.reasons == (("another reason", 1),)


def test_the_page_is_for_whoever_sees_everything(
    vendor: Organisation, us: Organisation, agent: Actor, django_assert_num_queries: Any
) -> None:
    all_happened(vendor, agent)

    page = log_in(factories.member("executive", us)).get("/vendors/?days=7").content.decode()
    assert "Hostwerk" in page
    assert "not our responsibility 2" in page
    assert "Hostwerk" in log_in(factories.member("auditor", us)).get("/vendors/?days=9%27").content.decode()
    assert log_in(factories.member("vendor", vendor)).get("/vendors/").status_code == 403
    with django_assert_num_queries(6):
        scorecard.cards(since=AT, until=now())
