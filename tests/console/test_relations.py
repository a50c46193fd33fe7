"""Tickets are related on their page, and a relation is taken back; both tickets say so."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from hub.core.clock import now
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.models import Event, Relation, Ticket
from hub.queries.event_words import RELATED
from tests.console.pages import fresh, opened, post
from workflows.incidents import relations
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(agent: Actor) -> tuple[Ticket, Ticket]:
    return opened(agent), opened(agent)


def related() -> list[tuple[str, int, int]]:
    return list(Relation.objects.values_list("kind", "from_ticket__number", "to_ticket__number"))


@pytest.mark.parametrize("kind", relations.BY_HAND)
@pytest.mark.parametrize("mark", ["", "-"])
def test_each_relation_reads_the_same_from_both_sides(
    client: Client, pair: tuple[Ticket, Ticket], kind: str, mark: str
) -> None:
    first, second = pair
    page = post(client, "relate", first, kind=f"{mark}{kind}", other=second.label.lower())
    ends = (first.number, second.number) if not mark else (second.number, first.number)
    assert related() == [(kind, *ends)]
    assert re.search(rf"{RELATED[kind][bool(mark)]}</span> <a [^>]*>{second.label}<", page)
    theirs = client.get(second.get_absolute_url()).content.decode()
    assert re.search(rf"{RELATED[kind][not mark]}</span> <a [^>]*>{first.label}<", theirs)


def test_a_relation_is_taken_back_and_both_tickets_say_so(
    client: Client, pair: tuple[Ticket, Ticket], user: object
) -> None:
    first, second = pair
    post(client, "relate", first, kind="parent", other=str(second.number))
    page = post(client, "relate", second, remove=str(Relation.objects.get().pk))
    assert related() == []
    assert f"child of {first.label}" in unescape(page)
    assert [event.ticket_id for event in Event.objects.filter(kind="ticket.unrelated").order_by("pk")] == [
        first.pk,
        second.pk,
    ]
    assert [history.verify(fresh(each)) for each in pair] == [None, None]
    post(client, "relate", second, remove="1")  # it is gone already
    assert Event.objects.filter(kind="ticket.unrelated").count() == 2


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        ("parent", "TH-999", "There is no ticket with the number TH-999."),
        ("parent", "\x00", "There is no ticket with the number"),
        ("parent", "SELF", "cannot be related to itself"),
        ("duplicate", "OTHER", "Choose how the tickets are related."),
        ("", "OTHER", "Choose how the tickets are related."),
    ],
)
def test_what_is_no_relation_is_refused(
    client: Client, pair: tuple[Ticket, Ticket], kind: str, other: str, words: str
) -> None:
    first, second = pair
    number = {"SELF": first.label, "OTHER": second.label}.get(other, other)
    if "\x00" in number:
        answer = client.post(f"{first.get_absolute_url()}relate/", {"kind": kind, "other": number}, follow=True)
        assert answer.status_code in (200, 400)
        return
    assert words in unescape(post(client, "relate", first, kind=kind, other=number))
    assert related() == []


def test_there_are_no_circles_and_no_opposites(client: Client, pair: tuple[Ticket, Ticket]) -> None:
    first, second = pair
    for kind in relations.BY_HAND:
        post(client, "relate", first, kind=kind, other=second.label)
        post(client, "relate", second, kind=kind, other=first.label)
    assert Relation.objects.filter(from_ticket=second).count() == 0


def test_a_cancelled_ticket_is_left_alone(client: Client, pair: tuple[Ticket, Ticket], agent: Actor) -> None:
    first, second = pair
    transitions.move(ticket=second, name="cancel", actor=agent, at=now())
    assert "is cancelled" in unescape(post(client, "relate", first, kind="blocks", other=second.label))


def test_what_belongs_to_the_history_stays(client: Client, pair: tuple[Ticket, Ticket], agent: Actor) -> None:
    first, second = pair
    relation = tickets.relate(ticket=first, other=second, kind="follows", actor=agent, at=now())
    assert "stays" in unescape(post(client, "relate", first, remove=str(relation.pk)))
    stranger = opened(agent)
    answer = client.post(f"{stranger.get_absolute_url()}relate/", {"remove": relation.pk})
    assert answer.status_code == 302
    assert Relation.objects.count() == 1
