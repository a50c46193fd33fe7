"""A vendor is replaced: everything open goes over once, whatever breaks in between; nothing is lost or leaks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from hub.core.clock import now
from hub.domain import history, ledger, messages, tickets
from hub.domain.actors import Actor
from hub.models import Event, Leg, Organisation, Stage, Ticket
from tests import factories
from tests.workflows.building import AT, act, published, rule
from workflows.handoffs import engagements, stages, transitions
from workflows.models import SwitchItem, VendorSwitch
from workflows.rules import execution
from workflows.vendor_change import export
from workflows.vendor_change import switch as vendor_switch

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaves(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Hostwerk")


@pytest.fixture
def comes(us: Organisation) -> Organisation:
    return factories.OrganisationFactory(name="Beta Hosting")


def engaged(agent: Actor, vendor: Organisation, **more: Any) -> Leg:
    ticket = tickets.open_ticket(title="VPN down", description="No VPN.", actor=agent, at=AT, **more)
    return engagements.offer(ticket=ticket, organisation=vendor, actor=agent, at=AT)


def switch(leaves: Organisation, comes: Organisation, *services: Any, **more: Any) -> VendorSwitch:
    plan: dict[str, Any] = {"effective_at": AT, "confirmed_at": AT, "reason": "The contract ends."} | more
    made = VendorSwitch.objects.create(leaves=leaves, comes=comes, **plan)
    made.services.set(services)
    return made


def run_all(made: VendorSwitch, *, at: Any = AT + timedelta(hours=1), batch: int = 25) -> None:
    for _ in range(20):
        if made.pk not in vendor_switch.due(at=at):
            return
        vendor_switch.run(switch_id=made.pk, at=at, batch=batch)


def test_everything_open_goes_over_and_nothing_else(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    payroll, mail = factories.ServiceFactory(), factories.ServiceFactory()
    going = [engaged(agent, leaves, service=payroll) for _ in range(3)]
    staying = engaged(agent, leaves, service=mail)
    third = engaged(agent, comes, service=payroll)
    engagements.offer(ticket=third.ticket, organisation=leaves, actor=agent, at=AT, is_lead=False)
    messages.say(ticket=going[0].ticket, body="It is the gateway.", actor=agent, at=AT, is_for_later_legs=True)
    messages.say(ticket=going[0].ticket, body="canary: us only", actor=agent, at=AT)
    made = switch(leaves, comes, payroll)
    before = vendor_switch.preview(made)
    assert [each.leg.ticket_id for each in before] == [*(leg.ticket_id for leg in going), third.ticket_id]
    assert "It is the gateway." in before[0].pack
    assert "canary" not in before[0].pack
    assert "already works on this ticket" in before[3].why_not

    run_all(made)

    assert VendorSwitch.objects.get().state == "done"
    for leg in going:
        successor = Leg.objects.get(ticket=leg.ticket, organisation=comes)
        assert (successor.stage, successor.is_lead) == (Stage.OFFERED, True)
        assert Leg.objects.get(pk=leg.pk).stage == Stage.RECALLED
        assert "The contract ends." in successor.brief
        ticket = Ticket.objects.get(pk=leg.ticket_id)
        assert history.verify(ticket) is None
        assert ledger.verify(ticket) == []
        assert ticket.bounces == 0
    assert Leg.objects.get(pk=staying.pk).stage == Stage.OFFERED
    assert Leg.objects.filter(ticket=third.ticket, organisation=comes).count() == 1
    assert vendor_switch.progress(made).percent == 100


def test_nothing_goes_over_before_it_is_confirmed(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    leg = engaged(agent, leaves)
    made = switch(leaves, comes, confirmed_at=None)

    run_all(made)
    assert vendor_switch.run(switch_id=made.pk, at=AT + timedelta(hours=1)) == 0
    assert Leg.objects.get(pk=leg.pk).stage == Stage.OFFERED

    vendor_switch.confirm(made, at=AT)
    run_all(made)

    assert Leg.objects.get(pk=leg.pk).stage == Stage.RECALLED
    assert VendorSwitch.objects.get().state == "done"


def test_it_goes_on_where_it_was_cut_and_never_twice(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    for _ in range(5):
        engaged(agent, leaves)
    made = switch(leaves, comes)
    vendor_switch.run(switch_id=made.pk, at=AT, batch=2)
    assert vendor_switch.progress(made) == vendor_switch.Progress(total=5, done=2, failed=0)
    late = engaged(agent, leaves)
    done = SwitchItem.objects.filter(state="done").first()
    assert done is not None
    vendor_switch._go_over(done.pk, made, AT)

    run_all(made, batch=2)

    assert Leg.objects.filter(organisation=comes).count() == 6
    assert Leg.objects.filter(ticket=late.ticket, organisation=comes).exists()
    assert VendorSwitch.objects.get().state == "done"


def test_one_that_cannot_go_over_holds_up_no_other(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    published(most_organisations=1)
    stuck, free = engaged(agent, leaves), engaged(agent, leaves)
    stages.accept(leg=free, actor=agent, at=AT)
    other = factories.OrganisationFactory()
    Leg.objects.create(ticket=stuck.ticket, organisation=other, given_by=stuck.given_by, number=9, offered_at=AT)
    made = switch(leaves, comes)
    run_all(made)

    failed = SwitchItem.objects.get(leg=stuck)
    assert (failed.state, "may be engaged at the same time" in failed.why) == ("failed", True)
    assert Leg.objects.get(pk=stuck.pk).stage == Stage.OFFERED
    assert Leg.objects.filter(ticket=free.ticket, organisation=comes).exists()
    assert VendorSwitch.objects.get().state == "running"
    assert vendor_switch.due(at=AT + timedelta(days=1)) == []
    Leg.objects.filter(organisation=other).update(stage=Stage.RECALLED)
    assert vendor_switch.again(made) == 1
    run_all(made)
    assert VendorSwitch.objects.get().state == "done"


def test_nothing_happens_before_its_time_or_after_it_was_called_off(
    agent: Actor, leaves: Organisation, comes: Organisation
) -> None:
    leg = engaged(agent, leaves)
    made = switch(leaves, comes, effective_at=AT + timedelta(days=1))
    assert vendor_switch.due(at=AT) == []
    assert vendor_switch.run(switch_id=made.pk, at=AT) == 0
    vendor_switch.call_off(made, at=AT)
    run_all(made, at=AT + timedelta(days=2))
    assert Leg.objects.get().pk == leg.pk
    with pytest.raises(vendor_switch.NotSwitched, match="already over"):
        vendor_switch.call_off(made, at=AT)


def test_rules_that_name_who_left_reach_who_came(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    third = factories.OrganisationFactory(name="Gamma")
    payroll = factories.ServiceFactory()
    published(rule("begin", ["new"], "working", actions=[act("hand_over", organisation=leaves.public_id)]))
    for first, second, services in ((leaves, comes, [payroll]), (comes, third, []), (third, comes, [])):
        run_all(switch(first, second, *services))
    chosen = {}
    for service in (payroll, None):
        ticket = tickets.open_ticket(title="x", service=service, actor=agent, at=AT)
        execution.fire(ticket=ticket, verb="begin", actor=agent, at=AT + timedelta(hours=2))
        chosen[service] = Leg.objects.get(ticket=ticket).organisation.name

    assert chosen == {payroll: "Gamma", None: "Hostwerk"}


def test_who_left_is_archived_when_all_is_over(agent: Actor, leaves: Organisation, comes: Organisation) -> None:
    engaged(agent, leaves)
    run_all(switch(leaves, comes, archives=True))
    assert Organisation.objects.get(pk=leaves.pk).archived_at is not None
    with pytest.raises(transitions.HandoffRefused, match="archived"):
        engaged(agent, Organisation.objects.get(pk=leaves.pk))
    assert Leg.objects.filter(organisation=leaves).exists()


def test_an_admin_plans_it_looks_at_it_and_begins_it(
    agent: Actor, us: Organisation, leaves: Organisation, comes: Organisation
) -> None:
    leg = engaged(agent, leaves)
    client = Client()
    client.force_login(
        factories.member("admin", us, is_staff=True, is_superuser=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    plan = {
        "leaves": leaves.pk,
        "comes": leaves.pk,
        "reason": "It ends.",
        "effective_at_0": "2040-01-01",
        "effective_at_1": "00:00",
    }
    add = reverse("admin:workflows_vendorswitch_add")
    assert "Choose a vendor other than the leaving one" in client.post(add, plan).content.decode()
    page = client.post(add, plan | {"comes": comes.pk}, follow=True).content.decode()
    made = VendorSwitch.objects.get()
    assert "1 engagement will be transferred" in page
    assert leg.ticket.label in page

    follow = reverse("admin:workflows_switch", args=[made.pk])
    client.post(follow, {"do": "now"})
    run_all(made, at=now())
    page = client.get(follow).content.decode()

    assert "1 of 1 engagements transferred" in page
    assert client.get(reverse("admin:workflows_vendorswitch_change", args=[made.pk])).status_code == 200


# -- exit and entry


@pytest.fixture
def past(agent: Actor, leaves: Organisation, settings: Any, tmp_path: Path) -> Leg:
    leg = engaged(agent, leaves, requester=factories.PersonFactory(name="Priya"))
    leg = stages.accept(leg=leg, actor=Actor.vendor(leaves), at=AT + timedelta(minutes=5))
    told = messages.say(
        ticket=leg.ticket,
        body="=1+1 is what we found",
        actor=Actor.vendor(leaves),
        legs=[leg],
        is_for_later_legs=True,
        at=AT + timedelta(minutes=6),
    )
    messages.attach(message=told, name="log.txt", content=b"the log", actor=Actor.vendor(leaves), at=AT)
    messages.say(ticket=leg.ticket, body="canary: us only", actor=agent, at=AT + timedelta(minutes=7))
    return leg


def test_an_exit_is_whole_and_can_be_checked(past: Leg, leaves: Organisation, tmp_path: Path) -> None:
    folder = tmp_path / "exit"
    call_command("export_vendor", leaves.name, str(folder))

    assert export.verify(folder) == []
    rows = json.loads((folder / "events.json").read_text())
    assert len(rows) == Event.objects.filter(ticket=past.ticket).count()
    assert "canary: us only" in (folder / "messages.json").read_text()
    assert ",'=1+1 is what we found" in (folder / "messages.csv").read_text()
    file = json.loads((folder / "attachments.json").read_text())[0]["file"]
    assert (folder / file).read_bytes() == b"the log"
    with pytest.raises(CommandError, match="not empty"):
        call_command("export_vendor", leaves.name, str(folder))


def test_what_a_successor_gets_holds_nothing_of_ours(past: Leg, leaves: Organisation, tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    call_command("export_vendor", leaves.name, str(folder), audience="successor")

    everything = "".join(path.read_text() for path in folder.glob("*.*"))
    assert "is what we found" in everything
    assert "canary" not in everything
    assert "Priya" not in everything
    assert not (folder / "ledger.json").exists()
    assert export.verify(folder) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "tickets.csv").write_text("x"), "tickets.csv was changed"),
        (lambda f: (f / "clocks.json").unlink(), "clocks.json is missing"),
        (lambda f: (f / "more.txt").write_text("x"), "more.txt is not in the manifest"),
        (lambda f: (f / "manifest.json").write_text("["), "cannot be read"),
        (lambda f: _reworked(f, "ledger", lambda rows: rows.pop(1)), "the ledger has a gap"),
        (lambda f: _reworked(f, "events", lambda rows: rows.pop(1)), "does not follow the previous one"),
        (lambda f: _reworked(f, "events", lambda rows: rows.pop()), "its history does not end with its last event"),
    ],
)
def test_an_exit_that_was_changed_is_found(
    past: Leg, leaves: Organisation, tmp_path: Path, change: Any, said: str
) -> None:
    folder = tmp_path / "exit"
    export.export(leaves, folder, at=AT)
    change(folder)

    assert any(said in line for line in export.verify(folder))
    with pytest.raises(SystemExit):
        call_command("verify_export", str(folder))


def _reworked(folder: Path, name: str, change: Any) -> None:
    """Somebody who knows the manifest changes a file and its digest."""
    path = folder / f"{name}.json"
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][path.name] = export.digest(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(("arguments", "said"), [(["Nobody", "x"], "There is no vendor 'Nobody'. Vendors: Hostwerk")])
def test_a_wrong_name_is_answered_with_the_right_ones(leaves: Organisation, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("export_vendor", *arguments)
