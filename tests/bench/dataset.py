"""The data sets of `tests.bench.both`, made alike in both builds."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection as database
from django.utils import timezone
from factory.django import DjangoModelFactory

from connectors.engine import registry
from connectors.kit import contract
from connectors.models import Connection, Link, Outbound
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Service, Team, Ticket, Workflow
from tests import factories
from tests.bench.build import IS_BEFORE, comments, engagements, give_back_session, stages
from tests.workflows.building import act, guard, published, rule

GOALS = {"resolve": {"P1": 4 * 3600, "P2": 8 * 3600, "P3": 72 * 3600}}
COPIED = ("hub_event", "hub_ledgersegment", "hub_clock")
"""What a ticket without engagements has, besides its own row."""


def make(contracts: int, count: int) -> None:
    us = factories.UsFactory()
    team = Team.objects.create(organisation=us, name="First line")
    factories.ServiceFactory(name="Bench", tier=1)
    Workflow.objects.get_or_create(name="Standard", defaults={"is_default": True})
    factories.contract(us, kind="sla", goals=GOALS)
    publish_workflow(team)
    factories.OrganisationFactory(name="Bench vendor")
    factories.member("agent", us, email="bench@example.test")
    add_contracts(contracts)
    if count:
        clone(count)


def publish_workflow(team: Team) -> None:
    """A workflow with the transition `take`: three guards and four actions."""
    guards = [
        guard("priority_in", priorities=["P1", "P2", "P3"]),
        guard("service_tier", most=2),
        guard("fields_filled", fields=["service"]),
    ]
    actions = [
        act("set_priority", priority="P1"),
        act("assign_team", team=team.public_id),
        act("set_field", field="urgency", value="1"),
        act("comment", text="{ticket.label} is ours"),
    ]
    published(rule("take", ["new"], "working", guards=guards, actions=actions))


def add_contracts(count: int) -> None:
    """Published contracts that concern no ticket of the benches."""
    for _ in range(count):
        factories.contract(factories.OrganisationFactory(), kind="uc", goals=GOALS)


def start_sequences(number: int) -> None:
    """Let the factories' names begin here: several processes use one database."""
    for each in vars(factories).values():
        if isinstance(each, type) and issubclass(each, DjangoModelFactory) and each is not DjangoModelFactory:
            each.reset_sequence(number, force=True)


class World:
    """What the benches act with."""

    def __init__(self) -> None:
        self.us = Organisation.objects.get(is_us=True)
        user = self.us.memberships.filter(user__email="bench@example.test").get().user
        self.actor = Actor.person(user, self.us)
        self.service = Service.objects.get(name="Bench")
        self.vendor = Organisation.objects.get(name="Bench vendor")


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def clone(count: int) -> None:
    """So many more tickets like one that was opened."""
    world = World()
    copy(tickets.open_ticket(title="Cloned", service=world.service, actor=world.actor, at=now()), count)


def copy(model: Ticket, count: int) -> None:
    """So many copies of a ticket, with its events, segments and clocks, by SQL."""
    with database.cursor() as cursor:
        cursor.execute("SELECT max(id), greatest(max(number), 10000000) FROM hub_ticket")  # beside those of open_ticket
        last, number = cursor.fetchone()
        first = last + 1
        # As if they had been indexed for the search, so that no worker does so while something else is measured.
        changed = {"id": f"{first} + n", "number": f"{number + 1} + n", "is_indexed": "true"}
        _copy(cursor, "hub_ticket", model.pk, count, changed)
        for table in COPIED:
            _copy(cursor, table, model.pk, count, {"ticket_id": f"{first} + n"})
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('hub_ticket', 'id'), {first + count})")
        cursor.execute("ANALYZE")


def _copy(cursor: Any, table: str, ticket: int, count: int, changed: dict[str, str]) -> None:
    cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    names = [name for (name,) in cursor.fetchall() if name != "id" or "id" in changed]
    unique = "upper(substr(md5(random()::text || n), 1, 26))"
    values = [changed.get(name) or (unique if name == "public_id" else f't."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    where = "t.id" if table == "hub_ticket" else "t.ticket_id"
    cursor.execute(
        f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} "
        f"FROM {table} t, generate_series(0, {count - 1}) n WHERE {where} = {ticket}"
    )


def add_events(ticket: Ticket, count: int) -> None:
    """So many more events of the ticket, messages of ours, by SQL; nothing here reads their hashes, which are wrong."""
    if count <= 0:
        return
    world = World()
    comments.comment(ticket=ticket, body="First", actor=world.actor, at=now())
    with database.cursor() as cursor:
        cursor.execute("SELECT max(seq) FROM hub_event WHERE ticket_id = %s", [ticket.pk])
        last = cursor.fetchone()[0]
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'hub_event' AND column_name <> 'id'"
        )
        names = [name for (name,) in cursor.fetchall()]
        changed = {"seq": f"{last} + n", "public_id": "upper(substr(md5(random()::text || n), 1, 26))"}
        values = ", ".join(changed.get(name, f't."{name}"') for name in names)
        quoted = ", ".join(f'"{name}"' for name in names)
        cursor.execute(
            f"INSERT INTO hub_event ({quoted}) SELECT {values} FROM hub_event t, generate_series(1, {count}) n "
            "WHERE t.ticket_id = %s AND t.seq = %s",
            [ticket.pk, last],
        )
        cursor.execute("UPDATE hub_ticket SET last_seq = %s WHERE id = %s", [last + count, ticket.pk])


def overdue(count: int) -> None:
    """So many tickets with an engagement, whose two clocks have breached and are not stored yet."""
    world, opened = World(), now() - timedelta(days=30)
    vendor = factories.OrganisationFactory()
    factories.contract(vendor, kind="uc", goals=GOALS)
    ticket = tickets.open_ticket(title="Due", priority="P3", actor=world.actor, at=opened)
    leg = engagements.offer(ticket=ticket, organisation=vendor, actor=world.actor, at=opened)
    stages.accept(leg=leg, actor=world.actor, at=opened)
    copy(ticket, count - 1)


def overdue_copies(actor: Actor, count: int) -> None:
    """So many tickets whose clocks have breached, by SQL."""
    opened = now() - timedelta(days=30)
    copy(tickets.open_ticket(title="Cloned due", priority="P3", actor=actor, at=opened), count)


# -- vendors that take everything at once

_go_on = threading.Event()
Taken = list[tuple[str, str]]
"""The keys of records and the texts that were sent to them, in the order of arrival."""


def let_go() -> None:
    _go_on.set()


def by_link(taken: Taken) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, text in taken:
        found.setdefault(key, []).append(int(text))
    return found


def instant_vendors(
    links: int, each: int, systems: int, pause: float, hangs: int, *, total: int, done: threading.Event
) -> Taken:
    """Connections with so many links and so many notes to send on each; returns the list of what arrives."""
    taken: Taken = []
    lock = threading.Lock()
    base = contract.Connector if IS_BEFORE else contract.OutboundConnector

    class Instant(base):  # type: ignore[misc,valid-type]
        slug, label = "instant", "Instant"
        keeps_records = False  # as a 602caa8 connector says that there is nothing to read

        def push(self, change: Any) -> Any:
            give_back_session()
            if change.key.startswith("hangs"):
                _go_on.wait(300)
                return contract.Pushed(key=change.id)
            if pause:
                threading.Event().wait(pause)
            with lock:
                taken.append((change.key, change.text))
                if len(taken) == total:
                    done.set()
            return contract.Pushed(key=change.id)

        def check(self) -> Any:
            return None

    known = {**registry.connectors_by_slug(), "instant": Instant}
    registry.connectors_by_slug = lambda: known  # type: ignore[assignment]
    Connection.objects.update(state="archived")
    for number in range(systems):
        _queue(f"system{number}", links, each)
    for number in range(hangs):
        _queue(f"hangs{number}", links, each)
    return taken


def _queue(name: str, links: int, each: int) -> None:
    world, at = World(), timezone.now()
    vendor = factories.OrganisationFactory(name=f"{name} {timezone.now()}")
    made = Connection.objects.create(
        name=f"{name} {at}",
        organisation=vendor,
        connector="instant",
        state="active",
        poll_seconds=3600,
        next_poll_at=at + timedelta(hours=1),
    )
    factories.mapping(made)
    model = tickets.open_ticket(title="Queue", priority="P3", actor=world.actor, at=now())
    messages = [comments.comment(ticket=model, body=f"{n}", actor=world.actor, at=now()) for n in range(each)]
    first = max(10_000_000, Ticket.objects.order_by("-number").values_list("number", flat=True)[0]) + 1
    copies = [_bare(model, first + number) for number in range(links)]
    Ticket.objects.bulk_create(copies)
    legs = [
        Leg(ticket=ticket, organisation=vendor, given_by=world.us, number=1, is_lead=True, stage="working",
            offered_at=at, pack={})
        for ticket in copies
    ]  # fmt: skip
    Leg.objects.bulk_create(legs)
    rows = [Link(leg=leg, connection=made, remote_key=f"{name}.{leg.pk}", reference=f"{name}.{leg.pk}") for leg in legs]
    Link.objects.bulk_create(rows)
    Outbound.objects.bulk_create(
        Outbound(link=link, lane="notes", seq=seq, kind="note", message=message, queued_at=at, next_attempt_at=at)
        for link in rows
        for seq, message in enumerate(messages, 1)
    )


def _bare(model: Ticket, number: int) -> Ticket:
    """A copy of the ticket that is not saved, under a number and an id of its own."""
    fields = {each.attname: getattr(model, each.attname) for each in model._meta.concrete_fields}
    return Ticket(
        **{name: value for name, value in fields.items() if name not in ("id", "public_id")} | {"number": number}
    )
