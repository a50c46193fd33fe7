"""Run the vendors of the demonstration: simulated Autotask tenants on a loopback port."""

from __future__ import annotations

import signal
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connectors.autotask.simulator import QuietServer, Simulator
from fixtures.demo import cast
from hub.clock import now


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        folder = settings.VAR / "simulators"
        folder.mkdir(parents=True, exist_ok=True)
        server = QuietServer(("127.0.0.1", options["port"]), _Silent)
        server.set_app(
            Simulator(
                [vendor.tenant() for vendor in cast.VENDORS],
                base=f"http://127.0.0.1:{options['port']}",
                now=now,
                path=folder / "autotask.json",
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
        server.server_close()
