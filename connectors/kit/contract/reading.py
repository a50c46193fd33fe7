"""Reading records one by one, so that one that makes no sense stops none of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from connectors.kit.errors import Refused

from .connector import NOT_UNDERSTOOD
from .records import RemoteFile, RemoteNote, RemoteTicket, Unread

Piece = TypeVar("Piece", bound=RemoteNote | RemoteFile)


def understood(
    items: Iterable[Any], read: Callable[[Any], RemoteTicket]
) -> tuple[tuple[RemoteTicket, ...], tuple[Unread, ...]]:
    """Read the records of a page one by one: one that makes no sense stops none of the others."""
    tickets: list[RemoteTicket] = []
    unread: list[Unread] = []
    for item in items:
        try:
            ticket = read(item)
            _sound(ticket)
            tickets.append(ticket)
        except (Refused, *NOT_UNDERSTOOD) as error:
            unread.append(unread_of(item, error))
    return tuple(tickets), tuple(unread)


def pieces(
    items: Iterable[Any], read: Callable[[Any], Iterable[Piece]], *, key: Callable[[Any], str] | None = None
) -> tuple[tuple[Piece, ...], tuple[Unread, ...]]:
    """Read the notes or files of one ticket one by one: one that makes no sense stops none of the others.

    `read` gives what a record comes to: one, none where it is left out, or several. `key` says which one it is, where
    that is not its "id".
    """
    found: list[Piece] = []
    unread: list[Unread] = []
    for item in items:
        try:
            told = list(read(item))
            for piece in told:
                _sound_piece(piece)
            found += told
        except (Refused, *NOT_UNDERSTOOD) as error:
            unread.append(unread_of(item, error, key=_key_or_none(item, key)))
    return tuple(found), tuple(unread)


def all_of(found: tuple[Piece, ...], unread: Sequence[Unread]) -> tuple[Piece, ...]:
    """What was found, if it is all; Refused where a record could not be understood: it may be the one looked for."""
    if unread:
        raise Refused(f"Not all of it can be understood: {unread[0].why}")
    return found


LONGEST_KEY = 100
_TEXTS = (
    "number",
    "url",
    "author",
    "assignee",
    "queue",
    "status_label",
    "merged_into",
    "reference",
    "resolution",
    "requester",
)
_texts_of = attrgetter(*_TEXTS)


def _key_or_none(item: Any, key: Callable[[Any], str] | None) -> str | None:
    try:
        return key(item) if key is not None else None
    except (Refused, *NOT_UNDERSTOOD):
        return None


def unread_of(item: Any, error: Exception, *, key: Any = None) -> Unread:
    """What is kept of a record that makes no sense; never fails itself."""
    if key is None:
        key = item.get("id") if isinstance(item, Mapping) else None
    try:
        raw = json.dumps(item, default=str)[:100_000]
    except (RecursionError, ValueError, TypeError):
        raw = f"(a {type(item).__name__} that cannot be written)"
    told = str(key)[:LONGEST_KEY] if isinstance(key, str | int) and not isinstance(key, bool) else ""
    return Unread(key=told, why=f"{type(error).__name__}: {error}"[:300], raw=raw)


def _sound(ticket: RemoteTicket) -> None:
    """ValueError for a ticket that cannot be kept: its key is none, or what should be text is not."""
    _sound_key(ticket.key)
    try:
        "".join((*_texts_of(ticket), *ticket.fields.values()))  # of every record of a poll: the quickest look there is
    except TypeError:
        wrong = [name for name in _TEXTS if not isinstance(getattr(ticket, name), str)]
        wrong += [name for name, value in ticket.fields.items() if not isinstance(value, str)]
        raise ValueError(f"{', '.join(wrong)}: not a text") from None
    for note in ticket.notes or ():
        _sound_key(note.key)
    for file in ticket.files or ():
        _sound_key(file.key)


def _sound_piece(piece: RemoteNote | RemoteFile) -> None:
    """ValueError for a note or file that cannot be kept."""
    _sound_key(piece.key)
    texts = [piece.visibility, piece.author, piece.text if isinstance(piece, RemoteNote) else piece.name]
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("what should be text is none")


def _sound_key(key: Any) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValueError(f"{str(key)[:40]!r} is no key")


def readable(items: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What can be read of these: of lists that only help, as people's names."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except (Refused, *NOT_UNDERSTOOD):
            continue
    return found
