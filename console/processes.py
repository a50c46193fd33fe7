"""A process tree in the foreground: one Ctrl-C stops all processes, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from django.conf import settings

from hub.core.child_process import TIED, tie_to_parent

MANAGE = str(Path(settings.BASE_DIR) / "manage.py")
GRACE_SECONDS = 8.0


class Tree:
    """Named child processes. A child that ends by itself is restarted, at most once a second."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say = say
        self.commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.is_stopping = False

    def start(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        self.commands[name] = (command, {**os.environ, TIED: "1", **(env or {})})
        self._spawn(name)

    def manage(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """Start a management command as a child."""
        self.start(name, [sys.executable, MANAGE, *arguments], env)

    def _spawn(self, name: str) -> None:
        command, env = self.commands[name]
        # In its own process group, so that Ctrl-C reaches only the parent, which stops the children in order.
        self.children[name] = subprocess.Popen(
            command, env=env, cwd=settings.BASE_DIR, preexec_fn=tie_to_parent, process_group=0
        )

    def watch(self, *, seconds: float | None = None) -> None:
        """Keep the children running until a signal stops the tree, or for so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.is_stopping and (until is None or time.monotonic() < until):
            self.revive()
            time.sleep(0.2)

    def revive(self) -> None:
        """Restart every child that has ended by itself."""
        for name, child in list(self.children.items()):
            if child.poll() is not None and not self.is_stopping:
                self.say(f"{name} ended with status {child.returncode} and is restarted.")
                time.sleep(1)
                self._spawn(name)

    def stop(self) -> None:
        """Send SIGINT to every child, and SIGKILL to those that do not end in time."""
        self.is_stopping = True
        for child in reversed(list(self.children.values())):
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        until = time.monotonic() + GRACE_SECONDS
        for child in self.children.values():
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def stop_on_signals(self) -> None:
        def handle(_number: int, _frame: object) -> None:
            self.is_stopping = True
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, handle)


def free_port(wanted: int, *, host: str = "127.0.0.1", taken: frozenset[int] = frozenset()) -> int:
    """The wanted port, or the next free one. Raises OSError if none of the next 200 is free."""
    for port in range(wanted, wanted + 200):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"No free port between {wanted} and {wanted + 199}.")


def web_command(host: str, port: int) -> list[str]:
    """The command of the web server: one process, whose event loop reads bodies and whose threads run requests."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        "1",
        "--backlog",
        "8192",
        "--backpressure",
        "4096",
        "--no-ws",
        "--log-level",
        "warning",
        "--http1-header-read-timeout",
        "10000",
        "--respawn-failed-workers",
        "--respawn-interval",
        "1",
        "hub.asgi:application",
    ]


def is_answering(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def wait_for(host: str, port: int, *, seconds: float = 30) -> bool:
    """Whether the port accepts connections within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_answering(host, port):
            return True
        time.sleep(0.1)
    return False
