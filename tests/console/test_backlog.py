"""The Synchronisation page shows for how long the oldest work of each kind and connection has been due."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from connectors.models import Connection, Outbound
from hub.core import jobs
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.queries import backlog
from tests import factories
from workflows.handoffs import engagements

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", sorted(jobs.registered()))
def test_every_kind_of_work_can_be_counted(name: str) -> None:
    assert backlog._backlogs_of(jobs.registered()[name]) == []


def test_the_oldest_row_of_each_connection_counts(connection: Connection, agent: Actor) -> None:
    at = now()
    for number in range(2):
        ticket = tickets.open_ticket(title=f"T{number}", actor=agent, at=at)
        engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=at)
    first = Outbound.objects.order_by("pk").first()
    assert first is not None
    Outbound.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() - timedelta(minutes=7))
    Connection.objects.filter(pk=connection.pk).update(next_poll_at=timezone.now() - timedelta(minutes=3))

    found = [(str(each.label), each.connection_id, each.count, each.seconds // 60) for each in backlog.backlogs()]
    assert found == [
        ("Changes to send", connection.pk, 2, 7),
        ("Connections to poll", connection.pk, 1, 3),
        ("Texts to index", None, 2, 0),
    ]


def test_the_page_names_work_connection_and_age(connection: Connection, client: Client) -> None:
    client.force_login(factories.member("agent", factories.UsFactory._meta.model.objects.get(is_us=True)))
    assert "Nothing is waiting. The workers keep up." not in client.get("/sync/").content.decode()

    Connection.objects.filter(pk=connection.pk).update(next_poll_at=timezone.now() - timedelta(minutes=3))
    page = client.get("/sync/").content.decode()
    assert "Connections to poll" in page
    assert "3\N{NO-BREAK SPACE}m" in page
    Connection.objects.filter(pk=connection.pk).update(next_poll_at=timezone.now() + timedelta(hours=1))
    assert "Nothing is waiting. The workers keep up." in client.get("/sync/").content.decode()
