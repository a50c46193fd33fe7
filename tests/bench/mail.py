"""Reading e-mail compared with the standard library's parser with `policy.default` on the same messages.

The floor parses the message and takes its body; ours also classifies the message, looks for threads and
bounces, separates the answer from the quotation and cleans HTML. The corpus is the reference material if it
lies beside the project, otherwise generated messages. The cost of hostile text is a ratio, too: four times
the text, or four times the header, must not take much more than four times the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

from connectors.email.parser import Reader
from connectors.email.threads import Keys
from tests.bench.__main__ import Counted, Measured, measure
from tests.wire import SHARED

READER = Reader(keys=Keys((b"a key",)))
HOSTILE: tuple[Callable[[int], str], ...] = (
    lambda n: "On " * n,
    lambda n: ">" * n,
    lambda n: "From: x\n" * n,
    lambda n: "<a@b.test " * n,
    lambda n: "delivery to " * n,
    lambda n: "_" * n + "\n" + "To: \n" * n,
    lambda n: "wrote: 10:10 @" * n,
    lambda n: "<blockquote><div>" * n,
)


HEADERS: tuple[tuple[str, str], ...] = (
    ("Subject", "=?utf-8?b?QcOk?= "),
    ("Subject", "Re: "),
    ("From", '"Vera" <a@b.test>, '),
    ("To", "=?utf-8?q?Vera?= <a@b.test>, "),
    ("Delivered-To", "a+b@b.test "),
    ("References", "<a@b.test> "),
    ("In-Reply-To", "<th.a@b.test> "),
    ("Received", "from a by b; "),
    ("Authentication-Results", "x; dkim=pass "),
    ("Date", "1 Mar 2026 "),
)
"""A header and the text that is repeated in it: ordinary words, but far more of them than usual."""


def entries() -> tuple[list[Measured], list[Counted]]:
    messages = _messages()
    found = measure(
        "e-mails read, classified, separated and cleaned",
        lambda: _ours(messages),
        "email's policy.default on the same messages",
        lambda: _floor(messages),
    )
    goal = Counted(
        name="e-mails per second relative to policy.default",
        value=f"{1 / found.ratio:.2f}",
        goal="at least 0.4, aim 0.7",
        is_met=1 / found.ratio >= 0.4,
    )
    growth = max(*(_growth(text) for text in HOSTILE), *(_growth_of_header(*header) for header in HEADERS))
    hostile = Counted(
        name="time for four times the hostile text",
        value=f"{growth:.1f} times",
        goal="under 8 times: never quadratic",
        is_met=growth < 8,
    )
    return [found], [goal, hostile]


def _messages() -> list[bytes]:
    files = sorted((SHARED / "mail" / "corpus").rglob("*.eml"))
    return [file.read_bytes() for file in files] or [_written(number) for number in range(200)]


def _written(number: int) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Vera <v@vendor.test>", "hub@x.test", f"Re: Printer {number}"
    message.set_content(f"Done, {number}.\n\nOn 2 Mar 2026, Hub <hub@x.test> wrote:\n\n" + "> please look\n" * 20)
    message.add_alternative(f"<p>Done, {number}.</p><blockquote>please look</blockquote>", subtype="html")
    return message.as_bytes()


def _ours(messages: list[bytes]) -> int:
    for raw in messages:
        READER.read(raw)
    return len(messages)


def _floor(messages: list[bytes]) -> int:
    for raw in messages:
        message = message_from_bytes(raw, policy=policy.default)
        try:
            body = message.get_body(("plain", "html"))
            _ = body.get_content() if body else ""
        except (LookupError, KeyError, ValueError):
            continue
    return len(messages)


def _growth(text: Callable[[int], str], size: int = 4_000) -> float:
    def messages(length: int) -> list[bytes]:
        body = text(length).encode()
        kinds = (b"Subject: Undeliverable", b"Content-Type: text/html")
        return [b"From: %s\n%s\n\n%s" % (sender, kind, body) for sender in SENDERS for kind in kinds]

    return _seconds(messages(4 * size)) / _seconds(messages(size))


def _growth_of_header(name: str, words: str, size: int = 7_000) -> float:
    """The growth for one header; four times `size` is the longest header allowed."""

    def messages(length: int) -> list[bytes]:
        senders = [b""] if name == "From" else [b"From: %s\n" % sender for sender in SENDERS]
        line = f"{name}: {words * (length // len(words))}".encode()
        return [b"%s%s\n\nx" % (sender, line) for sender in senders]

    return _seconds(messages(4 * size)) / _seconds(messages(size))


SENDERS = (b"a@b.test", b"mailer-daemon@b.test")


def _seconds(messages: list[bytes]) -> float:
    taken = []
    for _ in range(5):
        began = time.process_time()
        for raw in messages:
            READER.read(raw)
        taken.append(time.process_time() - began)
    return min(taken)
