"""Lanes, leases and the settle time: each guard alone, where another one would hide that it is missing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine import leases, registry
from connectors.engine.inbound import reconcile
from connectors.engine.outbound import sender as outbound_sender
from connectors.kit.contract import Change, OutboundConnector, Ports, Pushed
from connectors.kit.errors import TryLater
from connectors.models import Binding, Difference, FieldRule, Lane, Link, Outbound
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Ticket
from tests.connectors.test_engine import DOMAIN, now, offered, work
from workflows.handoffs import comments

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


class Telling(OutboundConnector):
    """Takes everything and remembers what it was told."""

    slug, label = "telling", "Telling"

    def __init__(self) -> None:
        super().__init__({}, Ports(open_http=lambda **_: pytest.fail("no call"), now=now, memory={}))
        self.told: list[Change] = []

    def push(self, change: Change) -> Pushed:
        self.told.append(change)
        return Pushed(key=f"{len(self.told)}")


def said(link: Link, agent: Actor, *texts: str) -> list[Outbound]:
    """Notes that wait to be said on the link, in their order."""
    for text in texts:
        comments.comment(ticket=link.leg.ticket, body=text, legs=[link.leg], actor=agent, at=now())
    link.refresh_from_db()
    return list(Outbound.objects.filter(link=link, kind="note").order_by("seq"))


# -- lanes


@pytest.mark.parametrize("state", [Outbound.State.PARKED, Outbound.State.UNCLEAR])
def test_nothing_overtakes_in_its_lane_what_is_parked_or_unclear(offered: Link, agent: Actor, state: str) -> None:
    first, _second = said(offered, agent, "first", "second")
    waits = timezone.now() + timedelta(hours=1) if state == Outbound.State.UNCLEAR else None
    Outbound.objects.filter(pk=first.pk).update(state=state, next_attempt_at=waits)
    connector = Telling()

    outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)

    assert connector.told == []


def test_a_parked_one_is_not_sent_by_itself_however_due_it_looks(offered: Link, agent: Actor) -> None:
    [only] = said(offered, agent, "only")
    Outbound.objects.filter(pk=only.pk).update(state=Outbound.State.PARKED, next_attempt_at=timezone.now())
    connector = Telling()

    outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)

    assert connector.told == []


@pytest.mark.parametrize(("stuck", "runs"), [(Lane.NOTES, "title"), (Lane.FIELDS, "note")])
def test_a_lane_that_is_stuck_stops_no_other(
    offered: Link, agent: Actor, simulator: Simulator, tenant: Tenant, stuck: Lane, runs: str
) -> None:
    """The stuck item is the older one, so that a queue without lanes would wait for it."""
    if stuck == Lane.FIELDS:
        tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())
        said(offered, agent, "hello")
    else:
        said(offered, agent, "hello")
        tickets.edit_ticket(ticket=Ticket.objects.get(), changes={"title": "Renamed"}, actor=agent, at=now())
    offered.outbound.filter(lane=stuck).exclude(state="done").update(state="parked", next_attempt_at=None)
    work()

    notes = [note["description"] for note in tenant.notes.values()]
    assert (tenant.tickets[offered.remote_key]["title"], notes) == (
        ("Renamed", []) if runs == "title" else ("Printing fails", ["hello"])
    )


# -- leases


def test_a_holder_that_lost_the_link_cannot_hold_it(offered: Link) -> None:
    mine = leases.claim(offered.pk)
    assert mine is not None
    leases.hold(mine)
    Link.objects.filter(pk=offered.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    theirs = leases.claim(offered.pk)
    assert theirs is not None

    for with_ticket in (False, True):
        with pytest.raises(leases.Fenced):
            leases.hold(mine, with_ticket=with_ticket)
    leases.release(mine)
    assert Link.objects.get(pk=offered.pk).lease_until == theirs.lease_until


def test_a_link_in_somebodys_hands_is_claimed_by_nobody_else(offered: Link) -> None:
    assert leases.claim(offered.pk) is not None
    assert leases.claim(offered.pk) is None


@pytest.mark.parametrize("lost", ["before", "after"])
def test_no_write_of_a_holder_that_lost_the_link_is_kept(offered: Link, agent: Actor, lost: str) -> None:
    """Taken over before the intent, or between the sending and its result."""
    [item] = said(offered, agent, "hello")
    connector = Telling()

    def push(change: Change) -> Pushed:
        Link.objects.filter(pk=offered.pk).update(epoch=offered.epoch + 1)
        return Pushed(key="77")

    connector.push = push  # type: ignore[method-assign]
    if lost == "before":
        Link.objects.filter(pk=offered.pk).update(epoch=offered.epoch + 1)
    with pytest.raises(leases.Fenced):
        outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)

    after = Outbound.objects.get(pk=item.pk)
    assert (after.state, after.remote_key, after.done_at) == (Outbound.State.READY, "", None)
    assert (after.intent_at is None) == (lost == "before")
    assert not Binding.objects.exists()


def test_a_result_is_written_only_while_the_link_is_held(
    offered: Link, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing of the item itself is written, which is fenced by itself."""
    said(offered, agent, "hello")
    connector = Telling()

    def push(change: Change) -> Pushed:
        Link.objects.filter(pk=offered.pk).update(epoch=offered.epoch + 1)
        return Pushed(key="77")

    connector.push = push  # type: ignore[method-assign]
    sender = outbound_sender.Sender(offered, connector)
    monkeypatch.setattr(sender, "_arrive", lambda *_args, **_more: None)
    with pytest.raises(leases.Fenced):
        sender.send_lane(Lane.NOTES)

    assert not Binding.objects.exists()


def test_a_field_that_was_said_after_the_link_was_lost_is_not_agreed(offered: Link, agent: Actor) -> None:
    tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())
    offered.refresh_from_db()
    connector = Telling()
    remote = replace(_fetched(offered), fields={**_fetched(offered).fields, "title": "Renamed"})

    def push(change: Change) -> Pushed:
        Link.objects.filter(pk=offered.pk).update(epoch=offered.epoch + 1)
        return Pushed(key=remote.key, ticket=remote)

    connector.push = push  # type: ignore[method-assign]
    with pytest.raises(leases.Fenced):
        outbound_sender.Sender(offered, connector).send_lane(Lane.FIELDS)

    assert Link.objects.get().agreed["title"]["ours"] == "Printing fails"


def _fetched(link: Link) -> Any:
    with registry.ready(link.connection) as connector:
        return connector.fetch(link.remote_key)


# -- the settle time and the deadline


def test_nothing_is_looked_up_or_said_again_before_it_could_be_found(offered: Link, agent: Actor) -> None:
    """One second short of W + D + L the item waits; it is not sent, whatever the vendor would show."""
    [item] = said(offered, agent, "hello")
    began = timezone.now() - outbound_sender.SETTLE + timedelta(seconds=30)
    Outbound.objects.filter(pk=item.pk).update(intent_at=began, state=Outbound.State.UNCLEAR)
    connector = Telling()
    outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)

    after = Outbound.objects.get(pk=item.pk)
    assert connector.told == []
    assert (after.state, after.next_attempt_at) == (Outbound.State.UNCLEAR, began + outbound_sender.SETTLE)

    Outbound.objects.filter(pk=item.pk).update(
        intent_at=timezone.now() - outbound_sender.SETTLE, next_attempt_at=timezone.now()
    )
    outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)
    assert [change.text for change in connector.told] == ["hello"]


def test_a_send_that_begins_too_late_after_its_intent_does_not_begin(
    offered: Link, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was frozen between the two: somebody may be looking for what it would send."""
    [item] = said(offered, agent, "hello")
    connector = Telling()
    real, frozen = time.monotonic, outbound_sender.SEND_WITHIN.total_seconds() + 1
    monkeypatch.setattr(outbound_sender.time, "monotonic", lambda: real() + (frozen if _intended(item) else 0))
    outbound_sender.Sender(offered, connector).send_lane(Lane.NOTES)

    after = Outbound.objects.get(pk=item.pk)
    assert connector.told == []
    assert (after.state, after.intent_at is None) == (Outbound.State.UNCLEAR, False)


def _intended(item: Outbound) -> bool:
    return Outbound.objects.filter(pk=item.pk, intent_at__isnull=False).exists()


# -- echoes


@pytest.mark.parametrize("kind", [Outbound.Kind.FIELDS, Outbound.Kind.CREATE])
@pytest.mark.parametrize("state", [Outbound.State.READY, Outbound.State.UNCLEAR])
def test_a_value_that_is_on_its_way_there_is_our_own_echo(
    offered: Link, agent: Actor, simulator: Simulator, kind: str, state: str
) -> None:
    """Their record shows it before our own answer does: nobody there has changed anything."""
    FieldRule.objects.filter(field="title").update(direction="both")
    ticket = tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())
    Outbound.objects.filter(link=offered).exclude(state="done").update(
        state=state, intent_at=timezone.now(), intent={"fields": {"title": "Renamed"}, "ours": {}}, kind=kind
    )
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", title="Renamed")
    events = ticket.events.count()
    reconcile.apply(connection=offered.connection, remote=_fetched(offered), at=now())

    assert not Difference.objects.exists()
    assert ticket.events.count() == events


def test_a_value_of_theirs_beside_one_on_its_way_is_no_echo(offered: Link, agent: Actor, simulator: Simulator) -> None:
    FieldRule.objects.filter(field="title").update(direction="both")
    tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Renamed"}, actor=agent, at=now())
    Outbound.objects.filter(link=offered).exclude(state="done").update(
        intent_at=timezone.now(), intent={"fields": {"title": "Renamed"}, "ours": {}}
    )
    simulator.act(DOMAIN, "set", ticket=offered.remote_key, by="501", title="Theirs")
    reconcile.apply(connection=offered.connection, remote=_fetched(offered), at=now())

    assert Difference.objects.get().value == "Theirs"


def test_an_item_that_was_parked_while_another_lane_was_sending_is_not_sent(offered: Link, agent: Actor) -> None:
    """As where a hook says meanwhile that the record was merged: nothing is written to it any more."""
    [note] = said(offered, agent, "hello")
    connector = Telling()

    def slow(change: Change) -> Pushed:
        Outbound.objects.filter(pk=note.pk).update(state=Outbound.State.PARKED, next_attempt_at=None)
        raise TryLater("no answer within 25 s")

    tickets.edit_ticket(ticket=offered.leg.ticket, changes={"title": "Printing fails again"}, actor=agent, at=now())
    sender = outbound_sender.Sender(offered, connector)
    connector.push = slow  # type: ignore[method-assign]
    sender.send_lane(Lane.FIELDS)
    connector.push = partial(Telling.push, connector)  # type: ignore[method-assign]
    sender.send_lane(Lane.NOTES)

    assert connector.told == []
    note.refresh_from_db()
    assert note.state == Outbound.State.PARKED
