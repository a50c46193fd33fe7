"""A PostgreSQL cluster and a PgBouncer of one's own, which can be restarted and are gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

HOW = "PostgreSQL's server: apt-get install postgresql"


def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, of the newest version installed; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _account() -> Mapping[str, str]:
    """Neither server runs as root."""
    if os.getuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    return {"user": name, "group": pwd.getpwnam(name).pw_gid}  # type: ignore[dict-item]


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd="/", **_account())  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr or done.stdout}")


@contextmanager
def _own_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tickethub-pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        own = folder / "own"
        own.mkdir(mode=0o700)
        if account := _account():
            shutil.chown(own, account["user"], account["group"])
        yield own


@dataclass
class Cluster:
    """A running cluster; every user is trusted on loopback."""

    folder: Path
    port: int
    settings: tuple[str, ...] = ()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """A new database; returns its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as session:
            session.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def start(self) -> None:
        own = "".join(f" -c {setting}" for setting in self.settings)
        self._ctl("start", "-o", f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1{own}", "-l", "log")

    def stop(self, *, mode: str = "fast") -> None:
        """`immediate` aborts all sessions without a word, as in a crash."""
        self._ctl("stop", "-m", mode)

    def _ctl(self, act: str, *more: str) -> None:
        bin_ = binaries()
        assert bin_ is not None
        arguments = [str(self.folder / part) if part == "log" else part for part in more]
        _run(bin_ / "pg_ctl", "-D", self.folder / "data", "-w", act, *arguments)


FAST = ("fsync=off", "autovacuum=off", "shared_buffers=1GB", "max_wal_size=16GB", "work_mem=16MB", "jit=off",
        "max_parallel_workers_per_gather=0")  # fmt: skip
"""For millions of rows that may be lost, and for CPU that is to be counted in one process."""


@contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A new cluster in a temporary folder, with these settings. Raises RuntimeError if PostgreSQL is not installed."""
    bin_ = binaries()
    if bin_ is None:
        raise RuntimeError(HOW)
    with _own_folder() as folder:
        _run(bin_ / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        made = Cluster(folder, free_port(), settings)
        made.start()
        try:
            yield made
        finally:
            made.stop(mode="immediate")


@contextmanager
def pgbouncer(target: Cluster, database: str, *, sessions: int = 2) -> Iterator[str]:
    """The URL of a PgBouncer in transaction mode, in front of one database."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    port = free_port()
    with _own_folder() as folder:
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n{database} = host=127.0.0.1 port={target.port} dbname={database} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {sessions}\nmin_pool_size = {sessions}\nunix_socket_dir =\nlogfile = {folder}/log\n"
        )
        config.chmod(0o644)
        process = subprocess.Popen(  # type: ignore[call-overload]
            [program, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_account()
        )
        try:
            _answers(port)
            yield f"postgresql://anyone@127.0.0.1:{port}/{database}"
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> None:
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.1):
                return
        except OSError:
            subprocess.run(["sleep", "0.05"], check=True)
    raise RuntimeError("PgBouncer does not answer.")
