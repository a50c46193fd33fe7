"""Run the demo's simulated vendors on loopback: Autotask and ConnectWise tenants, a Redmine and a mail provider."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connectors.autotask.simulator import Simulator as AutotaskSimulator
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.email.simulator import Simulator as MailSimulator
from connectors.kit.simulating import QuietServer, Simulator
from connectors.rest.simulator import Simulator as RedmineSimulator
from fixtures.demo import cast
from hub.core.clock import now

KINDS: dict[str, Any] = {
    "autotask": AutotaskSimulator,
    "connectwise": ConnectWiseSimulator,
    "rest:redmine": RedmineSimulator,
    "email": MailSimulator,
}


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--imap", type=int, default=0)
        parser.add_argument("--smtp", type=int, default=0)

    def handle(self, *_args: Any, **options: Any) -> None:
        folder = settings.VAR / "simulators"
        folder.mkdir(parents=True, exist_ok=True)
        server = QuietServer(("127.0.0.1", options["port"]), _Silent)
        base = f"http://127.0.0.1:{options['port']}"
        tenants = {kind: [v.tenant() for v in cast.VENDORS if v.system.connector == kind] for kind in KINDS}
        apps = {
            kind: KINDS[kind](tenants[kind], base=base, now=now, path=folder / f"{kind.replace(':', '-')}.json")
            for kind in sorted(KINDS)
        }
        server.set_app(_together(apps))
        for vendor in cast.VENDORS:
            if not vendor.has_system:  # a vendor without a system has a mailbox, too
                apps["email"].tenants.setdefault(vendor.domain, vendor.tenant())
        apps["email"].open(imap=options["imap"], smtp=options["smtp"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
        server.server_close()
        apps["email"].close()


def _together(apps: Mapping[str, Simulator[Any]]) -> Any:
    """One port for all simulators: the path tells whose API is called, or which tenant's people act."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        parts = environ["PATH_INFO"].strip("/").split("/")
        named = parts[1] if parts[0] == "_people" and len(parts) > 1 else parts[0]
        mine = next((app for app in apps.values() if named in app.tenants), None)
        if mine is None:
            mine = apps["autotask" if named.lower() == "atservicesrest" else "connectwise"]
        return mine(environ, start_response)

    return application
