"""A vendor's ticket as JSON and back: what a poll read is kept verbatim before anyone understands it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket, Unread

TIMES = ("created_at", "changed_at")
DEEPEST = 100
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def dump(remote: RemoteTicket) -> bytes:
    told = {each.name: getattr(remote, each.name) for each in fields(remote)}
    told["notes"] = None if remote.notes is None else [asdict(note) for note in remote.notes]
    told["files"] = None if remote.files is None else [asdict(file) for file in remote.files]
    if is_deep(remote.raw):
        told["raw"] = {}  # kept only to be looked at, and a few hundred levels are more than can be read back
    told["unread"] = [asdict(each) for each in remote.unread]
    for name in ("unread", "status_label", "resolution", "requester"):
        if not told[name]:
            del told[name]  # as it was written before there was such a thing: the digest tells whether it changed
    return json.dumps(told, sort_keys=True, default=_plain, ensure_ascii=True).encode()


def is_deep(value: Any, most: int = DEEPEST) -> bool:
    """Whether there are more than so many lists and tables of JSON in each other."""
    for inner in value if type(value) is list else value.values():
        if type(inner) in (dict, list) and (most <= 1 or is_deep(inner, most - 1)):
            return True
    return False


def state_of(remote: RemoteTicket) -> str:
    """A digest of what a record says, whenever it was read: of one that does not tell when it changed."""
    return digest(dump(replace(remote, changed_at=LONG_AGO)))


def load(content: bytes) -> RemoteTicket:
    raw = json.loads(content)
    notes, files, unread = raw.pop("notes"), raw.pop("files"), raw.pop("unread", ())
    return RemoteTicket(
        **_timed(raw),
        notes=None if notes is None else tuple(RemoteNote(**_timed(note)) for note in notes),
        files=None if files is None else tuple(RemoteFile(**_timed(file)) for file in files),
        unread=tuple(Unread(**each) for each in unread),
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _timed(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(value) if name in TIMES and value else value for name, value in raw.items()}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
