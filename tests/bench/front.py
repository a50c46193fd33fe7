"""Pages while 200 slow clients keep connections open, compared with none. A page may take less than twice the time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests
from django.conf import settings

from console.processes import free_port, wait_for, web_command
from tests.bench.__main__ import Measured, measure

SLOW, PAGES, ROUNDS = 200, 25, 15
BEGUN = (
    b"POST /log-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 5000\r\n\r\nusername="
)


@contextmanager
def _server() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as var:
        port = free_port(18_100)
        env = {**os.environ, "TICKETHUB_VAR": var, "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "hub.settings"}
        where = Path(settings.BASE_DIR)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=where, env=env, check=True)
        server = subprocess.Popen(web_command("127.0.0.1", port), cwd=where, env=env)
        try:
            if not wait_for("127.0.0.1", port):
                raise RuntimeError("The web server did not start.")
            yield port
        finally:
            server.terminate()
            server.wait()


def entry() -> Measured:
    with _server() as port, ExitStack() as lines:
        session = requests.Session()

        def pages() -> int:
            for _ in range(PAGES):
                session.get(f"http://127.0.0.1:{port}/password/", timeout=60).raise_for_status()
            return PAGES

        def alone() -> int:
            lines.close()  # the slow clients of this round
            return pages()

        def hold() -> None:
            for _ in range(SLOW):
                line = lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                line.sendall(BEGUN)

        pages()
        return measure(
            f"a page with {SLOW} slow clients (goal: under 2 times)",
            pages,
            "without slow clients",
            alone,
            before=hold,
            rounds=ROUNDS,
        )
