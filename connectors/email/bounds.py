"""Mail is parsed within limits: a message beyond what any mail program writes is held for a person.

The standard library (Python 3.11) takes quadratic time for some headers: unterminated encoded words
(`email.header.decode_header`), many quotes in parameters (`Message.get_params`, cpython issue 87075), groups of
addresses (`email.utils`). Headers are therefore checked before any of its functions reads them. A header that decides
who wrote something is never cut, because half of it could have another meaning.

Real maxima: RFC 5322 allows 998 characters a line (https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1) and has no
limit for the total; Gmail refuses more than 500 kB or 5,000 headers in total and 32 kB in one; a thousand recipients
are 62 kB, a hundred references 8 kB.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email._policybase import Compat32
from email.feedparser import BytesFeedParser
from email.message import Message
from typing import Any

from hub.core.sentences import sentence

MOST_HEADERS = 10_000
ALL_HEADERS = 512_000
LONGEST_HEADER = 32_000
LONGEST_LIST = 128_000
LONGEST_OF_MIME = 8_000
MOST_ENTRIES = 5_000
MOST_PARAMETERS = 200
MOST_MESSAGES = 3_000
"""Parts, and messages within messages."""
MOST_LINES = 1_000_000
DEEPEST = 60
LISTS = frozenset({"to", "cc", "bcc", "references", "resent-to", "x-failed-recipients"})
LONGEST_DECODED = 16_000
MOST_ENCODED_WORDS = 300
TOO_DEEP = sentence("The parts of this e-mail are nested too deeply.")


class TooComplex(ValueError):
    """The message is beyond the limits; the text says which."""


class Bounded(Compat32):
    """The library's default policy with limits on the number and length of headers."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "counts", {"headers": 0, "characters": 0, "messages": 0})

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        counts: dict[str, int] = self.counts  # type: ignore[attr-defined]
        counts["headers"] += 1
        counts["characters"] += len(value)
        key = name.lower()
        is_of_mime = key.startswith("content-") or key.endswith("-recipient")
        longest = LONGEST_LIST if key in LISTS else LONGEST_OF_MIME if is_of_mime else LONGEST_HEADER
        if (
            counts["headers"] > MOST_HEADERS
            or counts["characters"] > ALL_HEADERS
            or len(value) > longest
            or value.count(",") > MOST_ENTRIES
            or (is_of_mime and value.count(";") > MOST_PARAMETERS)
        ):
            raise TooComplex(
                sentence(
                    "The headers of this e-mail (%(name)s) are longer than any mail program writes.", name=name[:40]
                )
            )
        return name, value

    def made(self, policy: Any = None) -> Message:
        """A new message or part."""
        counts: dict[str, int] = self.counts  # type: ignore[attr-defined]
        counts["messages"] += 1
        if counts["messages"] > MOST_MESSAGES:
            raise TooComplex(sentence("This e-mail has more than %(count)s parts.", count=MOST_MESSAGES))
        return Message()


class _Parser(BytesFeedParser):
    """Stops at parts that are nested too deeply: the parser tries each open part on each line."""

    _msgstack: list[Message]

    def _new_message(self) -> None:
        if len(self._msgstack) > DEEPEST:
            raise TooComplex(TOO_DEEP)
        super()._new_message()  # type: ignore[misc]


def from_bytes(raw: bytes) -> Message:
    """The message; TooComplex if it is beyond the limits."""
    if raw.count(b"\n") > MOST_LINES:
        raise TooComplex(sentence("This e-mail has more than %(count)s lines.", count=f"{MOST_LINES:,}"))
    limits = Bounded()
    factory: Callable[..., Message] = limits.made
    parser = _Parser(factory, policy=limits)
    parser.feed(raw)
    return parser.close()


def from_string(text: str) -> Message:
    """A part of a message, parsed as a message within the same limits."""
    return from_bytes(text.encode("utf-8", "surrogateescape"))


def may_be_decoded(text: str) -> bool:
    """Whether a header has few enough encoded words to be decoded; otherwise it stays as written."""
    return len(text) <= LONGEST_DECODED and text.count("=?") <= MOST_ENCODED_WORDS


_HEAD = 65_536
_END = re.compile(rb"\r?\n\r?\n")
_FROM = re.compile(rb"^from:([^\r\n]{0,998}(?:\r?\n[ \t][^\r\n]{0,998}){0,9})", re.IGNORECASE | re.MULTILINE)
_WORD = rb"[^\x00-\x20\x7f-\xff<>\"(),;:\\@]"
_ADDRESS = re.compile(rb"%b{1,64}@%b{1,189}" % (_WORD, _WORD))


def seeming_sender(raw: bytes) -> str:
    """The address in From without parsing the message, in lower case; empty if none is found quickly.

    >>> seeming_sender(b'Subject: x\\nFrom: "Vera, V." <Vera@vendor.test>\\n\\nFrom: nobody@else.test')
    'vera@vendor.test'
    """
    head = _END.split(raw[:_HEAD], maxsplit=1)[0]
    found = _FROM.search(head)
    addresses = _ADDRESS.findall(found[1]) if found else []
    return addresses[-1].decode("ascii").lower() if addresses else ""
