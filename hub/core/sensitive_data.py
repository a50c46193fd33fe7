"""Finds in a text what should rarely leave the house: passwords, keys, account, card and identity numbers.

What is found looks like such data; nothing here knows whether it is. Numbers count only if their check digits are
right, because tickets are full of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stdnum import iban, luhn
from stdnum.ch import ssn as ch_ssn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.us import ssn as us_ssn

LONGEST = 1_000_000
"""How much of a file is read to decide whether it is text. The time of a search is proportional to the text."""
MASK = "•••"


class Kind(StrEnum):
    PASSWORD = "password"  # noqa: S105
    KEY = "key"
    IBAN = "iban"
    CARD = "card"
    IDENTITY = "identity"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A part of a text, with its first and last position."""

    kind: Kind
    start: int
    end: int


def _is_card(number: str) -> bool:
    return luhn.is_valid(re.sub(r"[ -]", "", number))


_SECRET = r"([^\s\"'“”„]{4,2000})"  # noqa: S105
_PASSWORD = re.compile(
    r"(?i)(?<![a-z])(?:pass(?:word|phrase|wd)?|pwd|pw|kennwort|passwort|pin|secret|geheimnis|api[ _-]?key|token|"
    r"zugangscode)(?:\s+(?:is|ist|lautet))?[\"']?\s{0,3}[:=]\s{0,3}[\"'„“]?" + _SECRET
)
_PASSWORD_IS = re.compile(
    r"(?i)(?<![a-z])(?:password|passphrase|kennwort|passwort)\s+(?:is|ist|lautet)\s+[\"'„“]?" + _SECRET
)
_KEYS = (
    re.compile(
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,30}KEY(?: BLOCK)?-----|\Z)"
    ),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),  # AWS
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),  # GitHub
    re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}"),  # Slack
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20,64}\b"),  # GitLab
    re.compile(r"\bwhsec_[A-Za-z0-9+/=]{24,100}"),  # Standard Webhooks
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}"),  # a JSON Web Token
)
_NUMBERS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool]], ...] = (
    (Kind.IBAN, re.compile(r"(?i)\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"), iban.is_valid),
    (Kind.CARD, re.compile(r"\b[3-6](?:[ -]?[0-9]){14,15}\b"), _is_card),
    (Kind.IDENTITY, re.compile(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"), us_ssn.is_valid),
    (Kind.IDENTITY, re.compile(r"\b756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}\b"), ch_ssn.is_valid),
    (Kind.IDENTITY, re.compile(r"\b[1-9][0-9](?: ?[0-9]{3}){3}\b"), idnr.is_valid),
    (
        Kind.IDENTITY,
        re.compile(r"\b[12](?: ?[0-9]{2}){2} ?(?:[0-9]{2}|2[AB])(?: ?[0-9]{3}){2} ?[0-9]{2}\b"),
        nir.is_valid,
    ),
    (Kind.IDENTITY, re.compile(r"\b[0-9]{8}-?[A-Z]\b"), dni.is_valid),
    (Kind.IDENTITY, re.compile(r"\b[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]\b"), codicefiscale.is_valid),
)
_NO_PASSWORD = re.compile(
    r"(?i)^(?:\W*|[*•.x]+|expired|abgelaufen|reset|changed|geändert|unknown|none|null|true|false)$"
)


def find(text: str) -> list[Found]:
    """What the text seems to contain, in order, without overlaps.

    >>> [(each.kind.value, "Password: hunter2!"[each.start:each.end]) for each in find("Password: hunter2!")]
    [('password', 'hunter2!')]
    """
    found: list[Found] = []
    for each in sorted(_all(text), key=lambda each: (each.start, -each.end)):
        if not found or each.start >= found[-1].end:
            found.append(each)
    return found


def masked(text: str) -> str:
    """The text with a mask in place of everything that `find` finds.

    >>> masked("The password is hunter2 and the room is 4.12.")
    'The password is ••• and the room is 4.12.'
    """
    parts, end = [], 0
    for each in find(text):
        parts += [text[end : each.start], MASK]
        end = each.end
    return "".join([*parts, text[end:]])


def _all(text: str) -> Iterator[Found]:
    for pattern in (_PASSWORD, _PASSWORD_IS):
        for match in pattern.finditer(text):
            if not _NO_PASSWORD.match(match[1]):
                yield Found(kind=Kind.PASSWORD, start=match.start(1), end=match.end(1))
    for pattern in _KEYS:
        for match in pattern.finditer(text):
            yield Found(kind=Kind.KEY, start=match.start(), end=match.end())
    for kind, pattern, is_valid in _NUMBERS:
        for match in pattern.finditer(text):
            if is_valid(match[0]):
                yield Found(kind=kind, start=match.start(), end=match.end())
