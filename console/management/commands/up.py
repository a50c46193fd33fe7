"""Run the hub in the foreground: web server and worker in one process tree. Ctrl-C stops both."""

from __future__ import annotations

import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from console.processes import Tree, free_port, wait_for, web_command
from hub.models import Organisation


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        host = options["host"]
        port = free_port(options["port"], host=host)
        if port != options["port"]:
            self.stdout.write(f"Port {options['port']} is in use. Using port {port}.")
        os.environ.setdefault("TICKETHUB_URL", f"http://{host}:{port}")  # for links in e-mails and notices
        tree = Tree(self.stdout.write)
        tree.stop_on_signals()
        try:
            tree.start("web server", web_command(host, port))
            tree.manage("worker", "work")
            wait_for(host, port)
            self.stdout.write(f"Ticket Hub: http://{host}:{port}/")
            if not Organisation.objects.filter(is_us=True).exists():
                self.stdout.write("Open this address to enter your organisation and create the first administrator.")
            self.stdout.write("Press Ctrl-C to stop.")
            tree.watch()
        except KeyboardInterrupt:
            pass
        finally:
            self.stdout.write("Stopping …")
            tree.stop()
