"""Converts a vendor's ticket to JSON and back, because a poll stores records before they are read."""

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
    """The ticket as JSON; equal tickets give equal bytes."""
    told = {each.name: getattr(remote, each.name) for each in fields(remote)}
    told["notes"] = None if remote.notes is None else [asdict(note) for note in remote.notes]
    told["files"] = None if remote.files is None else [asdict(file) for file in remote.files]
    if is_deep(remote.raw):
        told["raw"] = {}  # it is only shown, and a few hundred levels cannot be read back
    told["unread"] = [asdict(each) for each in remote.unread]
    for name in ("unread", "status_label", "resolution", "requester"):
        if not told[name]:
            del told[name]  # digests of records that were stored before these fields existed stay the same
    return json.dumps(told, sort_keys=True, default=_plain, ensure_ascii=True).encode()


def is_deep(value: Any, most: int = DEEPEST) -> bool:
    """Whether JSON lists and objects are nested more than `most` levels deep."""
    for inner in value if type(value) is list else value.values():
        if type(inner) in (dict, list) and (most <= 1 or is_deep(inner, most - 1)):
            return True
    return False


def state_of(remote: RemoteTicket) -> str:
    """A digest of a record regardless of when it was read, for systems that do not say when records changed."""
    return digest(dump(replace(remote, changed_at=LONG_AGO)))


def load(content: bytes) -> RemoteTicket:
    """The ticket that `dump` was given."""
    raw = json.loads(content)
    notes, files, unread = raw.pop("notes"), raw.pop("files"), raw.pop("unread", ())
    return RemoteTicket(
        **_timed(raw),
        notes=None if notes is None else tuple(RemoteNote(**_timed(note)) for note in notes),
        files=None if files is None else tuple(RemoteFile(**_timed(file)) for file in files),
        unread=tuple(Unread(**each) for each in unread),
    )


def digest(content: bytes) -> str:
    """The SHA-256 of the content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _timed(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(value) if name in TIMES and value else value for name, value in raw.items()}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
