"""Two tickets of one matter: one goes on, the other is a read-only alias."""

from __future__ import annotations

import pytest
from django.test import Client

from hub.core.clock import now
from hub.domain import history, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Phase, Relation, Stage, Ticket
from tests import factories
from tests.workflows.building import published, rule
from workflows.handoffs import engagements
from workflows.incidents import merging
from workflows.lifecycle import transitions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _policy(us: Organisation) -> None:
    published()


def opened(agent: Actor, title: str = "No VPN") -> Ticket:
    return tickets.open_ticket(title=title, requester=factories.PersonFactory(), actor=agent, at=now())


def test_the_alias_is_cancelled_and_points_on_and_nobody_is_left_with_it(agent: Actor) -> None:
    vendor = factories.OrganisationFactory(name="Hostwerk")
    double, goes_on = opened(agent), opened(agent, "VPN gateway down")
    engagements.offer(ticket=double, organisation=vendor, actor=agent, at=now())

    merged = merging.merge(ticket=double, into=goes_on, reason="same tunnel", actor=agent, at=now())

    assert (merged.phase, merged.merged_into) == (Phase.CANCELLED, goes_on)
    assert Leg.objects.get(ticket=double).stage == Stage.RECALLED
    told = Message.objects.get(ticket=double)
    assert told.is_for_requester
    assert told.body == f"Your request is now handled as {goes_on.label}. same tunnel"
    assert Relation.objects.get(from_ticket=double, to_ticket=goes_on).kind == "duplicate"
    with pytest.raises(messages.NotSaid):
        messages.say(ticket=merged, body="still?", actor=agent, at=now())
    for ticket in (double, goes_on):
        assert history.verify(Ticket.objects.get(pk=ticket.pk)) is None
        assert ledger.verify(Ticket.objects.get(pk=ticket.pk)) == []


def test_what_cannot_be_one_stays_two(agent: Actor) -> None:
    first, second, third = opened(agent), opened(agent), opened(agent)
    merging.merge(ticket=second, into=first, actor=agent, at=now())
    for ticket, into, why in (
        (third, third, "into itself"),
        (third, second, f"is itself merged into {first.label}"),
    ):
        with pytest.raises(merging.MergeRefused, match=why):
            merging.merge(ticket=ticket, into=into, actor=agent, at=now())
    with pytest.raises(merging.MergeRefused, match="is not possible in this phase"):
        merging.merge(ticket=second, into=third, actor=agent, at=now())
    transitions.move(ticket=third, name="resolve", actor=agent, at=now())
    with pytest.raises(merging.MergeRefused, match="is no longer open"):
        merging.merge(ticket=first, into=third, actor=agent, at=now())
    assert Ticket.objects.exclude(merged_into=None).count() == 1


def test_the_workflow_is_asked_whether_it_may_be_cancelled(agent: Actor) -> None:
    published(rule("drop", ["new", "working", "waiting"], "cancelled", roles=["manager"]))
    double, goes_on = opened(agent), opened(agent)
    with pytest.raises(merging.MergeRefused, match="is reserved for: manager"):
        merging.merge(ticket=double, into=goes_on, actor=agent, at=now())
    assert Ticket.objects.get(pk=double.pk).phase == Phase.NEW


@pytest.mark.parametrize("do", [{"do": "merge", "into": "TH-²"}, {"do": "gather", "tickets": "TH-²"}])
def test_a_number_that_is_none_is_refused_in_words(
    us: Organisation, agent: Actor, client: Client, do: dict[str, str]
) -> None:
    user = factories.member("agent", us, name="Anton")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.post(f"/tickets/{opened(agent).public_id}/major/", do, follow=True)
    assert "There is no ticket" in page.content.decode()


def test_an_alias_never_leads_to_another_alias(agent: Actor) -> None:
    first, second, third = opened(agent), opened(agent), opened(agent)
    merging.merge(ticket=first, into=second, actor=agent, at=now())
    merging.merge(ticket=second, into=third, actor=agent, at=now())
    assert set(Ticket.objects.exclude(merged_into=None).values_list("merged_into", flat=True)) == {third.pk}
    for ticket in Ticket.objects.all():
        assert history.verify(ticket) is None


def test_a_person_merges_on_the_page(us: Organisation, agent: Actor, client: Client) -> None:
    client.force_login(factories.member("agent", us, name="Anton"), backend="django.contrib.auth.backends.ModelBackend")
    double, goes_on = opened(agent), opened(agent, "VPN gateway down")
    where = f"/tickets/{double.public_id}/major/"
    assert (
        "There is no ticket TH-77777"
        in client.post(where, {"do": "merge", "into": "TH-77777"}, follow=True).content.decode()
    )

    page = client.post(where, {"do": "merge", "into": goes_on.label.lower()}, follow=True).content.decode()

    assert f"{double.label} was merged into {goes_on.label}." in page
    assert "Merged into" in page
    assert goes_on.get_absolute_url() in page
