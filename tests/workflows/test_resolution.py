"""Resolutions: what was done is asked for, kept, and passed on to whoever works on the ticket next."""

from __future__ import annotations

from datetime import datetime

import pytest

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Organisation, Phase, Stage, Ticket, User
from tests import factories
from tests.console.test_pages import log_in
from workflows.handoffs import briefing, engagements, stages, verbs
from workflows.handoffs.transitions import HandoffRefused
from workflows.lifecycle.transitions import MoveRefused
from workflows.rules import execution

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(us: Organisation) -> User:
    return factories.member("agent", us, name="Ada")


@pytest.fixture
def ticket(agent: Actor, at: datetime, us: Organisation) -> Ticket:
    return tickets.open_ticket(title="No network", actor=agent, at=at)


def working(ticket: Ticket, organisation: Organisation, by: Actor, at: datetime) -> Leg:
    leg = engagements.offer(ticket=ticket, organisation=organisation, actor=by, at=at)
    return stages.start(leg=stages.accept(leg=leg, actor=by, at=at), actor=by, at=at)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "Fill in first: resolution, resolution code."),
        ({"resolution": " \n", "resolution_code": "solved"}, "Fill in first: resolution."),
        ({"resolution": "Replaced the cable."}, "Fill in first: resolution code."),
        ({"resolution": "Replaced the cable.", "resolution_code": "magic"}, "“magic” is not a resolution code."),
    ],
)
def test_whoever_resolves_says_what_was_done(
    ticket: Ticket, ada: User, at: datetime, given: dict[str, str], why: str
) -> None:
    with pytest.raises(MoveRefused, match=why):
        execution.fire(ticket=ticket, verb="resolve", given=given, actor=Actor.person(ada), at=at)
    assert Ticket.objects.get().phase == Phase.NEW


def test_whoever_cancels_says_why(ticket: Ticket, ada: User, at: datetime) -> None:
    with pytest.raises(MoveRefused, match="Fill in first: a reason"):
        execution.fire(ticket=ticket, verb="cancel", actor=Actor.person(ada), at=at)
    execution.fire(ticket=ticket, verb="cancel", reason="Sent twice", actor=Actor.person(ada), at=at)
    assert Ticket.objects.get().phase == Phase.CANCELLED


def test_a_rule_resolves_without_a_text(ticket: Ticket, at: datetime) -> None:
    execution.bring(ticket=ticket, name="resolve", actor=Actor.timer("alert"), at=at)
    assert Ticket.objects.get().phase == Phase.RESOLVED


def test_the_resolution_stays_with_a_reopened_ticket_and_reaches_the_next_organisation(
    ticket: Ticket, ada: User, at: datetime
) -> None:
    ours, next_one = Actor.person(ada), factories.OrganisationFactory(name="Hostwerk")
    execution.fire(ticket=ticket, verb="resolve", given=factories.RESOLVED, actor=ours, at=at)
    event = ticket.events.get(kind=EventKind.TICKET_MOVED)
    assert (event.payload["code"], event.texts["resolution"]) == ("solved", "Replaced the cable.")
    execution.fire(ticket=ticket, verb="reopen", actor=ours, at=at)

    reopened = Ticket.objects.get()
    assert (reopened.resolution, reopened.resolution_code) == ("Replaced the cable.", "solved")
    assert "Replaced the cable." in str(briefing.pack(reopened, to=next_one)["before"])
    page = log_in(ada).get(reopened.get_absolute_url()).content.decode()
    assert "Earlier resolution" in page
    assert "Replaced the cable." in page

    kept_back = factories.RESOLVED | {"resolution": "Our mistake.", "is_resolution_shared": False}
    execution.fire(ticket=reopened, verb="resolve", given=kept_back, actor=ours, at=at)
    execution.fire(ticket=reopened, verb="reopen", actor=ours, at=at)
    assert "Our mistake." not in str(briefing.pack(Ticket.objects.get(), to=next_one))
    assert "Our mistake." in log_in(ada).get(reopened.get_absolute_url()).content.decode()


def test_a_team_that_is_done_says_what_it_did_and_later_organisations_read_it(
    ticket: Ticket, ada: User, us: Organisation, at: datetime
) -> None:
    ours, later = Actor.person(ada), factories.OrganisationFactory(name="Hostwerk")
    leg = working(ticket, factories.OrganisationFactory(name="Network team"), ours, at)
    with pytest.raises(HandoffRefused, match="Enter what was done"):
        verbs.act(leg, "finish", verbs.Given(ours, at, reason="  "))
    client, url = log_in(ada), f"/tickets/{ticket.public_id}/legs/{leg.public_id}/"
    assert "Enter what was done" in client.post(url, {"act": "finish"}, follow=True).content.decode()

    client.post(url, {"act": "finish", "reason": "Stale port 4 on the old switch.", "is_shared": "on"})
    assert "Stale port 4" in str(briefing.pack(ticket, to=later))

    # The finding is not lost with a reopening, and a report without a text does not replace it.
    leg = stages.reopen(leg=Leg.objects.get(), actor=ours, at=at)
    assert "Stale port 4" in str(briefing.pack(ticket, to=later))
    leg = stages.finish(leg=leg, actor=ours, at=at)
    assert leg.stage == Stage.DONE
    assert leg.resolution == "Stale port 4 on the old switch."


def test_a_resolution_that_the_author_unticks_stays_with_us(ticket: Ticket, ada: User, at: datetime) -> None:
    ours, later = Actor.person(ada), factories.OrganisationFactory(name="Hostwerk")
    leg = working(ticket, factories.OrganisationFactory(name="Network team"), ours, at)
    url = f"/tickets/{ticket.public_id}/legs/{leg.public_id}/"
    log_in(ada).post(url, {"act": "finish", "reason": "We had cut the cable."})

    assert "cut the cable" not in str(briefing.pack(ticket, to=later))
    page = log_in(ada).get(ticket.get_absolute_url()).content.decode()
    assert "We had cut the cable." in page
    assert "not shared with later organisations" in page


def test_the_form_proposes_what_the_organisation_reported(ticket: Ticket, ada: User, at: datetime) -> None:
    ours = Actor.person(ada)
    leg = working(ticket, factories.OrganisationFactory(name="Hostwerk"), ours, at)
    stages.finish(leg=leg, resolution="Disk replaced.", actor=ours, at=at)
    page = log_in(ada).get(ticket.get_absolute_url()).content.decode()
    assert 'name="resolution"' in page
    assert page.count("Disk replaced.") >= 2


@pytest.mark.parametrize(
    ("verb", "words"),
    [("close", "The ticket can be reopened for 14 days"), ("reopen", "Engagements that have ended stay ended.")],
)
def test_close_and_reopen_say_what_happens(ticket: Ticket, ada: User, at: datetime, verb: str, words: str) -> None:
    execution.fire(ticket=ticket, verb="resolve", given=factories.RESOLVED, actor=Actor.person(ada), at=at)
    page = log_in(ada).get(ticket.get_absolute_url()).content.decode()
    assert f'name="move" value="{verb}"' in page
    assert words in page
