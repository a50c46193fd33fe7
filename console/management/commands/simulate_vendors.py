"""Run the vendors of the demonstration: simulated Autotask and ConnectWise tenants on one loopback port."""

from __future__ import annotations

import signal
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connectors.autotask.simulator import Simulator as AutotaskSimulator
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.kit.simulating import QuietServer
from fixtures.demo import cast
from hub.clock import now

KINDS: dict[str, Any] = {"autotask": AutotaskSimulator, "connectwise": ConnectWiseSimulator}


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
        base = f"http://127.0.0.1:{options['port']}"
        tenants = {kind: [v.tenant() for v in cast.VENDORS if v.system.connector == kind] for kind in KINDS}
        simulators = [
            KINDS[kind](tenants[kind], base=base, now=now, path=folder / f"{kind}.json") for kind in sorted(KINDS)
        ]
        server.set_app(_both(*simulators))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
        server.server_close()


def _both(autotask: AutotaskSimulator, connectwise: ConnectWiseSimulator) -> Any:
    """One port for both: the path says whose API it is, or which tenant's people act."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        parts = environ["PATH_INFO"].strip("/").split("/")
        is_autotask = parts[0].lower() == "atservicesrest" or (parts[0] == "_people" and parts[1] in autotask.tenants)
        return (autotask if is_autotask else connectwise)(environ, start_response)

    return application
