"""A running Icinga 2 of Debian's package, on loopback, with one host and one service that report what they are told."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.conftest import need

CONFIG = """
include <itl>
const NodeName = "localhost"
object Endpoint NodeName {{}}
object Zone "master" {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{}}
object ApiListener "api" {{ bind_host = "127.0.0.1"; bind_port = {port} }}
object ApiUser "hub" {{ password = "s3cret"; permissions = [ "actions/acknowledge-problem" ] }}
object ApiUser "poor" {{ password = "s3cret"; permissions = [ "objects/query/Host" ] }}
object ApiUser "root" {{ password = "root"; permissions = [ "*" ] }}
object CheckCommand "nothing" {{ command = [ "/bin/true" ] }}
object Host "files-03" {{ check_command = "nothing"; enable_active_checks = false }}
object Service "load" {{ host_name = "files-03"; check_command = "nothing"; enable_active_checks = false }}
"""
FOLDERS = ("etc", "lib/certs", "lib/ca", "cache", "run", "log", "spool")
SECONDS = 30.0


@dataclass(frozen=True)
class Running:
    """Where it answers, and what it is told."""

    address: str
    authority: str
    """The certificate of its own authority, in PEM."""
    authority_path: Path

    def report(self, service: str, status: int) -> None:
        """The next result of a check."""
        told = {"type": "Service", "service": f"files-03!{service}", "exit_status": status, "plugin_output": "x"}
        self._call("POST", "actions/process-check-result", told)

    def comments(self) -> list[tuple[str, str]]:
        found = self._call("GET", "objects/comments")["results"]
        return [(each["attrs"]["author"], each["attrs"]["text"]) for each in found]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method,
            f"{self.address}/v1/{path}",
            json=body,
            auth=("root", "root"),
            verify=str(self.authority_path),
            headers={"Accept": "application/json"},
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Start one, and end it; skips where Icinga 2 is not installed."""
    icinga = shutil.which("icinga2")
    need(icinga, "Icinga 2: apt-get install icinga2-bin icinga2-common")
    assert icinga is not None
    for each in FOLDERS:
        (folder / each).mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "etc" / "icinga2.conf"
    config.write_text(CONFIG.format(port=port))
    options = _options(folder)
    certs = folder / "lib" / "certs"
    _ask(icinga, "pki", "new-ca", *options)
    _ask(
        icinga,
        "pki",
        "new-cert",
        "--cn",
        "localhost",
        "--key",
        str(certs / "localhost.key"),
        "--csr",
        str(certs / "localhost.csr"),
        *options,
    )
    _ask(
        icinga,
        "pki",
        "sign-csr",
        "--csr",
        str(certs / "localhost.csr"),
        "--cert",
        str(certs / "localhost.crt"),
        *options,
    )
    authority = folder / "lib" / "ca" / "ca.crt"
    shutil.copy(authority, certs / "ca.crt")
    process = subprocess.Popen(
        [icinga, "daemon", "-c", str(config), *options, "-x", "critical"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port)
        yield Running(f"https://localhost:{port}", authority.read_text(), authority)
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # on a busy machine; nobody needs it to end cleanly
            os.killpg(process.pid, 9)
            process.wait()


def _options(folder: Path) -> list[str]:
    named = {
        "DataDir": folder / "lib",
        "CacheDir": folder / "cache",
        "InitRunDir": folder / "run",
        "LogDir": folder / "log",
        "SpoolDir": folder / "spool",
        "RunAsUser": getpass.getuser(),
        "RunAsGroup": grp.getgrgid(os.getgid()).gr_name,
    }
    return [part for name, value in named.items() for part in ("-D", f"{name}={value}")]


def _ask(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"Icinga 2 did not answer on port {port}")
