"""A hub with many tickets for `make bench ONLY=console`, made alike in this build and in 602caa8.

A few tickets are opened, handed over, answered and closed by the hub itself; the others are their copies, by SQL, each
with a number, a word, people and times of its own. Two of a hundred are open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.db import connection as database
from django.db.models import DateTimeField, ForeignKey, Model

from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Leg, Organisation, Person, Service, Team, Ticket, User
from tests import factories
from tests.bench.build import IS_BEFORE, comments, engagements, fire_due_clocks, stages, transitions

VENDORS, SERVICES, TEAMS, AGENTS, PEOPLE = 12, 40, 20, 50, 3_000
OPEN_SHARE = 0.02
OPEN_DAYS, ENDED_DAYS = 14, 700
"""Open tickets were opened within so many days, the others within so many before."""
WORD = "zzq"
"""Stands in the texts of a ticket that is copied; each copy has a word of its own instead (`word_of`)."""
FIRST_NUMBER = 9_000_000
"""Numbers of copies begin here, far from those of tickets that the hub opens."""
REMOTE = "9099999"
"""In the vendor's number of a model; each copy has the key of its engagement instead."""
SUBJECTS = (
    "VPN down", "Printer jams", "Mailbox full", "Password reset", "Payroll slow", "Screen flickers",
    "Network share gone", "Update failed", "Backup missing", "Certificate expired",
)  # fmt: skip
_DAY = 86_400
GOALS = {
    "first_response": {"P1": 10 * _DAY, "P2": 12 * _DAY, "P3": 13 * _DAY},
    "resolve": {"P1": 11 * _DAY, "P2": 13 * _DAY, "P3": 20 * _DAY},
}
"""So that about a tenth of the clocks of open tickets have breached."""
TABLES = (
    "hub.Ticket", "hub.Leg", "hub.Message", "hub.Message_legs", "hub.Event", "hub.Clock", "hub.Span",
    "hub.LedgerSegment", "hub.SearchEntry",
)  # fmt: skip
"""What belongs to a ticket; those that only one of the builds has are left out."""


def word_of(number: int) -> str:
    """The word of one copy, of letters only."""
    return WORD + str(number).translate(str.maketrans("0123456789", "bcdfghjklm"))


@dataclass(frozen=True)
class World:
    """Who works with the tickets."""

    us: Organisation
    actor: Actor
    vendors: Sequence[Organisation]

    @classmethod
    def read(cls) -> World:
        us = Organisation.objects.get(is_us=True)
        user = User.objects.get(email="manager@bench.test")
        vendors = list(Organisation.objects.filter(name__startswith="Vendor ").order_by("pk"))
        return cls(us, Actor.person(user, us), vendors)


def make(count: int, opened: int = 0) -> None:
    """So many tickets; `opened` of them are open, otherwise OPEN_SHARE."""
    _people()
    world, at = World.read(), datetime.now(UTC).replace(microsecond=0)
    opened = opened or int(count * OPEN_SHARE)
    tables = _tables()
    with _without_indexes(tables):
        _copies(_open_models(world, at), opened, timedelta(days=OPEN_DAYS), tables)
        ended = _ended_models(world, at - timedelta(days=OPEN_DAYS))
        _copies(ended, count - opened, timedelta(days=ENDED_DAYS), tables)
    _spread()
    _late(at)
    _long(world, at)
    with database.cursor() as cursor:
        if not IS_BEFORE:
            cursor.execute("UPDATE hub_ticket SET is_indexed = true")
            cursor.execute(
                "INSERT INTO hub_searchword (word) SELECT DISTINCT word FROM hub_searchentry, "
                "regexp_split_to_table(tokens, ' ') word WHERE id % 10 = 0 AND word ~ '^[a-z]+$' ON CONFLICT DO NOTHING"
            )
        cursor.execute("VACUUM ANALYZE")


def _people() -> None:
    us = factories.UsFactory(name="Bench IT")
    factories.member("manager", us, email="manager@bench.test")
    for number in range(AGENTS):
        factories.member("agent", us, email=f"agent{number}@bench.test")
    for number in range(VENDORS):
        vendor = factories.OrganisationFactory(name=f"Vendor {number:02}")
        factories.contract(vendor, kind="uc", goals=GOALS)
        factories.member("vendor", vendor, email=f"vendor{number}@bench.test")
    Team.objects.bulk_create(Team(organisation=us, name=f"Team {number:02}") for number in range(TEAMS))
    for number in range(SERVICES):
        factories.ServiceFactory(name=f"Service {number:02}", tier=1 + number % 3)
    customer = factories.CustomerFactory(name="Bench customer")
    Person.objects.bulk_create(
        Person(name=f"Person {number:04}", email=f"person{number}@bench.test", organisation=customer)
        for number in range(PEOPLE)
    )
    factories.contract(us, kind="sla", goals=GOALS)


def _open_models(world: World, at: datetime) -> list[Ticket]:
    """Tickets of each subject: one with us, one offered, two with a vendor that has accepted."""
    found = []
    for number in range(4 * len(SUBJECTS)):
        ticket = _opened(world, number, at)
        if number % 4:
            leg = engagements.offer(
                ticket=ticket, organisation=world.vendors[number % VENDORS], actor=world.actor, at=at
            )
            if number % 4 > 1:
                stages.accept(leg=_number(leg), actor=world.actor, at=at)
        comments.comment(ticket=ticket, body=f"Restarted the {WORD} service, no change", actor=world.actor, at=at)
        found.append(ticket)
    return found


def _ended_models(world: World, at: datetime) -> list[Ticket]:
    """Closed tickets of each subject: with and without a vendor."""
    found = []
    for number in range(2 * len(SUBJECTS)):
        ticket = _opened(world, number, at)
        comments.comment(ticket=ticket, body=f"Replaced the {WORD} cable, works", actor=world.actor, at=at)
        leg = None
        if number % 2:
            leg = engagements.offer(
                ticket=ticket, organisation=world.vendors[number % VENDORS], actor=world.actor, at=at
            )
            leg = stages.accept(leg=_number(leg), actor=world.actor, at=at)
            leg = stages.finish(leg=leg, actor=world.actor, at=at + timedelta(hours=2))
        else:
            transitions.move(ticket=ticket, name="activate", actor=world.actor, at=at)
        for name, hours in (("resolve", 3), ("close", 4)):
            transitions.move(ticket=ticket, name=name, actor=world.actor, at=at + timedelta(hours=hours))
        found.append(ticket)
    return found


def _opened(world: World, number: int, at: datetime) -> Ticket:
    return tickets.open_ticket(
        title=f"{SUBJECTS[number % len(SUBJECTS)]} {WORD}",
        description=f"The {WORD} port is stale since this morning, error 0x8007{number:04}.",
        priority=("P3", "P2", "P3", "P1", "P3")[number % 5],
        service=Service.objects.order_by("pk")[number % SERVICES],
        requester=Person.objects.filter(email=f"person{number}@bench.test").get(),
        actor=world.actor,
        at=at,
    )


# -- copies


def _tables() -> list[type[Model]]:
    known = {model._meta.label: model for model in apps.get_models(include_auto_created=True)}
    return [known[name] for name in TABLES if name in known]


def _of(model: type[Model], models: Sequence[Ticket]) -> list[int]:
    """Keys of the rows of these tickets."""
    keys = [ticket.pk for ticket in models]
    path = {"Ticket": "pk", "Message_legs": "message__ticket", "Span": "clock__ticket"}
    where = {f"{path.get(model.__name__, 'ticket')}__in": keys}
    return list(model._default_manager.filter(**where).order_by("pk").values_list("pk", flat=True))


def _number(leg: Leg) -> Leg:
    """The engagement with a number in the vendor's system."""
    Leg.objects.filter(pk=leg.pk).update(remote_number=f"VN-{REMOTE}")
    return Leg.objects.get(pk=leg.pk)


def _copies(models: Sequence[Ticket], count: int, span: timedelta, tables: Sequence[type[Model]]) -> None:
    """So many copies in all, opened evenly within `span` before the tickets they are made from."""
    if not IS_BEFORE:
        from hub.search import indexing

        indexing.index()
    each = max(count // len(models), 1)
    step = span / each
    keys: dict[type[Model], list[int]] = {}
    firsts: dict[type[Model], int] = {}
    with database.cursor() as cursor:
        for model in tables:
            keys[model] = _of(model, models)
            if not keys[model]:
                continue
            table = model._meta.db_table
            cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")
            firsts[model] = cursor.fetchone()[0]
            names, values = zip(*_columns(model, keys, firsts, step), strict=True)
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table} t, "
                f"generate_series(1, {each}) n WHERE t.id = ANY(%s)",
                [keys[model]],
            )
            last = firsts[model] + each * len(keys[model])
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last})")


def _columns(
    model: type[Model], keys: Mapping[type[Model], list[int]], firsts: Mapping[type[Model], int], step: timedelta
) -> Sequence[tuple[str, str]]:
    """Each column with its value in the n-th copy of the row t."""
    seconds = int(step.total_seconds())
    found = []
    for field in model._meta.local_concrete_fields:
        name = f't."{field.column}"'
        value = name
        if field.primary_key:
            value = _copied(model, name, keys, firsts)
        elif isinstance(field, ForeignKey) and keys.get(field.related_model):
            value = f"coalesce({_copied(field.related_model, name, keys, firsts)}, {name})"
        elif field.column == "public_id":
            value = "upper(substr(md5(random()::text || n), 1, 26))"
        elif field.column == "number" and model is Ticket:
            value = f"{FIRST_NUMBER} + {_copied(model, 't.id', keys, firsts)}"
        elif isinstance(field, DateTimeField):
            value = f"{name} - n * interval '{seconds} seconds'"
        elif field.column in ("title", "description", "body", "tokens"):
            key = _copied(Ticket, "t.id" if model is Ticket else "t.ticket_id", keys, firsts)
            value = f"replace({name}, '{WORD}', '{WORD}' || translate({key}::text, '0123456789', 'bcdfghjklm'))"
        if field.column in ("remote_number", "tokens"):
            key = _copied(Leg, "t.id" if model is Leg else "t.leg_id", keys, firsts)
            value = f"replace({value}, '{REMOTE}', coalesce({key}::text, ''))"
        found.append((f'"{field.column}"', value))
    return found


def _copied(
    model: type[Model], name: str, keys: Mapping[type[Model], list[int]], firsts: Mapping[type[Model], int]
) -> str:
    """The key of the n-th copy of the row with this key."""
    own = keys[model]
    return f"({firsts[model]} + (n - 1) * {len(own)} + array_position({_array(own)}, {name}) - 1)"


def _array(keys: Sequence[int]) -> str:
    return f"ARRAY[{','.join(map(str, keys))}]::bigint[]"


class _without_indexes:
    """Drops what is slow to keep while rows are inserted, and makes it again."""

    def __init__(self, tables: Sequence[type[Model]]) -> None:
        self.names = [model._meta.db_table for model in tables]
        self.made: list[str] = []

    def __enter__(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # foreign keys of copies are right by construction
            cursor.execute("SET maintenance_work_mem = '1GB'")
            cursor.execute(
                "SELECT indexname, indexdef, attnum, attstattarget FROM pg_indexes LEFT JOIN pg_attribute "
                "ON attrelid = indexname::regclass AND attstattarget > 0 WHERE tablename = ANY(%s) "
                "AND indexname NOT IN (SELECT conname FROM pg_constraint) AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
                [self.names],
            )
            found = cursor.fetchall()
            for name, definition, column, statistics in found:
                cursor.execute(f'DROP INDEX "{name}"')
                self.made.append(definition)
                if statistics is not None:  # not part of the definition
                    self.made.append(f'ALTER INDEX "{name}" ALTER COLUMN {column} SET STATISTICS {statistics}')

    def __exit__(self, *_: object) -> None:
        with database.cursor() as cursor:
            for definition in self.made:
                cursor.execute(definition)
            cursor.execute("SET session_replication_role = DEFAULT")


def _long(world: World, at: datetime) -> None:
    """A ticket with two hundred events, and one with eight hundred messages."""
    ticket = tickets.open_ticket(title="Two hundred events", actor=world.actor, at=at)
    for number in range(199):
        if number % 3:
            tickets.edit_ticket(ticket=ticket, changes={"title": f"Version {number}"}, actor=world.actor, at=at)
        else:
            comments.comment(ticket=ticket, body=f"Step {number} is done.", actor=world.actor, at=at)
    tickets.edit_ticket(ticket=ticket, changes={"title": ticket.title}, actor=world.actor, at=at)
    ticket = tickets.open_ticket(title="Eight hundred messages", actor=world.actor, at=at)
    for number in range(800):
        comments.comment(ticket=ticket, body=f"Answer {number}: the cable was replaced.", actor=world.actor, at=at)


def _spread() -> None:
    """Requesters, services, teams and assignees for the open tickets; requesters for all."""
    people = list(Person.objects.filter(email__endswith="@bench.test").order_by("pk").values_list("pk", flat=True))
    teams = list(Team.objects.order_by("pk").values_list("pk", flat=True))
    agents = list(User.objects.filter(email__startswith="agent").order_by("pk").values_list("pk", flat=True))
    services = list(Service.objects.order_by("pk").values_list("pk", flat=True))
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE hub_ticket SET requester_id = (%s::bigint[])[1 + id %% %s], "
            "service_id = (%s::bigint[])[1 + id %% %s], "
            "team_id = CASE WHEN id %% 3 = 0 THEN (%s::bigint[])[1 + id %% %s] END, "
            "assignee_id = CASE WHEN id %% 5 = 0 THEN (%s::bigint[])[1 + id %% %s] END "
            "WHERE phase IN ('new', 'active', 'waiting')",
            [people, len(people), services, len(services), teams, len(teams), agents, len(agents)],
        )


def _late(at: datetime) -> None:
    """What the worker would have stored: the breaches of copies whose time is up."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE hub_clock SET is_breached = true, next_fire_at = NULL, breaches = jsonb_build_array() "
            "WHERE next_fire_at <= %s AND breach_at <= %s",
            [at, at],
        )
        cursor.execute("UPDATE hub_clock SET next_fire_at = breach_at WHERE next_fire_at <= %s", [at])
    fire_due_clocks(at)
