"""Tell the story: one ticket through five organisations' own systems and back, live.

manage.py demo            play it once, then keep everything running
manage.py demo --fresh    start over
manage.py demo --once     play it without a console, check its end, exit 0 or 1
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections
from django.db import connection as database_connection
from django.db.models import Max
from django.utils import timezone

from connectors.engine import hooks, polling
from connectors.kit.errors import Unsupported
from connectors.models import Connection
from console.processes import Tree, free_port, wait_for, web_command
from fixtures.demo import cast, seed, story
from fixtures.demo.systems import Where
from hub.clock import TimeLapse
from hub.models import Event, Organisation, Ticket

TICKETS = 400
STORY_SECONDS = 44
READY_SECONDS = 60
PORTS = (
    ("vendors", 8801, "simulated vendors"), ("web", 8000, "console"), ("imap", 8802, "simulated mailboxes"),
    ("smtp", 8803, "simulated post"),
)  # fmt: skip


def _alone(var: Path) -> IO[str]:
    """The lock on the story's data; CommandError where another demonstration holds it: both would write one story."""
    var.mkdir(parents=True, exist_ok=True)
    file = (var / "demo.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise CommandError(
            f"The demonstration runs already (process {file.read().strip() or 'unknown'}) on the data in {var}: stop "
            "it first, or name another folder with TICKETHUB_VAR."
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fresh", action="store_true", help="forget everything and start over")
        parser.add_argument("--once", action="store_true", help="play, check, exit")
        parser.add_argument("--tickets", type=int, default=TICKETS, help="how many other tickets there are")

    def handle(self, *_args: Any, **options: Any) -> None:
        # Before the servers answer a connector may say so; the story is told here, not the log.
        logging.getLogger("connectors").setLevel(logging.ERROR)
        state = _State(settings.VAR)
        lock = _alone(settings.VAR)  # held until this process ends, however it ends
        if options["fresh"] or options["once"]:
            state.forget()
        call_command("migrate", verbosity=0)
        if _is_somebody_elses():
            raise CommandError("This database is in use by a real organisation; the story needs one of its own.")
        tree = Tree(self.stdout.write)
        tree.stop_on_signals()
        failed = False
        try:
            failed = not self._run(tree, state, options)
        except KeyboardInterrupt:
            self.stdout.write("")
        finally:
            self.stdout.write("Stopping …")
            tree.stop()
            lock.close()
        if failed:
            sys.exit(1)

    def _run(self, tree: Tree, state: _State, options: dict[str, Any]) -> bool:
        ports = state.ports(self.stdout.write)
        web = ports["web"]
        where = Where(base=f"http://127.0.0.1:{ports['vendors']}", imap=ports["imap"], smtp=ports["smtp"])
        is_new = not Organisation.objects.filter(is_us=True).exists()
        start = _story_start()
        if is_new:
            self.stdout.write(
                f"Setting the stage: organisations, contracts, {options['tickets']} tickets of the past …"
            )
            seed.seed(at=start, where=where, tickets=options["tickets"])
        else:
            seed.move_simulators(where)
        is_told = state.is_told
        lapse = state.lapse(start)
        env = {
            "TICKETHUB_EGRESS_ALLOW": ",".join(where.egress),
            "TICKETHUB_URL": f"http://127.0.0.1:{web}",
            "TICKETHUB_MAIL_URL": f"smtp://127.0.0.1:{where.smtp}?tls=none",
            "TICKETHUB_MAIL_FROM": "Northwind IT <it@northwind.example>",
            "TICKETHUB_TIME_LAPSE": str(state.lapse_path),
            "TICKETHUB_VAR": str(settings.VAR),
        }
        os.environ.update(env)
        settings.EGRESS_ALLOW, settings.TIME_LAPSE = where.egress, str(state.lapse_path)
        told = [f"--{name}={ports[key]}" for name, key in (("port", "vendors"), ("imap", "imap"), ("smtp", "smtp"))]
        tree.manage("simulated vendors", "simulate_vendors", *told)
        tree.start("web server", web_command("127.0.0.1", web))
        if not wait_for("127.0.0.1", ports["vendors"]) or not wait_for("127.0.0.1", web):
            self.stderr.write("The servers did not start; see the messages above.")
            return False
        for connection in Connection.objects.filter(state=Connection.State.ACTIVE):
            polling.begin(connection)
            with suppress(Unsupported):  # who cannot call us is polled
                hooks.register(connection, hub_url=f"http://127.0.0.1:{web}")
        begins = timezone.now()
        tree.manage("worker", "work")
        self._welcome(ports)
        if is_told and not options["once"]:
            self.stdout.write("The story was told already; make demo FRESH=1 tells it again. Ctrl-C stops all.")
            tree.watch()
            return True
        if not _is_read(since=begins, tick=tree.revive):
            self.stderr.write(f"The worker does not read the vendors after {READY_SECONDS} s; see the messages above.")
            return False
        return self._tell(tree, state, lapse, where, options["once"])

    def _tell(self, tree: Tree, state: _State, lapse: TimeLapse, where: Where, is_once: bool) -> bool:
        began = time.monotonic()
        lapse = state.begin(lapse)
        self.stdout.write(f"The story ({story.MINUTES // 60} hours in {STORY_SECONDS} seconds, UTC):")
        narrator = story.Narrator(
            base=where.base,
            web=f"http://127.0.0.1:{state.read()['web']}",
            lapse=lapse,
            say=self.stdout.write,
            tick=tree.revive,
        )
        try:
            ticket = story.play(narrator)
        except story.StoryBroke as error:
            self.stderr.write(f"The story broke: {error}")
            return False
        state.told(ticket)
        wrong = list(story.faults(narrator))
        for line in wrong:
            self.stderr.write(f"  not as it should be: {line}")
        self._summary(ticket, time.monotonic() - began, wrong)
        if is_once:
            return not wrong
        self.stdout.write("Everything keeps running; look around. Ctrl-C stops everything.")
        tree.watch()
        return True

    def _welcome(self, ports: Mapping[str, int]) -> None:
        web, vendors = ports["web"], ports["vendors"]
        self.stdout.write("")
        self.stdout.write(f"  Console      http://127.0.0.1:{web}/")
        self.stdout.write(f"  Admin        http://127.0.0.1:{web}/admin/")
        self.stdout.write(f"  Vendors      http://127.0.0.1:{vendors}/ (simulated Autotask, ConnectWise and Redmine)")
        self.stdout.write(
            f"  Mail         IMAP {ports['imap']}, SMTP {ports['smtp']} on 127.0.0.1 (a simulated mail house)"
        )
        for email, _name, role, _staff in cast.PEOPLE:
            self.stdout.write(f"  {role:<12} {email} / {cast.PASSWORD}")
        self.stdout.write("")

    def _summary(self, ticket: Ticket, seconds: float, wrong: list[str]) -> None:
        segments = list(ticket.ledger.select_related("holder", "charged_to").order_by("from_at"))
        sums: dict[str, int] = {}
        for segment in segments:
            if segment.until_at is not None:
                who = segment.charged_to.name if segment.charged_to else segment.get_charge_display()
                sums[who] = sums.get(who, 0) + int((segment.until_at - segment.from_at).total_seconds())
        self.stdout.write("")
        self.stdout.write(f"{ticket.label} is {ticket.get_phase_display()}. Where its time went:")
        for who, spent in sorted(sums.items(), key=lambda pair: -pair[1]):
            self.stdout.write(f"  {who:<24} {spent // 3600:>2} h {spent % 3600 // 60:02} m {spent % 60:02} s")
        closed = segments[-1].from_at - ticket.opened_at
        self.stdout.write(f"  {'sum':<24} {sum(sums.values())} s of {int(closed.total_seconds())} s")
        verdict = "differs, see above" if wrong else "is right: both sides of every link equal, history verified"
        self.stdout.write(f"After {seconds:.0f} seconds the end {verdict}.")


def _is_read(*, since: datetime, tick: Callable[[], object]) -> bool:
    """Whether every vendor was asked for news: a minute of the story is an eighth of a second, and starting is slow."""
    live = Connection.objects.filter(state=Connection.State.ACTIVE)
    until = time.monotonic() + READY_SECONDS
    while live.exclude(last_in_at__gte=since).exists():
        if time.monotonic() > until:
            return False
        tick()
        time.sleep(0.1)
    return True


def _story_start() -> datetime:
    """Six hours ago, but never before something that is recorded already."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=story.MINUTES)
    newest = Event.objects.aggregate(newest=Max("recorded_at"))["newest"]
    return max(start, newest + timedelta(seconds=1)) if newest else start


def _is_somebody_elses() -> bool:
    try:
        return Organisation.objects.filter(is_us=True).exclude(name=cast.US).exists()
    except DatabaseError:
        return False


class _State:
    """What a second run has to know: ports, the time lapse, whether the story was told."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.path = var / "demo.json"
        self.lapse_path = var / "time-lapse.json"

    def forget(self) -> None:
        """Start over; a database with another organisation in it is not the demonstration's to empty."""
        if _is_somebody_elses():
            raise CommandError(
                "This database holds an organisation that is not the story's; "
                "name another with DATABASE_URL or TICKETHUB_VAR."
            )
        connections.close_all()
        database = settings.DATABASES["default"]
        if database["ENGINE"].endswith("sqlite3"):
            for path in Path(str(database["NAME"])).parent.glob(f"{Path(str(database['NAME'])).name}*"):
                path.unlink()
        else:
            with database_connection.cursor() as cursor:
                cursor.execute("SET hub.allow_truncate = 'on'")
            call_command("flush", interactive=False, verbosity=0)
        for path in (self.path, self.lapse_path):
            path.unlink(missing_ok=True)
        for folder in ("simulators", "files"):
            shutil.rmtree(self.var / folder, ignore_errors=True)

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def write(self, **changes: Any) -> None:
        self.path.write_text(json.dumps(self.read() | changes))

    @property
    def is_told(self) -> bool:
        return bool(self.read().get("told"))

    def told(self, ticket: Ticket) -> None:
        self.write(told=ticket.public_id)

    def ports(self, say: Any) -> dict[str, int]:
        """The ports of last time where they are free, else the next free ones."""
        known = self.read()
        found: dict[str, int] = {}
        for name, default, what in PORTS:
            wanted = known.get(name, default)
            port = free_port(wanted, taken=frozenset(found.values()))
            if port != wanted:
                say(f"Port {wanted} is in use; the {what} take {port}.")
            found[name] = port
        self.write(**found)
        return found

    def lapse(self, start: datetime) -> TimeLapse:
        """The time lapse of the story; while it waits to begin, its clock stands at the start."""
        if self.is_told and self.lapse_path.exists():
            return TimeLapse.read(self.lapse_path)
        # Real time far ahead: until the story begins the clock stands (almost) still.
        far = time.time() + 10_000_000
        lapse = TimeLapse(real_start=far, real_end=far + STORY_SECONDS, story_start=start.timestamp())
        lapse.write(self.lapse_path)
        return lapse

    def begin(self, lapse: TimeLapse) -> TimeLapse:
        """The story begins now: every process reads the clock anew."""
        began = TimeLapse(real_start=time.time(), real_end=time.time() + STORY_SECONDS, story_start=lapse.story_start)
        began.write(self.lapse_path)
        return began
