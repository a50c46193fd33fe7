"""Play the demo: one ticket travels live through the systems of five organisations and back.

manage.py demo            play it once, then keep everything running
manage.py demo --fresh    start over
manage.py demo --once     play it unattended, check the result, exit with status 0 or 1
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from connectors.engine import hooks
from connectors.engine.inbound import polling
from connectors.kit.errors import Unsupported
from connectors.models import Connection
from console.processes import Tree, wait_for, web_command
from fixtures.demo import cast, ending, population, seed, story, teamwork
from fixtures.demo.narrator import Narrator, StoryStumbled
from fixtures.demo.pace import MINUTES, STORY_SECONDS, Pace
from fixtures.demo.state import PORTS, State, alone, is_begun, is_somebody_elses
from fixtures.demo.systems import Where
from hub.models import Ticket

TICKETS = 400
START_SECONDS = 180
PROGRESS_SECONDS = 2
TURN_EVERY, TURN_SECONDS = 5, 0.12
"""A pause after every few tickets: SQLite has one writer, and waiting writers retry only every tenth of a second."""
SETTINGS = {
    "TICKETHUB_URL": "PUBLIC_URL",
    "TICKETHUB_MAIL_URL": "MAIL_URL",
    "TICKETHUB_MAIL_FROM": "MAIL_FROM",
    "TICKETHUB_TIME_LAPSE": "TIME_LAPSE",
}
"""Environment variables that the demo sets for its child processes, and their settings in this process."""


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fresh", action="store_true", help="delete all demo data and start over")
        parser.add_argument("--once", action="store_true", help="play the demo, check the result and exit")
        parser.add_argument("--tickets", type=int, default=TICKETS, help="number of other tickets to create")
        for name, (usual, what, _word) in PORTS.items():
            flag = {"web": "--port", "vendors": "--vendor-port"}.get(name, f"--{name}-port")
            parser.add_argument(flag, dest=name, type=int, help=f"port of the {what} (default: {usual})")

    def handle(self, *_args: Any, **options: Any) -> None:
        # Connectors log errors until the servers have started; they would disturb the output of the demo.
        logging.getLogger("connectors").setLevel(logging.ERROR)
        state = State(settings.VAR)
        lock = alone(settings.VAR)  # held until this process ends
        if options["fresh"] or options["once"]:
            state.forget()
        elif is_begun() and not state.is_told:
            self.stdout.write("The last run was stopped before its end. Starting over.")
            state.forget()
        ports = state.ports({name: options[name] for name in PORTS}, self.stdout.write)
        if is_somebody_elses():
            raise CommandError("This database belongs to a real organisation. The demo needs a database of its own.")
        tree = Tree(self.stdout.write)
        tree.stop_on_signals()
        failed = False
        try:
            failed = not self._run(tree, state, ports, options)
        except KeyboardInterrupt:
            self.stdout.write("")
        finally:
            self.stdout.write("Stopping …")
            tree.stop()
            lock.close()
        if failed:
            sys.exit(1)

    def _run(self, tree: Tree, state: State, ports: Mapping[str, int], options: dict[str, Any]) -> bool:
        where = Where(base=f"http://127.0.0.1:{ports['vendors']}", imap=ports["imap"], smtp=ports["smtp"])
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=MINUTES)
        # Once the demo has been played, its clock is the system time.
        pace = None if state.is_told else Pace(state.lapse_path, start=start)
        self._use(ports, where, state)
        self.stdout.write("Preparing the database, the organisations and their people …")
        # The web server starts while the database is migrated.
        tree.start("web server", web_command("127.0.0.1", ports["web"]))
        call_command("migrate", verbosity=0)
        is_new = not is_begun()
        if is_new:
            seed.house()
        else:
            seed.move_simulators(where)
        if not self._answers(ports["web"]):
            return False
        self._welcome(ports)
        chosen = [f"--{name}={ports[key]}" for name, key in (("port", "vendors"), ("imap", "imap"), ("smtp", "smtp"))]
        tree.manage("simulated vendors", "simulate_vendors", *chosen)
        if is_new:
            self._set_stage(tree, where, start, options["tickets"])
        if not self._answers(ports["vendors"]):
            return False
        begins = timezone.now()
        for connection in Connection.objects.filter(state=Connection.State.ACTIVE):
            polling.begin(connection)
            with suppress(Unsupported):  # vendors without webhooks are polled
                hooks.register(connection, hub_url=settings.PUBLIC_URL)
        tree.manage("worker", "work")
        if pace is None:
            self.stdout.write(
                "The demo has already been played. Run make demo FRESH=1 to play it again. Press Ctrl-C to stop."
            )
            tree.watch()
            return True
        return self._tell(tree, state, pace, where, begins, options["once"])

    def _use(self, ports: Mapping[str, int], where: Where, state: State) -> None:
        """Apply the settings of the demo to this process and to its children."""
        env = {
            "TICKETHUB_URL": f"http://127.0.0.1:{ports['web']}",
            "TICKETHUB_MAIL_URL": f"smtp://127.0.0.1:{where.smtp}?tls=none",
            "TICKETHUB_MAIL_FROM": "Northwind IT <it@northwind.example>",
            "TICKETHUB_TIME_LAPSE": str(state.lapse_path),
        }
        for name, value in env.items():
            setattr(settings, SETTINGS[name], value)
        settings.EGRESS_ALLOW = where.egress
        os.environ.update(env, TICKETHUB_EGRESS_ALLOW=",".join(where.egress), TICKETHUB_VAR=str(settings.VAR))

    def _answers(self, port: int) -> bool:
        if wait_for("127.0.0.1", port, seconds=START_SECONDS):
            return True
        self.stderr.write(f"Port {port} is not responding after {START_SECONDS} seconds; see the messages above.")
        return False

    def _set_stage(self, tree: Tree, where: Where, start: datetime, count: int) -> None:
        """Create the past tickets and the connections while the console is already running."""
        said = time.monotonic()
        for done in population.populate(until=start, count=count):
            tree.revive()
            if done % TURN_EVERY == 0:
                time.sleep(TURN_SECONDS)
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                self.stdout.write(f"Creating past tickets: {done} of {count} …")
        teamwork.distribute(at=start)
        seed.connections(at=start, where=where)

    def _tell(self, tree: Tree, state: State, pace: Pace, where: Where, begins: datetime, is_once: bool) -> bool:
        narrator = Narrator(
            base=where.base, web=settings.PUBLIC_URL, pace=pace, say=self.stdout.write, tick=tree.revive
        )
        began = time.monotonic()
        wrong: list[str] = []
        try:
            narrator.until("The first poll of every vendor", _all_read(since=begins))
            began = time.monotonic()
            self.stdout.write(f"The story ({MINUTES // 60} hours in about {STORY_SECONDS} seconds; times in UTC):")
            ticket = story.play(narrator)
            wrong = list(ending.faults(narrator))
        except StoryStumbled as error:
            self.stderr.write(f"The demo got stuck: {error}")
            pace.allow(None)
            state.write(told="stumbled")
            if is_once:
                return False
            self.stdout.write("The console keeps running with the tickets so far. Run make demo FRESH=1 to start over.")
        else:
            state.write(told=ticket.public_id)
            for line in wrong:
                self.stderr.write(f"  unexpected: {line}")
            self._summary(ticket, time.monotonic() - began, wrong)
        if is_once:
            return not wrong
        self.stdout.write("Everything keeps running, so you can look around. Press Ctrl-C to stop.")
        tree.watch()
        return True

    def _welcome(self, ports: Mapping[str, int]) -> None:
        web, vendors = ports["web"], ports["vendors"]
        self.stdout.write("")
        self.stdout.write(f"  Console      http://127.0.0.1:{web}/")
        self.stdout.write(f"  Admin        http://127.0.0.1:{web}/admin/")
        self.stdout.write(f"  Vendors      http://127.0.0.1:{vendors}/ (simulated Autotask, ConnectWise and Redmine)")
        self.stdout.write(
            f"  Mail         IMAP {ports['imap']}, SMTP {ports['smtp']} on 127.0.0.1 (a simulated mail provider)"
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
        self.stdout.write(f"{ticket.label} is {ticket.get_phase_display()}. Time by organisation:")
        for who, spent in sorted(sums.items(), key=lambda pair: -pair[1]):
            self.stdout.write(f"  {who:<24} {spent // 3600:>2} h {spent % 3600 // 60:02} m {spent % 60:02} s")
        closed = segments[-1].from_at - ticket.opened_at
        self.stdout.write(f"  {'total':<24} {sum(sums.values())} s of {int(closed.total_seconds())} s")
        verdict = "is not as expected, see above" if wrong else "is correct: all links are in sync, history verified"
        self.stdout.write(f"The result after {seconds:.0f} seconds {verdict}.")


def _all_read(*, since: datetime) -> Callable[[], bool]:
    """Whether every vendor was polled. Starting is slow, and a minute of the story is an eighth of a second."""
    unread = Connection.objects.filter(state=Connection.State.ACTIVE).exclude(last_in_at__gte=since)
    return lambda: not unread.all().exists()
