"""Mail is read in a process that is ended where one message takes too long, and replaced where it is gone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.email import parser_process
from connectors.email.bounds import seeming_sender
from connectors.email.parser import Mail, Reader
from connectors.email.threads import Keys

KEYS = Keys((b"a key",))
RAW = b"From: Vera <vera@vendor.test>\nSubject: Printer\n\nIt is on fire."


class Endless(Reader):
    """Never comes to an end with a message, whatever is in it."""

    def read(self, raw: bytes) -> Mail:
        threading.Event().wait()
        raise AssertionError


class Fragile(Reader):
    """Whose process is killed while it reads, as by a machine that runs out of memory."""

    def read(self, raw: bytes) -> Mail:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.fixture(autouse=True)
def processes() -> Iterator[None]:
    """No process of another test is idle, and none is left."""
    parser_process.end_idle()
    yield
    parser_process.end_idle()


def test_what_is_read_apart_is_what_is_read_here() -> None:
    reader = Reader(keys=KEYS, own_addresses={"hub@x.test"}, hub="HUB")

    assert parser_process.read(reader, RAW) == reader.read(RAW)


def test_one_process_reads_message_after_message() -> None:
    for _ in range(3):
        parser_process.read(Reader(keys=KEYS), RAW)

    assert parser_process._idle.qsize() == 1


def test_a_message_that_takes_too_long_is_held_and_the_next_is_read() -> None:
    slow = parser_process.read(Endless(keys=KEYS), RAW, seconds=0.2)
    after = parser_process.read(Reader(keys=KEYS), RAW)

    assert (slow.action, slow.why) == ("hold", "Reading this e-mail took longer than 0.2 seconds.")
    assert after.subject == "Printer"


def test_a_message_that_ends_every_process_costs_only_itself() -> None:
    lost = parser_process.read(Fragile(keys=KEYS), RAW)
    after = parser_process.read(Reader(keys=KEYS), RAW)

    assert (lost.action, "Two processes were terminated" in lost.why) == ("hold", True)
    assert after.subject == "Printer"


class Once(Reader):
    """Whose first process is killed while it reads, as by a machine that runs out of memory."""

    def read(self, raw: bytes) -> Mail:
        mark = Path(self.hub)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(raw)


def test_a_process_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    assert parser_process.read(Once(keys=KEYS, hub=str(tmp_path / "killed")), RAW).subject == "Printer"


def test_a_stop_of_the_whole_group_lets_the_message_be_read() -> None:
    """Ctrl-C and systemd tell every process to stop; the mail would be parked with every restart."""
    parser_process.read(Reader(keys=KEYS), RAW)
    idle = parser_process._idle.queue[0]
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(idle.process.pid, number)

    assert parser_process.read(Reader(keys=KEYS), RAW).subject == "Printer"
    assert parser_process._idle.queue[0] is idle


def test_an_interrupted_reading_leaves_no_answer_behind_for_the_next_message(monkeypatch: pytest.MonkeyPatch) -> None:
    parser_process.read(Reader(keys=KEYS), RAW)
    with monkeypatch.context() as patched:

        def interrupted(one: parser_process.Apart, reader: Reader, raw: bytes, seconds: float) -> Mail:
            one.pipe.send((reader, raw))
            raise KeyboardInterrupt

        patched.setattr(parser_process.Apart, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            parser_process.read(Reader(keys=KEYS), RAW)
    other = RAW.replace(b"Printer", b"Scanner")

    assert parser_process.read(Reader(keys=KEYS), other).subject == "Scanner"


def test_a_process_that_died_idle_is_replaced() -> None:
    parser_process.read(Reader(keys=KEYS), RAW)
    idle = parser_process._idle.get()
    os.kill(idle.process.pid, signal.SIGKILL)
    idle.process.wait()
    parser_process._idle.put(idle)

    assert parser_process.read(Reader(keys=KEYS), RAW).subject == "Printer"


def test_a_process_ends_with_whoever_started_it() -> None:
    one = parser_process.Apart()
    one.pipe.close()

    assert one.process.wait(20) == 0


def test_it_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETHUB_SECRET_KEY", "planted")
    parser_process.read(Reader(keys=KEYS), RAW)
    pid = parser_process._idle.queue[0].process.pid
    with open(f"/proc/{pid}/environ", "rb") as file:
        assert b"planted" not in file.read()


@pytest.mark.parametrize(
    ("raw", "seems"),
    [
        (b"FROM: Vera@Vendor.test\r\n\r\nx", "vera@vendor.test"),
        (b'Subject: x\r\nFrom: "boss@ours.test"\r\n <vera@vendor.test>\r\n\r\nx', "vera@vendor.test"),
        (b"Subject: x\n\nFrom: vera@vendor.test\n", ""),
        (b"From: nobody in particular\n\nx", ""),
        (b"From: <" + b"a" * 100_000 + b"@vendor.test>\n\nx", ""),
        (b"\x00\xff", ""),
        (b"", ""),
    ],
)
def test_whose_a_mail_seems_to_be(raw: bytes, seems: str) -> None:
    assert seeming_sender(raw) == seems
