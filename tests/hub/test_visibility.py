"""Who reads what of a ticket: each guard alone, for one guard often hides that another is missing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.domain import history, history_sharing, messages, tickets
from hub.domain.actors import Actor
from hub.models import EventKind, Organisation, Ticket
from hub.queries import permissions, timeline
from tests import factories
from workflows.handoffs import engagements
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor, at: datetime) -> Ticket:
    return tickets.open_ticket(title="VPN down", requester=factories.PersonFactory(), actor=agent, at=at)


def test_a_vendor_reads_nothing_that_was_said_to_another_vendor(
    us: Organisation, agent: Actor, ticket: Ticket, at: datetime
) -> None:
    one, two = factories.OrganisationFactory(), factories.OrganisationFactory()
    reader = factories.member("vendor", one)
    mine = engagements.offer(ticket=ticket, organisation=one, actor=agent, at=at)
    theirs = engagements.offer(ticket=ticket, organisation=two, is_lead=False, actor=agent, at=at)
    messages.say(ticket=ticket, body="For you", legs=[mine], actor=agent, at=at)
    messages.say(ticket=ticket, body="For them", legs=[theirs], actor=agent, at=at)
    messages.say(ticket=ticket, body="From them", legs=[theirs], actor=Actor.vendor(two, "Tom"), at=at)
    messages.say(ticket=ticket, body="For ourselves", actor=agent, at=at)
    messages.say(ticket=ticket, body="For the requester", is_for_requester=True, actor=agent, at=at)

    assert [message.body for message in permissions.visible_messages(reader, ticket)] == ["For you"]
    told = [line.message.body for line in timeline.lines(reader, ticket) if line.message]
    assert told == ["For you"]
    assert [leg.pk for leg in permissions.visible_legs(reader, ticket)] == [mine.pk]


@pytest.fixture
def successor(us: Organisation, agent: Actor, ticket: Ticket, at: datetime) -> Organisation:
    """A vendor that may read what was said until now, and had no part in it; something is said afterwards."""
    made: Organisation = factories.OrganisationFactory()
    messages.say(ticket=ticket, body="Before", is_for_later_legs=True, actor=agent, at=at)
    history_sharing.share([ticket], organisation=made, why="takes over", by=None, at=at + timedelta(minutes=1))
    messages.say(ticket=ticket, body="Afterwards", is_for_later_legs=True, actor=agent, at=at + timedelta(minutes=2))
    return made


def test_a_successor_finds_no_message_that_was_said_afterwards(ticket: Ticket, successor: Organisation) -> None:
    reader = factories.member("vendor", successor)

    assert [message.body for message in permissions.visible_messages(reader, ticket)] == ["Before"]


def test_a_successor_reads_no_event_of_afterwards(
    agent: Actor, ticket: Ticket, successor: Organisation, at: datetime
) -> None:
    """Events without a message, which the query for messages does not stop."""
    transitions.move(ticket=ticket, name="resolve", actor=agent, at=at + timedelta(minutes=3))
    reader = factories.member("vendor", successor)

    assert [line.kind for line in timeline.lines(reader, ticket)] == ["message.added", "ticket.opened"]


def test_no_kind_of_event_that_is_ours_alone_is_on_the_timeline_of_others(
    us: Organisation, agent: Actor, ticket: Ticket, at: datetime
) -> None:
    """Rules, escalations, alerts, versions, assignments, relations and erasures."""
    vendor = factories.OrganisationFactory()
    engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at)
    payloads = {
        EventKind.RULE_ACTED: {"rule": "night-shift", "what": "Told the director"},
        EventKind.ESCALATED: {"escalation": "p1", "name": "P1", "step": 1, "run": "r"},
        EventKind.ESCALATION_ACKNOWLEDGED: {"run": "r", "escalation": "p1", "name": "P1"},
        EventKind.ALERT_FIRED: {"key": "k", "severity": "critical"},
        EventKind.ALERT_RECOVERED: {"key": "k", "severity": "critical"},
        EventKind.VERSION_MOVED: {"before": "1", "after": "2"},
        EventKind.TICKET_ASSIGNED: {"before": "", "after": "somebody"},
        EventKind.TICKET_RELATED: {"kind": "blocks", "is_from": True, "other": "TH-1"},
        EventKind.ALERT_ACKNOWLEDGED: {"alert": "k", "connection": "c", "severity": ""},
        EventKind.TEXTS_ERASED: {"events": [], "reason": "asked"},
        EventKind.TASK_ADDED: {"task": "t", "assignee": "", "due": ""},
        EventKind.TASK_DONE: {"task": "t", "assignee": "", "due": ""},
    }
    for kind, payload in payloads.items():
        history.record(ticket=tickets.locked(ticket), kind=kind, payload=payload, actor=agent, at=at)
    ours = {line.kind for line in timeline.lines(factories.member("manager", us), ticket)}

    requester = ticket.requester
    assert requester is not None
    requester.user = factories.UserFactory()
    requester.save()
    for user in (factories.member("vendor", vendor), requester.user):
        seen = {line.kind for line in timeline.lines(user, ticket)}
        assert seen & {str(kind) for kind in payloads} == set()
    assert {str(kind) for kind in payloads} <= ours
