"""What an action sends is held while the action can be undone, and is sent or dropped then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.autotask.simulator import Simulator
from connectors.engine import outbox
from connectors.engine.inbound.alerts import folding
from connectors.models import Connection, Link, Outbound
from hub.core import jobs
from hub.core.clock import now
from hub.domain import messages, signals, tickets, undo
from hub.domain.actors import Actor
from hub.models import (
    Event,
    EventKind,
    FailedReceiver,
    LedgerSegment,
    Leg,
    Organisation,
    Stage,
    Ticket,
    UndoWindow,
    User,
)
from tests import factories
from tests.connectors.test_engine import DOMAIN, offered, work
from tests.console.pages import fresh, opened, post
from tests.console.undoing import is_sound, let_time_pass, press
from workflows.handoffs import engagements
from workflows.models import Notice, Pending
from workflows.rules import runner
from workflows.rules.context import Context
from workflows.rules.execution import Execution
from workflows.rules.registry import ACTIONS

__all__ = ["offered"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(agent: Actor) -> Ticket:
    made = tickets.open_ticket(
        title="VPN down", requester=factories.PersonFactory(), actor=agent, at=now() - timedelta(minutes=5)
    )
    return Ticket.objects.get(pk=made.pk)


def test_nothing_reaches_the_vendor_before_the_time_is_up(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id, reason="theirs")
    item = Outbound.objects.get()
    assert timedelta(seconds=9) < item.next_attempt_at - timezone.now() <= timedelta(seconds=10)
    held = fresh(ticket)
    assert (held.holder.is_us, held.hold_reason) == (True, "to_send")

    press(client)
    assert not Outbound.objects.exists()
    assert not Link.objects.exists()
    assert not Leg.objects.exists()


def test_ten_seconds_are_charged_to_who_acted_and_then_it_is_transport(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    window = UndoWindow.objects.get()
    late = window.made_at + timedelta(seconds=45)  # the worker was away for a while
    undo.close(window_id=window.pk, at=late)
    rows = [
        (row.reason, row.charge, int((row.until_at - row.from_at).total_seconds()) if row.until_at else None)
        for row in LedgerSegment.objects.filter(ticket=ticket, from_at__gte=window.made_at).order_by("from_at")
    ]
    assert rows[-2:] == [("to_send", "holder", 10), ("transport", "hub", None)]
    assert Outbound.objects.get().undo_window == ""
    assert is_sound(ticket)
    assert not undo.close(window_id=window.pk, at=late)


def test_an_organisation_without_a_system_gets_it_when_the_time_is_up(
    client: Client, ticket: Ticket, vendor: Organisation
) -> None:
    Organisation.objects.filter(pk=vendor.pk).update(contact_email="desk@hostwerk.test")
    assert "Send now</button>" in post(client, "hand_over", ticket, organisation=vendor.public_id)
    assert fresh(ticket).holder.is_us
    assert not Notice.objects.filter(kind="offer").exists()
    until = UndoWindow.objects.get().made_at + timedelta(seconds=10)
    let_time_pass()
    UndoWindow.objects.update(until_at=until)
    undo.close(window_id=UndoWindow.objects.get().pk, at=until + timedelta(seconds=3))
    leg = Leg.objects.get()
    assert leg.delivered_at == until
    assert fresh(ticket).holder == vendor
    assert Notice.objects.get(kind="offer").to == "desk@hostwerk.test"


def test_send_now_ends_the_window(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    page = post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    assert "Send now</button>" in page
    assert "It is being sent." in press(client, "send_now")
    assert Outbound.objects.get().next_attempt_at <= timezone.now()
    assert fresh(ticket).hold_reason == "transport"
    assert not UndoWindow.objects.exists()
    assert "Send now</button>" not in post(client, "priority", ticket, impact=3, urgency=2)  # there is nothing to send
    press(client)
    assert not undo.of(action="", user=User.objects.get(name="Mona Manager"), session="").exists()


def test_the_worker_closes_windows_whose_time_is_up(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    job = jobs.registered()["undo"]
    assert list(job.due()) == []
    let_time_pass()
    assert job in jobs.with_work()
    [pk] = job.due()
    job.run(pk)
    assert not UndoWindow.objects.exists()


def test_what_is_being_sent_is_not_undone(client: Client, connection: Connection, agent: Actor) -> None:
    ticket = opened(agent)
    post(client, "hand_over", ticket, organisation=connection.organisation.public_id)
    Outbound.objects.update(intent_at=timezone.now())
    assert "It is already being sent, so it can no longer be undone." in press(client)
    assert Outbound.objects.exists()
    assert Leg.objects.exists()
    assert not Event.objects.filter(kind=EventKind.ACTION_UNDONE).exists()


def test_a_change_of_others_is_sent_although_the_change_before_was_held(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    Link.objects.update(agreed={"title": {"theirs": "VPN down", "ours": "VPN down"}})
    post(client, "edit", ticket, title="VPN is down", **{"initial-title": "VPN down"})
    held = Outbound.objects.get(kind="fields")
    assert held.undo_window
    tickets.edit_ticket(ticket=fresh(ticket), changes={"title": "No VPN"}, actor=agent, at=now())
    held.refresh_from_db()
    assert held.undo_window == ""
    assert held.next_attempt_at <= timezone.now()
    assert leg.pk == held.link.leg_id


def test_a_change_that_waits_is_not_sent_with_values_that_can_be_undone(
    client: Client, connection: Connection, agent: Actor
) -> None:
    ticket = opened(agent)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    Link.objects.update(agreed={"title": {"theirs": "VPN down", "ours": "VPN down"}})
    tickets.edit_ticket(ticket=fresh(ticket), changes={"title": "No VPN"}, actor=agent, at=now())
    post(client, "edit", ticket, title="VPN is down", **{"initial-title": "No VPN"})
    waiting = Outbound.objects.get(kind="fields")
    assert waiting.undo_window == UndoWindow.objects.get().public_id
    assert waiting.next_attempt_at > timezone.now() + timedelta(seconds=8)
    press(client)
    assert fresh(ticket).title == "No VPN"
    waiting.refresh_from_db()
    assert (waiting.state, waiting.undo_window) == ("ready", "")


def test_notices_and_rules_wait_and_are_dropped(client: Client, ticket: Ticket, us: Organisation) -> None:
    colleague = factories.member("agent", us, name="Ada Agent")
    post(client, "assign", ticket, assignee=colleague.public_id)
    notice = Notice.objects.filter(kind="assigned").first()
    assert notice is not None
    assert notice.due_at is not None
    assert notice.due_at > timezone.now() + timedelta(seconds=8)
    Pending.objects.create(
        ticket=ticket, rule="verb", key="k", due_at=now(), made_at=now(), undo_window=notice.undo_window
    )
    assert not runner.due_pending(at=now())
    press(client)
    assert not Notice.objects.exists()
    assert not Pending.objects.exists()


def test_a_message_is_sent_when_the_time_is_up_and_not_before(
    client: Client, offered: Link, simulator: Simulator
) -> None:
    ticket, legs = offered.leg.ticket, [offered.leg.public_id]
    post(client, "comment", ticket, body="Try the other cable", legs=legs)
    press(client)
    post(client, "comment", ticket, body="Try the other port", legs=legs)
    work()
    assert not simulator.tenants[DOMAIN].notes
    let_time_pass()
    Outbound.objects.filter(state="ready").update(next_attempt_at=timezone.now())
    work()
    [note] = simulator.tenants[DOMAIN].notes.values()
    assert "Try the other port" in str(note)
    assert not UndoWindow.objects.exists()


@pytest.fixture
def agreed(client: Client, connection: Connection, agent: Actor) -> Link:
    """A record in the vendor's system with the same title as ours, and nothing to send."""
    ticket = opened(agent)
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    Outbound.objects.update(state="done", next_attempt_at=None)
    Link.objects.update(agreed={"title": {"theirs": "VPN down", "ours": "VPN down"}})
    return Link.objects.select_related("leg__ticket", "connection").get()


def retitle(client: Client, link: Link, title: str) -> Outbound:
    ticket = fresh(link.leg.ticket)
    post(client, "edit", ticket, title=title, **{"initial-title": ticket.title})
    return Outbound.objects.get(kind="fields", state="ready")


def test_a_change_that_gave_way_is_not_lost_with_the_one_that_was_undone(client: Client, agreed: Link) -> None:
    held = retitle(client, agreed, "No VPN")
    press(client)
    held.refresh_from_db()
    assert (held.state, held.undo_window) == ("ready", "")  # it sends what there is to send, and that may be nothing


def test_what_the_sender_queues_does_not_end_the_wait(client: Client, agreed: Link) -> None:
    held = retitle(client, agreed, "No VPN")
    outbox.queue_fields(Link.objects.get())
    held.refresh_from_db()
    assert held.undo_window
    assert held.next_attempt_at > timezone.now() + timedelta(seconds=8)


def test_what_was_sent_although_it_was_undone_is_corrected(client: Client, agreed: Link) -> None:
    retitle(client, agreed, "No VPN")
    Outbound.objects.update(state="done", undo_window="", next_attempt_at=None)  # sent together with something else
    Link.objects.update(agreed={"title": {"theirs": "No VPN", "ours": "No VPN"}})
    press(client)
    assert fresh(agreed.leg.ticket).title == "VPN down"
    assert Outbound.objects.filter(kind="fields", state="ready").count() == 1


def test_sending_the_first_of_two_changes_sends_nothing_of_the_second(client: Client, agreed: Link) -> None:
    retitle(client, agreed, "No VPN")
    first = client.session["undo"]["action"]
    held = retitle(client, agreed, "No VPN at all")
    client.post(reverse("console:send_now", args=[first]))
    held.refresh_from_db()
    assert held.next_attempt_at > timezone.now() + timedelta(seconds=8)
    press(client)
    assert fresh(agreed.leg.ticket).title == "No VPN"


def test_what_is_said_before_the_offer_goes_out_is_mailed_after_it(
    client: Client, ticket: Ticket, vendor: Organisation, agent: Actor
) -> None:
    Organisation.objects.filter(pk=vendor.pk).update(contact_email="desk@hostwerk.test")
    post(client, "hand_over", ticket, organisation=vendor.public_id)
    leg = Leg.objects.get()
    messages.say(ticket=fresh(ticket), body="From a colleague", legs=[leg], actor=agent, at=now())
    post(client, "comment", ticket, body="Can be undone", legs=[leg.public_id])
    hand_over, comment = UndoWindow.objects.order_by("pk")
    assert not Notice.objects.exists()
    undo.close(window_id=hand_over.pk, at=now())
    said = Notice.objects.filter(kind="message").values_list("body", flat=True)
    assert Notice.objects.filter(kind="offer").exists()
    assert ["From a colleague" in body for body in said] == [True]
    undo.close(window_id=comment.pk, at=now())
    assert Notice.objects.filter(kind="message", body__contains="Can be undone").count() == 1


def test_a_failed_receiver_is_not_called_for_what_was_undone(
    client: Client, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def fails(event: Event) -> None:
        called.append(event.kind)
        raise RuntimeError("not now")

    signals.reacts(fails, name="fails", kinds={EventKind.TICKET_ASSIGNED})
    try:
        post(client, "assign", ticket, take="1")
        assert called
        called.clear()
        FailedReceiver.objects.update(next_attempt_at=timezone.now())
        signals.retry_failed_receivers()
        assert called == []  # it can still be undone
        press(client)
        FailedReceiver.objects.update(next_attempt_at=timezone.now())
        signals.retry_failed_receivers()
        assert called == []
        assert FailedReceiver.objects.get().done_at is not None
    finally:
        signals.disconnect("fails")


def test_a_window_closes_although_the_offer_fails_and_the_offer_is_tried_again(
    client: Client, ticket: Ticket, vendor: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(client, "hand_over", ticket, organisation=vendor.public_id)

    def fails(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("not now")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "offer_without_a_system", fails)
        assert undo.close(window_id=UndoWindow.objects.get().pk, at=now())
    assert not UndoWindow.objects.exists()
    assert Leg.objects.get().delivered_at is None
    FailedReceiver.objects.update(next_attempt_at=timezone.now())
    signals.retry_failed_receivers()
    assert Leg.objects.get().delivered_at is not None


def test_what_cannot_be_undone_is_sent_after_it_was_done(
    ticket: Ticket, vendor: Organisation, user: User, agent: Actor
) -> None:
    at = now() - timedelta(seconds=20)
    with undo.window(ticket=ticket, user=user, session="s", at=at) as window:
        leg = engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=at + timedelta(seconds=9))
        tickets.relate(ticket=fresh(ticket), other=opened(agent), kind="parent", actor=agent, at=now())
    assert window.pk is None
    leg = Leg.objects.get(pk=leg.pk)
    assert leg.delivered_at is not None
    assert leg.delivered_at >= leg.offered_at
    assert fresh(ticket).holder == vendor
    assert is_sound(ticket)


def test_a_later_action_can_be_undone_after_an_earlier_one_was_sent(
    client: Client, ticket: Ticket, vendor: Organisation
) -> None:
    post(client, "hand_over", ticket, organisation=vendor.public_id)
    earlier = UndoWindow.objects.get()
    post(client, "priority", ticket, impact=1, urgency=1)
    undo.close(window_id=earlier.pk, at=now())
    assert "Undone." in press(client)
    assert (fresh(ticket).priority, fresh(ticket).holder) == ("P3", vendor)


def test_an_offer_that_was_closed_meanwhile_is_not_taken_back_by_the_recall(
    client: Client, ticket: Ticket, vendor: Organisation
) -> None:
    post(client, "hand_over", ticket, organisation=vendor.public_id)
    earlier = UndoWindow.objects.get()
    post(client, "leg", ticket, Leg.objects.get().public_id, act="recall", reason="a slip")
    undo.close(window_id=earlier.pk, at=now())
    assert "has changed since" in press(client)
    assert Leg.objects.get().stage == Stage.RECALLED


def test_work_that_was_undone_is_no_work_on_an_alert(client: Client, ticket: Ticket) -> None:
    post(client, "assign", ticket, take="1")
    assert folding._has_begun(fresh(ticket))
    press(client)
    assert not folding._has_begun(fresh(ticket))


def test_a_transition_that_an_undone_action_scheduled_does_not_come(
    client: Client, ticket: Ticket, agent: Actor, user: User
) -> None:
    seen = Context(fresh(ticket), at=now())
    with undo.window(ticket=ticket, user=user, session="s", at=now()) as window:
        tickets.assign(ticket=ticket, assignee=user, actor=agent, at=now())
        ACTIONS["schedule"].do(
            seen, {"verb": "close", "minutes": 5}, Execution(ticket=seen.ticket, actor=agent, at=now())
        )
    assert Pending.objects.get().undo_window == window.public_id
    undo.undo(action=window.action, user=user, session="s", at=now())
    assert not Pending.objects.exists()
