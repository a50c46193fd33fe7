"""Starting and stopping for real: one process tree, one signal, sentences instead of tracebacks."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The database cannot be used: "),
        ({"DATABASE_URL": "what is this"}, "Wrong setting: DATABASE_URL"),
        ({"DATABASE_URL": "mysql://a@b/c"}, "Wrong setting: DATABASE_URL names an unsupported database"),
        ({"TICKETHUB_HOOK_BODY_LIMIT": "lots"}, "Wrong setting: TICKETHUB_HOOK_BODY_LIMIT is 'lots'"),
        ({"TICKETHUB_DEBUG": "maybe"}, "Wrong setting: TICKETHUB_DEBUG is 'maybe'; write 1 or 0."),
    ],
)
@pytest.mark.parametrize("command", ["up", "work", "verify_ledger"])
def test_what_is_wrong_is_one_sentence(tmp_path: Path, command: str, env: dict[str, str], said: str) -> None:
    done = manage(command, TICKETHUB_VAR=str(tmp_path), **env)

    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "couldn't get a connection" not in done.stderr  # the pool's words, which say nothing


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    for _ in range(2):
        manage("check", TICKETHUB_VAR=str(tmp_path), TICKETHUB_SECRET_KEY="", TICKETHUB_SEAL_KEYS="")
    keys = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}

    assert keys == {"secret": 0o600, "seal": 0o600}


@pytest.mark.usefixtures("own_database")
def test_the_hub_starts_beside_a_port_in_use_and_stops_with_everything(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tree, said = _up(tmp_path, port)
        url = re.search(r"http://\S+", said)
        assert url is not None
        assert f"Port {port} is in use. Using port " in said
        with urllib.request.urlopen(url[0], timeout=10) as page:
            assert "Welcome to Ticket Hub" in page.read().decode()
        children = _children(tree.pid)
        assert len(children) >= 2
        tree.send_signal(signal.SIGTERM)
        tree.communicate(timeout=20)

    assert [pid for pid in children if _is_alive(pid)] == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url[0], timeout=2)


@pytest.mark.usefixtures("own_database")
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the kernel ends the children there")
@pytest.mark.parametrize("killed", ["hub", "web server"])
def test_nothing_outlives_what_was_killed(tmp_path: Path, killed: str) -> None:
    tree, _said = _up(tmp_path, 8000)
    web = next(pid for pid in _children(tree.pid) if "granian" in Path(f"/proc/{pid}/cmdline").read_text())
    below = {tree.pid: _descendants(tree.pid), web: _descendants(web)}
    victim = tree.pid if killed == "hub" else web
    assert below[victim]
    watched = [os.pidfd_open(pid) for pid in below[victim]]
    os.kill(victim, signal.SIGKILL)
    try:
        waiting = set(watched)
        while waiting:
            ended, _, _ = select.select(list(waiting), [], [], 15)
            assert ended, "something outlived the process that was killed"
            waiting -= set(ended)
    finally:
        tree.send_signal(signal.SIGTERM)
        tree.communicate(timeout=20)


def _up(var: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    """The hub, started in the foreground, and what it said until it was up."""
    tree = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "up", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "TICKETHUB_VAR": str(var), "DATABASE_URL": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tree.stdout is not None
    said = []
    for line in tree.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    return tree, "".join(said)


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]


def _children(pid: int) -> list[int]:
    return [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_second_demonstration_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """It would empty the database under the first; a lock of a process that is gone holds nobody up."""
    with (tmp_path / "demo.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        refused = manage("demo", "--fresh", TICKETHUB_VAR=str(tmp_path))

    assert refused.returncode == 1
    assert "The demo is already running (process 4711)" in refused.stderr
    assert "TICKETHUB_VAR" in refused.stderr
    assert not (tmp_path / "hub.sqlite3").exists()
