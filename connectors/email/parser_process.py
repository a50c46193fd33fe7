"""Mail is read in a separate process, which is killed if one message takes too long.

Regular expressions and parsers hold Python's global lock while they run, so a thread that reads a hostile message could
not be stopped and would block all other threads. The process receives the message and the keys for checking signed
tags, and none of the hub's environment.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, LifoQueue

from connectors.email.parser import Mail, Reader, held
from hub.core.sentences import sentence

LONGEST_SECONDS = 30.0
"""The time limit for one message. The largest message that is read (40 MB) needs less than a tenth of it."""
ROOT = Path(__file__).resolve().parents[2]


class Apart:
    """One process that reads message after message."""

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", "")},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        finally:
            theirs.close()

    def read(self, reader: Reader, raw: bytes, seconds: float) -> Mail | None:
        """The message as read; None if that takes longer. EOFError or ConnectionError if the process has ended."""
        self.pipe.send((reader, raw))
        if self.pipe.poll(seconds):
            return self.pipe.recv()  # type: ignore[no-any-return]
        self.end()
        return None

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.wait()


_idle: LifoQueue[Apart] = LifoQueue()


def read(reader: Reader, raw: bytes, *, seconds: float = LONGEST_SECONDS) -> Mail:
    """The message as read. One that takes longer than `seconds`, or ends two processes, is held with the reason.

    OSError if no process can be started.
    """
    for _ in range(2):  # a process may be killed for reasons unrelated to the message
        with suppress(EOFError, ConnectionError), _one() as apart:
            mail = apart.read(reader, raw, seconds)
            why = sentence("Reading this e-mail took longer than %(seconds)s seconds.", seconds=f"{seconds:g}")
            return mail or _held(raw, why)
    return _held(raw, sentence("Two processes were terminated while reading this e-mail."))


def _held(raw: bytes, why: str) -> Mail:
    return held(why, hashlib.sha256(raw).hexdigest())


@contextmanager
def _one() -> Iterator[Apart]:
    """An idle process, or a new one if there is none; idle again afterwards.

    One that was interrupted is ended, because its next user would receive the answer about this message.
    """
    try:
        apart = _idle.get_nowait()
        if apart.process.poll() is not None:
            apart.end()
            apart = Apart()
    except Empty:
        apart = Apart()
    try:
        yield apart
    except BaseException:
        apart.end()
        raise
    if not apart.pipe.closed:
        _idle.put(apart)


@atexit.register
def end_idle() -> None:
    """End every idle process."""
    with suppress(Empty):
        while True:
            _idle.get_nowait().end()


def serve(pipe: Connection) -> None:
    """Read messages from the pipe until it is closed.

    Signals are left to the parent, which waits for the message being read when it is asked to stop.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            reader, raw = pipe.recv()
            _bound()
            pipe.send(reader.read(raw))


def _bound() -> None:
    """Limit the process to twice the time limit, in case its parent has ended."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime + 2 * LONGEST_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
