"""Reading records one by one, so that an unreadable one does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from connectors.kit.errors import Refused
from hub.core.sentences import Sentence, sentence

from .connector import NOT_UNDERSTOOD
from .records import RemoteFile, RemoteNote, RemoteTicket, Unread

Piece = TypeVar("Piece", bound=RemoteNote | RemoteFile)


def understood(
    items: Iterable[Any], read: Callable[[Any], RemoteTicket]
) -> tuple[tuple[RemoteTicket, ...], tuple[Unread, ...]]:
    """The tickets of a page, and the records that cannot be read."""
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
    """The notes or files of one ticket, and the records that cannot be read.

    `read` gives the notes or files of one record: one, several, or none if the record is left out. `key` gives a
    record's key where that is not its "id".
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
    """What was found; Refused if a record could not be read, because it may be the one that is looked for."""
    if unread:
        raise Refused(sentence("Not all records can be read: %(reason)s", reason=unread[0].why))
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
    """What is kept of a record that cannot be read; never fails itself."""
    if key is None:
        key = item.get("id") if isinstance(item, Mapping) else None
    try:
        raw = json.dumps(item, default=str)[:100_000]
    except (RecursionError, ValueError, TypeError):
        raw = f"({type(item).__name__}, cannot be shown)"
    told = str(key)[:LONGEST_KEY] if isinstance(key, str | int) and not isinstance(key, bool) else ""
    return Unread(key=told, why=_reason(error)[:300], raw=raw)


def _reason(error: Exception) -> str:
    """The reason as it is if it is a sentence; that of an unexpected error with the name of its class."""
    reason = str(error)
    return reason if isinstance(reason, Sentence) else f"{type(error).__name__}: {reason}"


def _sound(ticket: RemoteTicket) -> None:
    """ValueError for a ticket that cannot be stored: without a valid key, or with something else in place of text."""
    _sound_key(ticket.key)
    try:
        "".join((*_texts_of(ticket), *ticket.fields.values()))  # the fastest test, as every record of a poll takes it
    except TypeError:
        wrong = [name for name in _TEXTS if not isinstance(getattr(ticket, name), str)]
        wrong += [name for name, value in ticket.fields.items() if not isinstance(value, str)]
        raise ValueError(sentence("These values have to be text: %(names)s.", names=", ".join(wrong))) from None
    for note in ticket.notes or ():
        _sound_key(note.key)
    for file in ticket.files or ():
        _sound_key(file.key)


def _sound_piece(piece: RemoteNote | RemoteFile) -> None:
    """ValueError for a note or file that cannot be stored."""
    _sound_key(piece.key)
    texts = [piece.visibility, piece.author, piece.text if isinstance(piece, RemoteNote) else piece.name]
    if not all(isinstance(each, str) for each in texts):
        raise ValueError(sentence("Visibility, author, and text or name have to be text."))


def _sound_key(key: Any) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValueError(sentence("%(value)s is not a valid key.", value=repr(str(key)[:40])))


def readable(items: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What can be read of these items, for lists that are only helpful, such as people's names."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except (Refused, *NOT_UNDERSTOOD):
            continue
    return found
