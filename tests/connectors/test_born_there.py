"""A ticket born at the vendor: whom it is for, and how it was solved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.engine import registry
from connectors.engine.inbound import reconcile, snapshots
from connectors.kit.contract import RemoteTicket
from connectors.models import Connection, Link
from hub.models import EventKind, Leg, Stage, Ticket
from tests import factories
from tests.connectors.test_engine import DOMAIN, now, offered

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


def remote(connection: Connection, simulator: object, **more: str) -> RemoteTicket:
    key = str(simulator.act(DOMAIN, "open", by="501", title="Their own")["id"])  # type: ignore[attr-defined]
    with registry.ready(connection) as connector:
        return replace(connector.fetch(key), **more)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("known", "address", "is_found"),
    [
        (["rosa@site.test"], "Rosa@Site.test", True),
        (["rosa@site.test"] * 2, "rosa@site.test", False),
        (["rosa@site.test"], "other@site.test", False),
        (["", ""], "", False),
    ],
)
def test_its_requester_is_the_one_person_with_the_address(
    connection: Connection, simulator: object, known: list[str], address: str, is_found: bool
) -> None:
    people = [factories.PersonFactory(email=each) for each in known]
    reconcile.apply(connection=connection, remote=remote(connection, simulator, requester=address), at=now())

    assert Ticket.objects.get().requester == (people[0] if is_found else None)


def test_how_it_was_solved_stands_on_the_engagement(offered: Link) -> None:
    with registry.ready(offered.connection) as connector:
        there = connector.fetch(offered.remote_key)
    solved = replace(there, fields={**there.fields, "status": "5"}, resolution="Drum replaced", changed_at=now())
    reconcile.apply(connection=offered.connection, remote=snapshots.load(snapshots.dump(solved)), at=now())

    leg = Leg.objects.get()
    assert (leg.stage, leg.resolution) == (Stage.DONE, "Drum replaced")
    assert leg.ticket.events.get(kind=EventKind.LEG_DONE).texts["resolution"] == "Drum replaced"


def test_a_snapshot_without_them_is_as_it_was_written_before(offered: Link) -> None:
    """The digest tells whether a record changed: a new field that is empty changes none."""
    with registry.ready(offered.connection) as connector:
        there = connector.fetch(offered.remote_key)

    assert b"resolution" not in snapshots.dump(there)
    assert b"requester" not in snapshots.dump(there)
