"""Sample answers, as the workbench shows them and as each profile's own samples are held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.kit.contract import Ports, Previewed, RemoteNote, RemoteTicket
from connectors.kit.errors import ConnectorError
from connectors.kit.http import Http

if TYPE_CHECKING:
    from .connector import Rest

MOST = 10


def _nowhere(**_: Any) -> Http:
    raise ConnectorError("A sample calls nobody; this profile asks for more than it shows.")


def on_paper(kind: type[Rest], values: Mapping[str, str] | None = None) -> Rest:
    """The connector without a system behind it: for reading what is handed in."""
    given = {setting.name: setting.default or "1" for setting in kind.settings} | dict(values or {})
    if "address" in given and given["address"] == "1":
        given["address"] = "https://vendor.example"
    return kind(given, Ports(open_http=_nowhere, now=lambda: datetime.now(UTC), memory={}))


def previewed(kind: type[Rest], what: str, answer: str) -> Sequence[Previewed]:
    """What the records of an answer would be; ValueError in words for what cannot be read."""
    connector = on_paper(kind)
    if what == "hook":
        return [_hook(connector, answer)]
    try:
        decoded = json.loads(answer)
    except ValueError as error:
        raise ValueError(f"This is no JSON: {error}") from error
    try:
        if what == "notes":
            return [_note(note) for note in connector.notes_of_sample(decoded)[:MOST]]
        items = connector.items_of_sample(what, decoded)
        return [
            _ticket(connector, item, decoded if what == "get" else item, is_whole=what == "get")
            for item in items[:MOST]
        ]
    except (ConnectorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error


def _ticket(connector: Rest, item: Any, answer: Any, *, is_whole: bool) -> Previewed:
    ticket: RemoteTicket = connector.ticket_of_sample(item, answer)
    rows = [(name, value) for name, value in ticket.fields.items()]
    rows += [("key", ticket.key), ("number", ticket.number), ("address", ticket.url)]
    rows += [("made", ticket.created_at.isoformat()), ("changed", ticket.changed_at.isoformat())]
    rows += [("author", ticket.author), ("assignee", ticket.assignee), ("queue", ticket.queue)]
    rows += [("our reference", ticket.reference)]
    if is_whole:
        rows += [(f"note of {note.author or '?'} ({note.visibility})", note.text) for note in ticket.notes or ()]
        rows += [(f"file of {file.author or '?'}", f"{file.name}, {file.size} bytes") for file in ticket.files or ()]
    return Previewed(title=f"{ticket.number} {ticket.fields.get('title', '')}".strip(), rows=tuple(rows))


def _note(note: RemoteNote) -> Previewed:
    rows = [("text", note.text), ("visibility", note.visibility), ("author", note.author)]
    rows += [("written", note.created_at.isoformat()), ("our mark", note.mark)]
    return Previewed(title=f"note {note.key}", rows=tuple(rows))


def _hook(connector: Rest, answer: str) -> Previewed:
    try:
        key, also = connector.keys_of_sample_hook(answer.encode())
    except (ConnectorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error
    return Previewed(title="a call of theirs", rows=(("is about", key), ("and about", ", ".join(also))))
