"""Who reads what, in both directions: never wider than what was meant."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine.mapping import mapping_suggestions, preview, published
from connectors.kit.contract import Choice
from connectors.models import Connection, Link, NoteRule
from connectors.wizard import drafts
from connectors.wizard.forms.mapping import WordsForm
from hub.domain import messages
from hub.domain.actors import Actor
from hub.models import Message
from hub.queries import permissions
from tests import factories
from tests.connectors.test_engine import DOMAIN, now, offered, work
from workflows.handoffs import comments, engagements

__all__ = ["offered"]

pytestmark = pytest.mark.django_db
ALL, INTERNAL, SHARED = "1", "2", "4"
"""Autotask's *publish*: everybody, their own people, the co-managed organisations."""


@pytest.fixture
def private(offered: Link) -> Link:
    """What only their own people read takes messages for this vendor alone."""
    NoteRule.objects.filter(theirs=INTERNAL).update(is_written_for_vendor=True)
    return offered


def there(tenant: Tenant) -> dict[str, str]:
    return {note["description"]: str(note["publish"]) for note in tenant.notes.values()}


def test_a_message_for_this_vendor_alone_goes_where_only_its_people_read(
    private: Link, tenant: Tenant, agent: Actor
) -> None:
    ticket, leg = private.leg.ticket, private.leg
    other = engagements.offer(
        ticket=ticket, organisation=factories.OrganisationFactory(), is_lead=False, actor=agent, at=now()
    )
    said = {"ticket": ticket, "actor": agent, "at": now()}
    comments.comment(body="for you alone", legs=[leg], **said)
    comments.comment(body="for both of you", legs=[leg, other], **said)
    comments.comment(body="for all", is_for_all=True, **said)
    comments.comment(body="for the requester", legs=[leg], is_for_requester=True, **said)
    work()

    assert there(tenant) == {
        "for you alone": INTERNAL,
        "for both of you": SHARED,
        "for all": SHARED,
        "for the requester": ALL,
    }


def test_without_such_a_place_it_goes_where_organisations_read(offered: Link, tenant: Tenant, agent: Actor) -> None:
    comments.comment(ticket=offered.leg.ticket, body="for you", legs=[offered.leg], actor=agent, at=now())
    work()
    assert there(tenant) == {"for you": SHARED}


def test_their_private_log_is_read_by_us_alone(private: Link, simulator: Simulator, agent: Actor) -> None:
    ticket = private.leg.ticket
    other = factories.OrganisationFactory()
    engagements.offer(ticket=ticket, organisation=other, is_lead=False, actor=agent, at=now())
    requester = ticket.requester
    assert requester is not None
    requester.user = factories.UserFactory()
    requester.save()
    simulator.act(DOMAIN, "note", ticket=private.remote_key, by="501", text="Their own business", publish=int(INTERNAL))
    work()

    assert [message.body for message in Message.objects.all()] == ["Their own business"]
    for user in (factories.member("vendor", other), requester.user):
        assert not permissions.visible_messages(user, ticket).exists()
    later = engagements.offer(
        ticket=ticket, organisation=factories.OrganisationFactory(), is_lead=False, actor=agent, at=now()
    )
    assert "Their own business" not in later.brief


def test_our_own_private_note_read_back_is_said_to_nobody(private: Link, tenant: Tenant, agent: Actor) -> None:
    comments.comment(ticket=private.leg.ticket, body="for you alone", legs=[private.leg], actor=agent, at=now())
    work()
    Link.objects.update(is_dirty=True, next_look_at=None)
    work()

    assert (Message.objects.count(), len(tenant.notes)) == (1, 1)


def test_one_place_alone_and_none_that_the_requester_reads(private: Link) -> None:
    for theirs in (SHARED, ALL):
        with pytest.raises(IntegrityError), transaction.atomic():
            NoteRule.objects.filter(theirs=theirs).update(is_written_for_vendor=True)


def test_the_preview_shows_where_each_message_would_go(private: Link) -> None:
    found = {each.audience: each.visibility for each in preview.canaries(published(private.connection))}

    assert found == {
        "our own people": "",
        "this vendor only": "Internal",
        "organisations on the ticket": "Co-managed",
        "the requester": "All",
    }


def test_internal_is_proposed_for_this_vendor_alone_and_a_time_entry_is_not() -> None:
    choices = [
        Choice(value="a", label="Public reply"),
        Choice(value="t", label="Time entry: internal notes"),
        Choice(value="b", label="Private log: the vendor's agents only"),
    ]
    rows = {row.choice.value: (row.audience, row.is_written_for_vendor) for row in mapping_suggestions.notes(choices)}

    assert rows == {"a": ("requester", False), "t": ("us", False), "b": ("us", True)}


@pytest.mark.parametrize(
    ("chosen", "wrong"),
    [
        ({"vendor_1": "on"}, ""),
        ({"vendor_0": "on"}, "vendor_0"),
        ({"vendor_1": "on", "vendor_2": "on"}, "vendor_2"),
        ({"legs_1": "on"}, "audience_1"),
        ({"vendor_3": "on"}, "audience_3"),
    ],
)
def test_the_wizard_takes_what_is_no_wider(connection: Connection, chosen: dict[str, str], wrong: str) -> None:
    audiences = ("requester", "us", "legs", "")
    notes = [mapping_suggestions.NoteProposal(choice=Choice(value=str(n), label=str(n))) for n in range(4)]
    data = {f"audience_{n}": audience for n, audience in enumerate(audiences)} | chosen
    form = WordsForm([], {}, {}, notes, data)

    assert (not form.is_valid()) == bool(wrong)
    assert list(form.errors) == ([wrong] if wrong else [])
    if not wrong:
        draft = drafts.write(connection, form)
        assert draft.notes.get(theirs="1").is_written_for_vendor


def test_a_message_of_ours_alone_goes_nowhere(private: Link, tenant: Tenant, agent: Actor) -> None:
    messages.say(ticket=private.leg.ticket, body="ours", actor=agent, at=now())
    work()
    assert there(tenant) == {}
