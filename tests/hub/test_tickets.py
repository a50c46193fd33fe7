"""Verbs on tickets and messages."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django_fsm import TransitionNotAllowed
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Leg, Organisation, Phase, Stage, Ticket
from hub.queries.tickets import whole_percents
from tests import factories
from workflows.handoffs import engagements
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


def test_numbers_come_from_one_sequence(agent: Actor, at: datetime) -> None:
    first, second = (tickets.open_ticket(title="A", actor=agent, at=at) for _ in range(2))

    assert second.number == first.number + 1
    assert first.label == f"TH-{first.number}"


def test_an_edit_that_changes_nothing_records_nothing(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)

    tickets.edit_ticket(ticket=ticket, changes={"title": "VPN down"}, actor=agent, at=at)
    tickets.edit_ticket(ticket=ticket, changes={"title": "VPN slow"}, actor=agent, at=at)

    assert [event.kind for event in ticket.events.order_by("seq")] == [
        EventKind.TICKET_OPENED,
        EventKind.TICKET_EDITED,
    ]


@pytest.mark.parametrize("field", ["owner", "phase", "holder", "number", "public_id"])
def test_a_field_that_is_not_editable_is_refused(agent: Actor, at: datetime, field: str) -> None:
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)

    with pytest.raises(tickets.NotEditable):
        tickets.edit_ticket(ticket=ticket, changes={field: "x"}, actor=agent, at=at)


def test_the_phase_cannot_be_set_past_the_law(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)

    with pytest.raises(AttributeError):
        ticket.phase = Phase.CLOSED
    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.filter(pk=ticket.pk).update(phase="nowhere")
    with pytest.raises(TransitionNotAllowed):
        ticket.close(status=ticket.status, at=at)


def test_the_stage_of_an_engagement_cannot_be_set_past_the_law(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=at)

    with pytest.raises(AttributeError):
        leg.stage = Stage.DONE
    with pytest.raises(IntegrityError), transaction.atomic():
        Leg.objects.filter(pk=leg.pk).update(stage="nowhere")
    with pytest.raises(TransitionNotAllowed):
        leg.finish(at=at, resolution="")


def test_a_vendors_clock_that_runs_ahead_opens_nothing_in_the_future(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at, occurred_at=at + timedelta(hours=3))

    assert ticket.opened_at == at


def test_an_authors_organisation_is_the_actors(us: Organisation, agent: Actor, at: datetime) -> None:
    vendor = factories.OrganisationFactory()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)

    ours = messages.say(ticket=ticket, body="hello", actor=agent, author_name="Somebody else", at=at)
    theirs = messages.say(ticket=ticket, body="hello", actor=Actor.vendor(vendor, "Vera"), at=at)

    assert (ours.author_organisation, theirs.author_organisation) == (us, vendor)


def test_a_message_reaches_a_leg_only_if_its_audience_says_so(agent: Actor, at: datetime) -> None:
    told, untold = factories.OrganisationFactory(), factories.OrganisationFactory()
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    first = engagements.offer(ticket=ticket, organisation=told, actor=agent, at=at)
    engagements.offer(ticket=ticket, organisation=untold, actor=agent, at=at, is_lead=False)

    message = messages.say(ticket=ticket, body="the price is 400", legs=[first], actor=agent, at=at)
    internal = messages.say(ticket=ticket, body="they are slow", actor=agent, at=at)

    assert [messages.sees(o, message) for o in (told, untold)] == [True, False]
    assert [messages.sees(o, internal) for o in (told, untold)] == [False, False]


def test_a_message_cannot_name_a_leg_of_another_ticket(agent: Actor, at: datetime) -> None:
    one, other = (tickets.open_ticket(title="VPN", actor=agent, at=at) for _ in range(2))
    leg = engagements.offer(ticket=other, organisation=factories.OrganisationFactory(), actor=agent, at=at)

    with pytest.raises(messages.NotSaid):
        messages.say(ticket=one, body="psst", legs=[leg], actor=agent, at=at)


def test_the_same_content_is_stored_once_under_its_digest(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    message = messages.say(ticket=ticket, body="see files", actor=agent, at=at)

    first = messages.attach(message=message, name="../../a.txt", content=b"same", actor=agent, at=at)
    second = messages.attach(message=message, name="b.txt", content=b"same", actor=agent, at=at)

    assert (first.name, first.path) == ("a.txt", second.path)
    with default_storage.open(first.path) as file:
        assert file.read() == b"same"


def test_a_cancelled_ticket_stays_as_it_is(agent: Actor, at: datetime) -> None:
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=at)
    transitions.move(ticket=ticket, name="cancel", actor=agent, at=at)

    with pytest.raises(messages.NotSaid):
        messages.say(ticket=ticket, body="hello?", actor=agent, at=at)
    with pytest.raises(tickets.NotEditable):
        tickets.edit_ticket(ticket=ticket, changes={"title": "x"}, actor=agent, at=at)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
def test_the_percents_that_are_shown_add_up(seconds: list[int]) -> None:
    whole = whole_percents(seconds)

    assert sum(whole) == (100 if any(seconds) else 0)
    assert all(abs(told - 100 * each / (sum(seconds) or 1)) < 1 for told, each in zip(whole, seconds, strict=True))
