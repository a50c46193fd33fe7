"""The ticket list can be filtered by how far synchronisation has come."""

from __future__ import annotations

import pytest
from django.utils import timezone

from connectors.models import Connection, Difference, Link, Outbound
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Ticket
from hub.queries.filter_fields import Reader, allowed
from hub.queries.filters import Filters
from hub.queries.tickets import narrowed
from tests.connectors.test_engine import offered
from tests.connectors.test_lanes import said

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


def found(value: str, **more: str) -> list[str]:
    reader = Reader(user_id=0, at=now())
    rows = narrowed(Ticket.objects.all(), Filters().where(sync=value, **more), reader)
    return list(rows.order_by("number").values_list("title", flat=True))


def test_each_state_finds_its_tickets(offered: Link, agent: Actor, connection: Connection) -> None:
    tickets.open_ticket(title="ours alone", actor=agent, at=now())
    assert found("synchronised") == ["Printing fails"]
    assert found("none") == ["ours alone"]
    [note] = said(offered, agent, "hello")
    assert (found("sending"), found("synchronised"), found("trouble")) == (["Printing fails"], [], [])
    Outbound.objects.filter(pk=note.pk).update(state="parked", error="too long")
    assert (found("sending"), found("synchronised"), found("trouble")) == ([], [], ["Printing fails"])
    Outbound.objects.filter(pk=note.pk).update(state="done")
    Difference.objects.create(link=offered, field="status", value="x", why="unknown", heard_at=timezone.now())
    assert found("trouble") == ["Printing fails"]
    Difference.objects.update(resolved_at=timezone.now())
    Link.objects.update(state="quarantined")
    assert found("trouble") == ["Printing fails"]
    Link.objects.update(state="archived")
    assert found("none") == ["Printing fails", "ours alone"]
    assert found("nonsense") == []


def test_a_vendor_may_not_ask(offered: Link) -> None:
    assert "sync" not in allowed(Reader(user_id=0, at=now(), known=frozenset([offered.leg.organisation_id])))
