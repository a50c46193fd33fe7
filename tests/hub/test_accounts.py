"""Memberships: nobody is a vendor at our own organisation, whatever way the row would come."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from hub.domain import messages, tickets
from hub.domain.actors import Actor
from hub.models import Membership, Organisation
from hub.models.user import Seat
from hub.queries import permissions
from tests import factories
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


def test_the_database_refuses_a_vendor_at_our_own_organisation(us: Organisation) -> None:
    user, other = factories.UserFactory(), factories.OrganisationFactory()
    with pytest.raises(DatabaseError, match="nobody is a vendor"), transaction.atomic():
        Membership.objects.create(user=user, organisation=us, role="vendor")
    agent = Membership.objects.create(user=user, organisation=us, role="agent")
    with pytest.raises(DatabaseError, match="nobody is a vendor"), transaction.atomic():
        Membership.objects.filter(pk=agent.pk).update(role="vendor")
    theirs = Membership.objects.create(user=user, organisation=other, role="vendor")
    with pytest.raises(DatabaseError, match="nobody is a vendor"), transaction.atomic():
        Membership.objects.filter(pk=theirs.pk).update(organisation=us)

    assert set(user.memberships.values_list("role", "organisation")) == {("agent", us.pk), ("vendor", other.pk)}


def test_an_organisation_with_vendors_cannot_become_ours(db: None) -> None:
    other = factories.OrganisationFactory()
    factories.member("vendor", other)

    with pytest.raises(DatabaseError, match="nobody is a vendor"), transaction.atomic():
        Organisation.objects.filter(pk=other.pk).update(is_us=True, kind="us")


def test_a_form_says_so_in_a_sentence(us: Organisation) -> None:
    with pytest.raises(ValidationError, match="The role “vendor” is not possible in our own organisation"):
        Membership(user=factories.UserFactory(), organisation=us, role="vendor").full_clean()


def test_such_a_seat_would_give_no_right(us: Organisation, agent: Actor, at: datetime) -> None:
    """The second wall: were the row there all the same, nothing internal is read through it."""
    user = factories.UserFactory()
    user.seats = (Seat("vendor", us.pk, True),)
    ticket = tickets.open_ticket(title="VPN down", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=us, actor=agent, at=at)
    messages.say(ticket=ticket, body="for us only", actor=agent, at=at)

    assert leg.organisation == us
    assert not permissions.visible_tickets(user).exists()
    assert not permissions.visible_messages(user, ticket).exists()
    assert not permissions.visible_legs(user, ticket).exists()
