"""The one table of what can be done with an engagement."""

from __future__ import annotations

import pytest

from connectors.models import StatusRule
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Stage
from tests import factories
from tests.workflows.building import AT
from workflows.handoffs import engagements, verbs
from workflows.handoffs.verbs import GUEST, LEG_VERBS, OURS, STATUSES, Given

pytestmark = pytest.mark.django_db


@pytest.fixture
def offered(agent: Actor, us: Organisation) -> Leg:
    ticket = tickets.open_ticket(title="Slow", actor=agent, at=AT)
    return engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=AT)


def test_a_mapping_can_say_what_the_table_says() -> None:
    assert sorted(STATUSES) == sorted(StatusRule.Verb.values)


def test_every_verb_is_used_somewhere_and_has_a_label_where_a_person_sees_it() -> None:
    for name, verb in LEG_VERBS.items():
        assert verb.do is not None or verb.guest or verb.status, name
        assert bool(verb.label) == (verb.do is not None), name
        assert bool(verb.guest_label) == bool(verb.guest), name


@pytest.mark.parametrize("stage", Stage.values)
def test_what_is_possible_is_in_the_table(offered: Leg, stage: str) -> None:
    offered.__dict__["stage"] = stage

    assert set(verbs.possible_for_guest(offered)) <= GUEST.keys()
    assert set(verbs.possible(offered, has_system=False)) <= OURS.keys()
    assert all(OURS[name].is_ours for name in verbs.possible(offered, has_system=True))


def test_what_is_written_beside_a_verb_without_a_reason_is_a_message(offered: Leg, agent: Actor) -> None:
    leg = verbs.act(offered, "accept", Given(agent, AT, "we begin now"))

    assert leg.stage == Stage.WORKING
    assert Message.objects.get(ticket=leg.ticket).body == "we begin now"
    verbs.act(leg, "give_back", Given(agent, AT, "not ours", "not_ours"))
    returned = Leg.objects.get(pk=leg.pk)
    assert (returned.stage, returned.reason, returned.reason_code) == (Stage.RETURNED, "not ours", "not_ours")
    assert Message.objects.count() == 1
