"""Autotask's words: how it says no, filters and times, what it signs, which lists it has."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.kit.contract import Choice
from connectors.kit.errors import BadSignature, ConnectorError, Forbidden, LockedOut, Refused

Json = dict[str, Any]

ZONE_LOOKUP = "https://webservices.autotask.net/ATServicesRest"
WORKFLOW_NOTE, COMPLETE, TICKET_PARENT = "13", "5", 4
EXTERNAL_ID = "externalID"
REST = "rest"
"""The stage of a sweep that follows the tickets that moved themselves."""
TIME_SUMMARY, TIME_INTERNAL = "time.summary", "time.internal"
"""Time entries have no publish of their own: what they say has two visibilities more, mapped like the others."""
SUBSCRIBED = ("status", "priority", "title", "description", "assignedResourceID", "queueID")

LISTS: Mapping[str, Mapping[str, str]] = {
    "Tickets": {"status": "status", "priority": "priority", "queueID": "queue", "source": "source"},
    "TicketNotes": {"noteType": "noteType", "publish": "visibility"},
}
"""Their picklists per entity, and what the kit calls them."""
TIME_CHOICES = (
    Choice(value=TIME_SUMMARY, label="Time entry: summary"),
    Choice(value=TIME_INTERNAL, label="Time entry: internal notes"),
)
NUMBERS = frozenset({"status", "priority"})


def endpoint(path: str) -> str:
    """The object a path is about: three calls at once are allowed for each.

    >>> endpoint("V1.0/Tickets/7/Notes"), endpoint("https://x/ATServicesRest/V1.0/Tickets/query?paging=1")
    ('Tickets', 'Tickets')
    """
    return path.partition("V1.0/")[2].partition("/")[0].partition("?")[0]


def explain(status: int, body: Any) -> ConnectorError | None:
    """Autotask answers 500 for what it refuses: with `errors` it is a no, without it is a fault of theirs."""
    if status == 401:
        return LockedOut("Autotask does not accept the user name and secret, or this is not its zone.", field="secret")
    errors = body.get("errors") if isinstance(body, dict) else None
    if status == 403:
        # Seen for one entity alone, by the security level of the API user, as well as for all of them.
        words = " ".join(str(error) for error in errors)[:500] if isinstance(errors, list) else ""
        return Forbidden(f"Autotask refuses it to our user. {words}".strip())
    if status < 400 or status in (404, 429) or not isinstance(errors, list) or not errors:
        return None
    said = " ".join(str(error) for error in errors)[:500]
    if "IntegrationCode" in said:
        return LockedOut("Autotask does not accept the tracking identifier.", field="integration_code")
    return Refused(f"Autotask says: {said}")


def explain_zone(status: int, body: Any) -> ConnectorError | None:
    if status == 500 and isinstance(body, dict) and body.get("errors"):
        return Refused("Autotask knows no zone for this user name.", field="user_name")
    return None


def signature(secret: str, body: bytes) -> str:
    """What X-Hook-Signature says of a raw body: HMAC-SHA1 in base64, not hex.

    >>> signature("key", b"{}")
    'sha1=yZY7g3GD3GZxBkYbPekdCIX1ObM='
    """
    return "sha1=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha1).digest()).decode()


def check_signature(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """BadSignature unless the body was signed with the secret; an empty secret accepts nothing."""
    sent = {name.lower(): value for name, value in headers.items()}.get("x-hook-signature", "")
    if not secret or not hmac.compare_digest(sent.encode("utf-8", "replace"), signature(secret, body).encode()):
        raise BadSignature("The hook is not signed with our secret.")


def typed(fields: Mapping[str, str]) -> Json:
    return {name: int(value) if name in NUMBERS and value else value for name, value in fields.items()}


def is_told(note: Json) -> bool:
    """Notes that workflow rules write are the machine talking to itself."""
    return text_of(note.get("noteType")) != WORKFLOW_NOTE


def id_of(key: Any, *, field: str = "") -> int:
    """An id of theirs: anything else must not get into a path or a filter."""
    if type(key) is int and 0 <= key < 10**19:
        return key
    if not str(key).isascii() or not str(key).isdecimal() or len(str(key)) > 19:
        raise Refused(f"{str(key)[:40]!r} is not an id of Autotask's.", field=field)
    return int(key)


def publish_value(visibility: str) -> int:
    if not visibility.isdecimal():
        raise Refused(f"A note cannot be published to {visibility!r}; map the audience to a publish value.")
    return int(visibility)


def exists(field: str) -> Json:
    return {"op": "exist", "field": field}


def eq(field: str, value: Any) -> Json:
    return {"op": "eq", "field": field, "value": value}


def gte(field: str, value: Any) -> Json:
    return {"op": "gte", "field": field, "value": value}


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def moment(text: str) -> datetime:
    """All times are UTC; the precision varies, and the Z is sometimes missing."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
