"""The engine with what part 2 brought: limits shared by all, hooks that heal, scope, acceptance, words for people."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.autotask.simulator import Injected, Simulator, Tenant
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.connectwise.simulator import Tenant as ConnectWiseTenant
from connectors.engine import hooks, mapping, rate_limits, registry, vault
from connectors.engine.inbound.parked import retry
from connectors.engine.mapping import dry_run, mapping_suggestions, preview
from connectors.engine.operations import compare, publishing
from connectors.kit.contract import Choice, Limits
from connectors.kit.errors import TryLater
from connectors.kit.simulating import QuietServer
from connectors.models import CallSlot, Connection, Inbound, Link, Mapping, NoteRule, Outbound, StatusRule, Usage
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Message, Organisation, Stage, Ticket, UnmappedValue
from tests import factories, wire
from tests.conftest import SilentHandler
from worker import dispatcher
from workflows.handoffs import comments, engagements

pytestmark = pytest.mark.django_db

DOMAIN = "deskside.test"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def work() -> None:
    dispatcher.drain(most=2)


@pytest.fixture
def link(connection: Connection, agent: Actor) -> Link:
    ticket = tickets.open_ticket(title="Printing fails", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    return Link.objects.select_related("leg__ticket", "connection").get(leg=leg)


# -- limits


def gate(connection: Connection, **more: Any) -> rate_limits.RateLimiter:
    connection.share = more.pop("percent", None)
    return rate_limits.RateLimiter(connection, Limits(**({"requests": 10, "seconds": 3600, "share": 0.5} | more)))


def test_all_workers_together_keep_to_our_part_of_the_limit(connection: Connection) -> None:
    """Each gate stands for a worker of its own: the count is a row."""
    for _ in range(5):
        with gate(connection).slot("x"):
            pass
    with pytest.raises(TryLater, match="5 requests within 60 minutes") as later, gate(connection).slot("x"):
        pass
    assert later.value.after is not None
    assert 60 <= later.value.after <= 3600
    assert rate_limits.used(connection, Limits(requests=10, seconds=3600)) == 5


def test_an_admin_may_say_how_much_is_ours(connection: Connection) -> None:
    assert gate(connection, percent=80).most == 8


def test_a_poll_leaves_the_rest_to_what_people_wait_for(connection: Connection) -> None:
    whole = Limits(requests=100, seconds=3600)
    assert rate_limits.RateLimiter(connection, whole, share=rate_limits.POLL_SHARE).most == 60


def test_old_counts_are_forgotten(connection: Connection) -> None:
    Usage.objects.create(connection=connection, slice=1, used=1000)
    with gate(connection).slot("x"):
        pass
    assert not Usage.objects.filter(slice=1).exists()


def test_no_more_calls_at_once_than_they_allow(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 0.0)
    narrow = gate(connection, threads=2, requests=1000, endpoint=lambda path: path)
    with narrow.slot("Tickets"), narrow.slot("Tickets"):
        with pytest.raises(TryLater, match="limit of simultaneous requests"), narrow.slot("Tickets"):
            pass
        with narrow.slot("Notes"):
            pass
    with narrow.slot("Tickets"):
        pass


def test_the_turn_of_a_process_that_died_is_free_again(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 0.0)
    CallSlot.objects.create(connection=connection, endpoint="Tickets", number=0, until=datetime.now().timestamp() - 1)
    with gate(connection, threads=1, endpoint=lambda path: path).slot("Tickets"):
        pass


def test_a_connection_at_its_limit_rests_and_loses_nothing(link: Link, agent: Actor, tenant: Tenant) -> None:
    Connection.objects.update(next_poll_at=timezone.now() + timedelta(hours=1), share=1)
    Usage.objects.all().delete()
    current = int(datetime.now().timestamp() / 60)
    Usage.objects.create(connection=link.connection, slice=current, used=100)
    comments.comment(ticket=link.leg.ticket, body="hello", legs=[link.leg], actor=agent, at=now())
    work()

    item = Outbound.objects.get(kind="note")
    assert (item.state, item.attempts, tenant.notes) == (Outbound.State.READY, 0, {})
    assert "Our share of the vendor's rate limit is used up" in Connection.objects.get().last_error

    Usage.objects.all().delete()
    Connection.objects.update(resting_until=None)
    Outbound.objects.update(next_attempt_at=timezone.now())
    work()
    assert len(tenant.notes) == 1


# -- requests are counted in advance, and slots stay with the work


def test_a_process_counts_some_requests_in_advance_while_much_is_left(connection: Connection) -> None:
    limits_ = Limits(requests=10_000, seconds=3600)
    rows = CaptureQueriesContext(database)
    with rows:
        for _ in range(10):
            with gate(connection, requests=10_000).slot("x"):
                pass
    assert rate_limits.used(connection, limits_) == 10
    assert len([query for query in rows.captured_queries if "UPDATE" in query["sql"] or "INSERT" in query["sql"]]) <= 3


def test_what_was_counted_in_advance_for_people_is_not_spent_by_a_poll(connection: Connection) -> None:
    whole = Limits(requests=10_000, seconds=3600)
    with rate_limits.RateLimiter(connection, whole).slot("x"):
        pass
    assert rate_limits.used(connection, whole) == 10
    with rate_limits.RateLimiter(connection, whole, share=rate_limits.POLL_SHARE).slot("x"):
        pass
    assert rate_limits.used(connection, whole) == 20


def test_the_work_on_one_record_keeps_its_slot_and_returns_it_at_the_end(connection: Connection) -> None:
    narrow = gate(connection, threads=1, requests=1000, endpoint=lambda path: path)
    with narrow.keeping():
        for _ in range(3):
            with narrow.slot("Tickets"):
                pass
            assert CallSlot.objects.get().until > 0
    assert CallSlot.objects.get().until == 0


def test_a_slot_that_was_kept_for_long_is_returned_before_the_next_call(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = gate(connection, threads=1, requests=1000, endpoint=lambda path: path)
    with narrow.keeping():
        with narrow.slot("Tickets"):
            first = CallSlot.objects.get().until
        monkeypatch.setattr(rate_limits, "KEPT_SECONDS", -1.0)
        with narrow.slot("Tickets"):
            assert CallSlot.objects.get().until > first


# -- hooks that heal


def test_a_webhook_the_vendor_switched_off_is_on_again_within_the_hour(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    hooks.register(connection, hub_url="https://hub.example")
    for hook in tenant.hooks.values():
        hook["isActive"] = False
    Connection.objects.update(healed_at=timezone.now() - timedelta(hours=2))
    work()

    assert [hook["isActive"] for hook in tenant.hooks.values()] == [True]
    assert "The webhook has been active again since" in Connection.objects.get().hook_note


def test_its_deactivation_address_makes_us_look_at_once(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    hooks.register(connection, hub_url="https://hub.example")
    [hook] = tenant.hooks.values()
    assert hook["deactivationUrl"].endswith(f"/hooks/{connection.public_id}/deactivated/")
    work()
    hook["isActive"] = False
    work()
    assert not hook["isActive"]

    assert Client().post(f"/hooks/{connection.public_id}/deactivated/").status_code == 202
    work()
    assert hook["isActive"]


def test_nobody_elses_deactivation_is_believed(connection: Connection) -> None:
    assert Client().post(f"/hooks/{connection.public_id}/deactivated/").status_code == 404
    assert Client().get(f"/hooks/{connection.public_id}/deactivated/").status_code == 405


def test_hooks_that_cannot_be_checked_stop_no_poll(connection: Connection, simulator: Simulator) -> None:
    hooks.register(connection, hub_url="https://hub.example")
    Connection.objects.update(healed_at=timezone.now() - timedelta(hours=2))
    simulator.faults.append(Injected("POST", "/TicketWebhooks/query", status=500, times=9))
    simulator.act(DOMAIN, "open", by="501", title="Screen black")
    work()

    assert Ticket.objects.count() == 1
    assert "could not be checked" in Connection.objects.get().hook_note


# -- what is taken in, and when it is accepted


def test_only_queues_that_are_taken_in_bring_tickets(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    tenant.queues["9"] = "Sales"
    Connection.objects.update(intake_queues=["8"])
    simulator.act(DOMAIN, "open", by="501", title="For us", queueID=8)
    simulator.act(DOMAIN, "open", by="501", title="Not for us", queueID=9)
    work()

    assert [ticket.title for ticket in Ticket.objects.all()] == ["For us"]
    assert Inbound.objects.filter(state="ignored", error__contains="the queue 9, which is not imported").count() == 1


def test_another_customers_ticket_is_never_taken_in(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    """Their system calls for every customer's tickets: what is not ours stays out, whichever way it was told."""
    tenant.companies |= {"180": "Northwind Labs", "900": "Somebody else"}
    hooks.register(connection, hub_url="https://hub.example")
    born = {
        number: simulator.act(DOMAIN, "open", by="501", title=f"Of {number}", companyID=number)
        for number in (175, 180, 900)
    }
    told = [int(born[number]["id"]) for number in born]
    for key in told:
        Inbound.objects.create(
            connection=connection,
            kind=Inbound.Kind.HOOK,
            delivery=f"call-{key}",
            remote_key=str(key),
            body=b"{}",
            received_at=timezone.now(),
            next_attempt_at=timezone.now(),
        )
    work()
    assert [ticket.title for ticket in Ticket.objects.all()] == ["Of 175"]
    ignored = Inbound.objects.filter(state="ignored", error__contains="another customer of Deskside")
    assert {int(row.remote_key) for row in ignored} == {int(born[180]["id"]), int(born[900]["id"])}

    connection.refresh_from_db()
    Connection.objects.update(settings=connection.settings | {"more_companies": "180"}, cursor="2020-01-01T00:00:00Z")
    work()
    assert {ticket.title for ticket in Ticket.objects.all()} == {"Of 175", "Of 180"}


@pytest.mark.parametrize(("acceptance", "stage"), [("status", Stage.OFFERED), ("assigned", Stage.ACCEPTED)])
def test_a_name_on_their_ticket_is_acceptance_where_the_connection_says_so(
    link: Link, simulator: Simulator, acceptance: str, stage: str
) -> None:
    Connection.objects.update(acceptance=acceptance)
    simulator.act(DOMAIN, "set", ticket=link.remote_key, by="501", assignedResourceID=501, assignedResourceRoleID=1)
    work()
    assert Leg.objects.get().stage == stage


def test_a_deleted_ticket_is_told_and_believed_only_after_three_looks(
    link: Link, simulator: Simulator, tenant: Tenant
) -> None:
    simulator.act(DOMAIN, "delete", ticket=link.remote_key, by="501")
    work()
    assert (Link.objects.get().state, Link.objects.get().missed) == (Link.State.ACTIVE, 1)
    for _ in range(2):
        Link.objects.update(next_look_at=None, is_dirty=True)
        work()
    assert Link.objects.get().state == Link.State.QUARANTINED


def test_a_record_that_makes_no_sense_is_parked_and_delays_nobody(
    connection: Connection, simulator: Simulator, tenant: Tenant
) -> None:
    bad = simulator.act(DOMAIN, "open", by="501", title="Bad date")
    simulator.act(DOMAIN, "open", by="501", title="Good one")
    tenant.tickets[str(bad["id"])]["createDate"] = "0001-01-01T00:00:00+14:00"
    work()
    work()

    assert [ticket.title for ticket in Ticket.objects.all()] == ["Good one"]
    [parked] = Inbound.objects.filter(state="parked")
    assert "could not be read" in parked.error

    tenant.tickets[str(bad["id"])]["createDate"] = "2026-01-01T00:00:00Z"
    retry(parked)
    work()
    assert {ticket.title for ticket in Ticket.objects.all()} == {"Good one", "Bad date"}


def test_what_engineers_book_is_part_of_the_story(link: Link, simulator: Simulator) -> None:
    rules = Mapping.objects.get()
    NoteRule.objects.create(mapping=rules, theirs="time.summary", audience="legs")
    NoteRule.objects.create(mapping=rules, theirs="time.internal", audience="us")
    simulator.act(DOMAIN, "time", ticket=link.remote_key, by="501", text="Replaced the fuser", internal="canary")
    work()

    seen = {m.body: m.is_for_later_legs for m in Message.objects.all()}
    assert seen == {"Replaced the fuser": True, "canary": False}


# -- what a person does about a parked one


def test_a_parked_change_can_be_said_as_a_comment(link: Link, agent: Actor, tenant: Tenant) -> None:
    Mapping.objects.get().values.filter(ours="P1").delete()
    tickets.set_priority(ticket=link.leg.ticket, priority="P1", actor=agent, at=now())
    work()
    parked = Outbound.objects.get(state="parked")
    client = Client()
    client.force_login(factories.member("agent", tickets.us()))
    page = client.get(f"/sync/connections/{link.connection.public_id}/")
    assert b"Send as a comment" in page.content

    client.post(f"/sync/outbound/{parked.pk}/say/")
    work()

    assert [note["description"] for note in tenant.notes.values()] == ["Changed in Ticket Hub:\nPriority: P1"]
    assert Outbound.objects.get(pk=parked.pk).state == Outbound.State.SKIPPED
    assert client.post(f"/sync/outbound/{parked.pk}/say/").status_code == 302


@pytest.mark.parametrize(
    ("field", "value", "meaning", "ok"),
    [
        ("status", "99", "work", True),
        ("status", "99", "wait:us", True),
        ("status", "99", "wait", False),
        ("status", "99", "work:us", False),
        ("status", "99", "fly", False),
        ("priority", "77", "P1", True),
        ("priority", "77", "work", False),
        ("visibility", "9", "us", True),
        ("visibility", "9", "", False),
    ],
)
def test_an_unmapped_value_is_mapped_with_one_click(
    connection: Connection, field: str, value: str, meaning: str, ok: bool
) -> None:
    row = UnmappedValue.objects.create(
        source=connection.public_id, field=field, value=value, first_seen_at=now(), last_seen_at=now()
    )
    client = Client()
    admin = factories.member("admin", tickets.us())
    admin.is_staff = admin.is_superuser = True
    admin.save()
    client.force_login(admin)
    done = client.post(f"/sync/connections/{connection.public_id}/map/{row.pk}/", {"meaning": meaning}, follow=True)

    assert done.status_code == 200
    assert Mapping.objects.get(status="published").version == (2 if ok else 1)
    assert UnmappedValue.objects.filter(pk=row.pk).exists() is not ok


def test_only_admins_map_and_see_what_came_in(link: Link, connection: Connection, simulator: Simulator) -> None:
    row = UnmappedValue.objects.create(
        source=connection.public_id, field="status", value="99", first_seen_at=now(), last_seen_at=now()
    )
    simulator.act(DOMAIN, "note", ticket=link.remote_key, by="501", text="canary-in-the-raw", publish=2)
    work()
    client = Client()
    client.force_login(factories.member("agent", tickets.us()))

    assert (
        client.post(f"/sync/connections/{connection.public_id}/map/{row.pk}/", {"meaning": "work"}).status_code == 403
    )
    assert b"Raw input" not in client.get(f"/sync/connections/{connection.public_id}/").content
    admin = factories.member("admin", tickets.us(), is_staff=True, is_superuser=True)
    client.force_login(admin)
    page = client.get(f"/sync/connections/{connection.public_id}/").content.decode()
    assert "Raw input" in page
    assert "canary-in-the-raw" in page
    assert all(secret not in page for secret in vault.unseal(connection).values())
    assert "seen once, " in page
    assert "Seen once. Map the value, and what was held for it continues." in client.get("/sync/").content.decode()
    UnmappedValue.objects.update(count=2)
    assert "seen 2 times, " in client.get(f"/sync/connections/{connection.public_id}/").content.decode()


def test_somebody_of_a_vendor_opens_no_connection(connection: Connection) -> None:
    client = Client()
    client.force_login(factories.member("vendor", connection.organisation))
    assert client.get(f"/sync/connections/{connection.public_id}/").status_code == 403
    assert client.get(f"/admin/connectors/connection/{connection.pk}/access/").status_code in (302, 403)


# -- proposals and previews


def test_proposals_read_labels_and_hints() -> None:
    rows = mapping_suggestions.statuses(
        [
            Choice(value="1", label="New"),
            Choice(value="2", label="In Progress"),
            Choice(value="3", label="Scheduled"),
            Choice(value="4", label="Waiting on client"),
            Choice(value="5", label="Waiting Parts"),
            Choice(value="6", label="Closed", is_closed=True),
            Choice(value="7", label=">Cancelled", is_closed=True),
            Choice(value="8", label="Mystery"),
            Choice(value="9", label="Old", is_active=False),
            Choice(value="10", label="Erledigt"),
            Choice(value="11", label="Back to customer"),
        ]
    )
    assert {row.choice.value: (row.verb, row.waits_on, row.says) for row in rows} == {
        "1": ("acknowledge", "", "offered"),
        "2": ("work", "", "working"),
        "3": ("work", "", ""),
        "4": ("wait", "us", ""),
        "5": ("wait", "own", ""),
        "6": ("done", "", "closed"),
        "7": ("return", "", ""),
        "8": ("", "", ""),
        "10": ("done", "", ""),
        "11": ("return", "", "recalled"),
    }


def test_what_is_internal_there_is_proposed_for_us_only() -> None:
    rows = mapping_suggestions.notes(
        [
            Choice(value="1", label="All Autotask Users"),
            Choice(value="2", label="Internal Users Only"),
            Choice(value="t", label="Time entry: summary"),
        ]
    )
    assert [(row.audience, row.is_written, row.is_written_for_legs) for row in rows] == [
        ("requester", True, True),
        ("us", False, False),
        ("us", False, False),
    ]


def test_a_preview_and_a_dry_run_write_nothing(
    connection: Connection, agent: Actor, simulator: Simulator, tenant: Tenant
) -> None:
    tickets.open_ticket(title="Printing fails", priority="P1", actor=agent, at=now())
    simulator.act(DOMAIN, "open", by="501", title="Theirs", status=8, priority=77)
    before = [call for call in simulator.seen if call[0] == "PATCH" or call[1].endswith(("/Tickets", "/Notes"))]
    mapped = mapping.published(connection)
    with registry.ready(connection) as connector:
        [seen] = preview.seen_there(connector, mapped, to=connection.organisation)
        found = dry_run.dry_run(connection, connector, mapped)

    assert {p.field: p.theirs for p in seen.pairs}["priority"] == "Critical"
    assert found.taken_in == 1
    assert [(each.field, each.value, each.count) for each in found.unmapped] == [("priority", "77", 1)]
    assert Ticket.objects.count() == 1
    after = [call for call in simulator.seen if call[0] == "PATCH" or call[1].endswith(("/Tickets", "/Notes"))]
    assert after == before


def test_a_canary_for_us_never_leaves(connection: Connection) -> None:
    found = {canary.audience: canary for canary in preview.canaries(mapping.published(connection))}
    assert (found["our own people"].visibility, found["our own people"].why_not) == ("", "never leaves Ticket Hub")
    assert found["the requester"].visibility == "All"
    NoteRule.objects.filter(is_written=True).update(is_written=False)
    held = preview.canaries(mapping.published(connection))
    assert all(canary.visibility == "" for canary in held)


def test_one_visibility_can_serve_two_audiences(connection: Connection) -> None:
    NoteRule.objects.filter(theirs="4").delete()
    NoteRule.objects.filter(theirs="1").update(is_written_for_legs=True)
    mapped = mapping.published(connection)
    assert (mapped.visibility(is_for_requester=True), mapped.visibility(is_for_requester=False)) == ("1", "1")


# -- ConnectWise through the engine


@pytest.fixture
def consultant(us: Organisation, settings: Any) -> Iterator[tuple[Connection, ConnectWiseSimulator]]:
    """A live connection to a simulated ConnectWise, mapped."""
    server = QuietServer(("127.0.0.1", 0), SilentHandler)
    tenant = ConnectWiseTenant(
        name="Ledgerline",
        domain="ledgerline.test",
        company="ledgerline",
        companies={"250": "Northwind"},
        people={"lledger": "Lena Ledger"},
        per_minute=100_000,
    )
    base = f"http://127.0.0.1:{server.server_port}"
    app = ConnectWiseSimulator([tenant], base=base, now=lambda: datetime.now(UTC))
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    made = Connection.objects.create(
        name="Ledgerline",
        organisation=factories.OrganisationFactory(name="Ledgerline"),
        connector="connectwise",
        state=Connection.State.ACTIVE,
        poll_seconds=0,
        cursor="2020-01-01T00:00:00Z",
        share=100,
        settings={
            "site": base,
            "company": "ledgerline",
            "public_key": tenant.public_key,
            "member": "hubapi",
            "company_id": "250",
            "board_id": "1",
        },
    )
    vault.seal(made, {"private_key": tenant.private_key, "client_id": tenant.client_id})
    made.save()
    rules = factories.mapping(made)
    rules.statuses.all().delete()
    rules.notes.all().delete()
    rules.values.all().delete()
    for theirs, verb, says in (("16", "acknowledge", "offered"), ("17", "work", "working"), ("19", "done", "closed")):
        StatusRule.objects.create(mapping=rules, theirs=theirs, verb=verb, says=says)
    for ours, theirs in (("P1", "1"), ("P2", "2"), ("P3", "3"), ("P4", "4")):
        rules.values.create(field="priority", ours=ours, theirs=theirs)
    NoteRule.objects.create(mapping=rules, theirs="discussion", audience="requester", is_written=True)
    NoteRule.objects.create(mapping=rules, theirs="internal", audience="legs", is_written=True)
    wrong = wire.watched(app, wire.connectwise())
    yield made, app
    server.shutdown()
    server.server_close()
    thread.join()
    assert wrong == []


def test_of_several_companies_all_that_are_us_are_taken_in(
    consultant: tuple[Connection, ConnectWiseSimulator],
) -> None:
    connection, app = consultant
    tenant = app.tenants["ledgerline.test"]
    tenant.companies |= {251: "Northwind Labs", 900: "Somebody else"}
    Connection.objects.update(settings=connection.settings | {"more_companies": "251"}, cursor="2020-01-01T00:00:00Z")
    for number in (250, 251, 900):
        made = app.act("ledgerline.test", "open", by="lledger", title=f"Of {number}")
        tenant.tickets[str(made["id"])]["company"]["id"] = number
        Inbound.objects.create(
            connection=connection,
            kind=Inbound.Kind.HOOK,
            delivery=f"call-{number}",
            remote_key=str(made["id"]),
            body=b"{}",
            received_at=timezone.now(),
            next_attempt_at=timezone.now(),
        )
    hooks.register(Connection.objects.get(), hub_url="https://hub.example")
    for _ in range(2):
        work()

    assert {ticket.title for ticket in Ticket.objects.all()} == {"Of 250", "Of 251"}
    called = {
        (hook["type"].lower(), hook["level"].lower(), int(hook["objectId"])) for hook in tenant.callbacks.values()
    }
    assert called == {("ticket", "board", 1), ("time", "company", 250), ("time", "company", 251)}


def test_a_ticket_travels_through_connectwise_and_both_sides_are_equal(
    consultant: tuple[Connection, ConnectWiseSimulator], agent: Actor
) -> None:
    connection, app = consultant
    tenant = app.tenants["ledgerline.test"]
    title = (
        "A title that is longer than the hundred characters that ConnectWise takes for the summary "
        + "of a ticket " * 3
    )
    ticket = tickets.open_ticket(title=title, description="0x11b", priority="P2", actor=agent, at=now())
    leg = engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    comments.comment(ticket=ticket, body="Please look", legs=[leg], actor=agent, at=now())
    work()
    link = Link.objects.get()
    app.act("ledgerline.test", "note", ticket=link.remote_key, by="lledger", text="Looking", place="internal")
    app.act("ledgerline.test", "time", ticket=link.remote_key, by="lledger", text="Traced it", is_public=True)
    app.act("ledgerline.test", "file", ticket=link.remote_key, by="lledger", name="trace.txt", text="abc")
    app.act("ledgerline.test", "set", ticket=link.remote_key, by="lledger", status=17)
    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=now())
    for _ in range(3):
        work()

    item = tenant.tickets[link.remote_key]
    assert (len(item["summary"]), item["summary"][-1], item["priority"]["id"]) == (100, "…", 1)
    assert sorted(m.body for m in Message.objects.all()) == [
        "Attached trace.txt",
        "Looking",
        "Please look",
        "Traced it",
    ]
    assert Leg.objects.get().stage == Stage.WORKING
    assert compare.differences(Link.objects.get()) == []


def test_a_ticket_merged_there_is_an_alias_of_the_one_that_survived(
    consultant: tuple[Connection, ConnectWiseSimulator], agent: Actor
) -> None:
    connection, app = consultant
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    other = app.act("ledgerline.test", "open", by="lledger", title="Another")
    app.act("ledgerline.test", "merge", ticket=Link.objects.get().remote_key, by="lledger", into=str(other["id"]))
    work()

    stopped = Link.objects.get(leg__ticket=ticket)
    assert (stopped.state, stopped.merged_key) == (Link.State.ALIAS, str(other["id"]))
    assert f"was merged into {other['id']}" in stopped.why


def test_a_false_yes_is_parked_with_a_reason(consultant: tuple[Connection, ConnectWiseSimulator], agent: Actor) -> None:
    connection, app = consultant
    ticket = tickets.open_ticket(title="VPN", actor=agent, at=now())
    engagements.offer(ticket=ticket, organisation=connection.organisation, actor=agent, at=now())
    work()
    app.tenants["ledgerline.test"].ignores.append("priority")
    tickets.set_priority(ticket=ticket, priority="P1", actor=agent, at=now())
    work()

    assert "reported success but did not change: priority" in Outbound.objects.get(state="parked").error


def test_the_matrix_says_when_evidence_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.management import CommandError

    from connectors.kit import quality

    nothing = quality.Quality(slug="autotask", evidence="tests/nowhere.py::TestNothing")
    monkeypatch.setattr(quality, "of", lambda kind: nothing)
    with pytest.raises(CommandError, match="could not be run"):
        call_command("connector_matrix")


def test_an_organisation_has_one_live_connection(connection: Connection, us: Organisation) -> None:
    second = Connection.objects.create(
        name="Second", organisation=connection.organisation, connector="autotask", state=Connection.State.DRAFT
    )
    Mapping.objects.create(connection=second)
    client = Client()
    client.force_login(factories.member("admin", us, is_staff=True, is_superuser=True))
    client.post(f"/admin/connectors/connection/{second.pk}/look/")
    second.refresh_from_db()
    assert second.state == Connection.State.DRAFT
    publishing.resume(connection)


def test_a_third_partys_connector_comes_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    def installed(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("deskling", "tests.connectors.deskling.connector:Deskling", group)]

    monkeypatch.setattr(registry, "entry_points", installed)
    registry.connectors_by_slug.cache_clear()
    try:
        assert list(registry.connectors_by_slug()) == ["alerts", "autotask", "connectwise", "email", "rest", "deskling"]
        assert registry.connectors_by_slug()["deskling"].label == "Deskling"
    finally:
        registry.connectors_by_slug.cache_clear()
