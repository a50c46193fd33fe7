"""Mail is read in a separate process, which is killed if one message takes too long.

Regular expressions and parsers hold Python's global lock while they run, so a thread that reads a hostile message could
not be stopped, and no other thread could work beside it. The process is given the message and the keys for checking
signed tags, and none of the hub's environment.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, LifoQueue

from connectors.email.reading import Mail, Reader, held

LONGEST_SECONDS = 30.0
"""For one message. The largest that is taken (40 MB) needs less than a tenth of this."""
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
        """The message, understood; None where that takes longer. EOFError, OSError where the process is gone."""
        self.pipe.send((reader, raw))
        return self.pipe.recv() if self.pipe.poll(seconds) else None

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.wait()


_idle: LifoQueue[Apart] = LifoQueue()


def read(reader: Reader, raw: bytes, *, seconds: float = LONGEST_SECONDS) -> Mail:
    """Never fails, and never takes longer than `seconds`: a message that would is held, with the reason."""
    with _one() as apart:
        try:
            mail = apart.read(reader, raw, seconds)
        except (EOFError, OSError):
            apart.end()
            return held("The process that read it ended before it came to an end.", hashlib.sha256(raw).hexdigest())
        if mail is None:
            apart.end()
            why = f"Reading it took longer than {seconds:g} seconds."
            return held(why, hashlib.sha256(raw).hexdigest())
        return mail


@contextmanager
def _one() -> Iterator[Apart]:
    """An idle process, or a new one where none is; one that is alive afterwards is idle again."""
    try:
        apart = _idle.get_nowait()
        if apart.process.poll() is not None:
            apart.end()
            apart = Apart()
    except Empty:
        apart = Apart()
    try:
        yield apart
    finally:
        if not apart.pipe.closed:
            _idle.put(apart)


@atexit.register
def end_idle() -> None:
    """End every process that reads nothing now."""
    with suppress(Empty):
        while True:
            _idle.get_nowait().end()


def serve(pipe: Connection) -> None:
    """Read what comes until nobody is there any more."""
    with suppress(EOFError, OSError):
        while True:
            reader, raw = pipe.recv()
            _bound()
            pipe.send(reader.read(raw))


def _bound() -> None:
    """Let this process end itself after twice the time: its parent may be gone by then."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + 2 * LONGEST_SECONDS), hard))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
