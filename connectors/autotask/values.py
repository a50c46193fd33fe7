"""Autotask's values: ids, texts and times as its JSON carries them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors.kit.errors import Refused
from hub.core.sentences import sentence

Json = dict[str, Any]


def id_of(key: Any, *, field: str = "") -> int:
    """An Autotask ID as a number; Refused for anything else, which must not get into a path or filter."""
    if type(key) is int and 0 <= key < 10**19:
        return key
    if not str(key).isascii() or not str(key).isdecimal() or len(str(key)) > 19:
        raise Refused(sentence("%(value)s is not an Autotask ID.", value=repr(str(key)[:40])), field=field)
    return int(key)


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def moment(text: str) -> datetime:
    """A time from Autotask, aware and in UTC.

    All times are stored and returned in UTC:
    https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketsEntity.htm
    The precision varies, from minutes to milliseconds. A time without a zone is read as UTC.
    """
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def written(at: datetime) -> str:
    """A time for a filter or a field: UTC, to the second, with a Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
