"""ConnectWise's values: ids, references and times as its JSON carries them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from connectors.kit.errors import Refused
from hub.core.sentences import sentence

Json = dict[str, Any]


def id_of(text: Any) -> int:
    """A ConnectWise ID as a number; Refused for anything else, which must not get into a path or condition."""
    if type(text) is int and 0 <= text < 10**19:
        return text
    if not str(text).isascii() or not str(text).isdecimal() or len(str(text)) > 19:
        raise Refused(sentence("%(value)s is not a ConnectWise ID.", value=repr(str(text)[:40])))
    return int(text)


def text_of(value: Any) -> str:
    """A value as text: the ID of a reference such as ``{"id": 3, "name": "High"}``, empty for None."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return "" if value is None else str(value)


def info_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `_info` of a record, which says when it was entered and updated, and by whom."""
    found = item.get("_info")
    return found if isinstance(found, Mapping) else {}


def moment(text: Any) -> datetime:
    """A time from ConnectWise, aware and in UTC; one without a zone is read as UTC."""
    if not isinstance(text, str):
        raise Refused(sentence("ConnectWise returned a record without a time of creation or change."))
    return _moment(text)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text.replace(" ", ""))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
