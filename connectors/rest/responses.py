"""What a response means according to the profile: success, or which error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear
from connectors.kit.http import Reply, retry_after
from connectors.kit.markup import text_of
from connectors.rest.profile import ErrorRow, Profile, Step
from hub.core.sentences import sentence
from hub.expressions import Failed, text

Values = Mapping[str, Any]
MOST_SAID = 500


class EndOfList(Exception):
    """An error response that means that the list has no more records."""


class Conflict(Exception):
    """Somebody changed the record between our reading and our writing."""


def judged(
    profile: Profile, step: Step, reply: Reply, told: Values, *, writes: bool, at: datetime
) -> ConnectorError | None:
    """The error that a response stands for; None for the usual meaning of its status.

    `told` contains what the profile's expressions can use: answer, status, headers. Conflict and EndOfList are raised.
    """
    for row in profile.errors:
        if row.operation and not any(step is each for each in profile.operations.get(row.operation, ())):
            continue
        if row.status and reply.status not in row.status:
            continue
        if not row.status and row.when is None:
            continue
        try:
            if row.when is not None and row.when(told) is not True:
                continue
            return _meant(profile, row, told, reply, step, at)
        except Failed:
            continue
    if step.conflict_again and reply.status in (409, 412):
        raise Conflict
    if reply.status in (401, 403):
        return _denied(profile, reply)
    if 200 <= reply.status < 300 and step.ok is not None:
        return _failed(profile, step, told, reply, writes=writes)
    if 400 <= reply.status < 500 and reply.status not in UNDERSTOOD and (said := said_in(reply)):
        return Refused(
            sentence(
                "%(system)s returned status %(status)s: %(reason)s",
                system=profile.name,
                status=reply.status,
                reason=said,
            )
        )
    return None


UNDERSTOOD = (404, 408, 425, 429)
"""Statuses whose usual meaning says more than the text of the response."""


def _denied(profile: Profile, reply: Reply) -> ConnectorError:
    said = said_in(reply)
    if reply.status == 403:
        if said:
            return Forbidden(sentence("%(system)s denied access: %(reason)s", system=profile.name, reason=said))
        return Forbidden(sentence("%(system)s denied access.", system=profile.name))
    why = sentence("%(system)s rejected our credentials.", system=profile.name)
    if said:
        why = sentence("%(system)s rejected our credentials: %(reason)s", system=profile.name, reason=said)
    return LockedOut(why, field=profile.connect.wrong)


def said_in(reply: Reply) -> str:
    """The text of a response that no rule reads, on one line; of JSON, each value with its name.

    >>> said_in(Reply(status=400, headers={}, body={"priority": ["Not a choice."], "ok": False}, content=b""))
    'priority: Not a choice.; ok: false'
    >>> said_in(Reply(status=400, headers={}, body=None, content=b"<h1>Bad</h1> <p>No such field</p>"))
    'Bad No such field'
    """
    if reply.body is not None:
        words = "; ".join(f"{name}: {word}" if name else word for name, word in _leaves("", reply.body))
    else:
        words = text_of(reply.content[:20_000].decode("utf-8", "replace"))
    words = " ".join(words.split())
    return words if len(words) <= MOST_SAID else words[:MOST_SAID] + " …"


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(name, inner)
    elif value not in (None, ""):
        yield name, text(value)


def _meant(profile: Profile, row: ErrorRow, told: Values, reply: Reply, step: Step, at: datetime) -> ConnectorError:
    # If the message is empty, the whole text of the response is used.
    said = (text(row.message(told)).strip() if row.message is not None else "") or said_in(reply)
    why = sentence("%(system)s returned status %(status)s.", system=profile.name, status=reply.status)
    if said:
        why = sentence("%(system)s reported: %(reason)s", system=profile.name, reason=said[:MOST_SAID])
    if row.is_ == "conflict":
        if step.conflict_again:
            raise Conflict
        return TryLater(why, after=5)
    if row.is_ == "end":
        if step.items is not None:
            raise EndOfList
        return Refused(why)
    if row.is_ == "later":
        after = row.after(told) if row.after is not None else None
        seconds = float(after) if isinstance(after, int | float) else None
        return TryLater(why, after=seconds or retry_after(reply.headers, at))
    if row.is_ == "locked_out":
        return LockedOut(why, field=row.field or profile.connect.wrong)
    if row.is_ == "forbidden" or (row.is_ == "refused" and reply.status == 403):
        return Forbidden(why, field=row.field)
    if row.is_ == "missing":
        return Missing(why)
    return Unclear(why) if row.is_ == "unclear" else Refused(why, field=row.field)


def _failed(profile: Profile, step: Step, told: Values, reply: Reply, *, writes: bool) -> ConnectorError | None:
    """The error in a 2xx response, if the profile's `ok` says that the request failed."""
    try:
        is_yes = step.ok is None or step.ok(told) is True
        said = (text(step.message(told)).strip() if step.message is not None else "") or said_in(reply)
    except Failed as error:
        if not writes:
            return Refused(str(error))
        return Unclear(
            sentence(
                "The response of %(system)s cannot be evaluated: %(reason)s", system=profile.name, reason=str(error)
            )
        )
    if is_yes:
        return None
    if not said:
        return Refused(sentence("%(system)s reported success, but the request failed.", system=profile.name))
    return Refused(
        sentence(
            "%(system)s reported success, but the request failed: %(reason)s",
            system=profile.name,
            reason=said[:MOST_SAID],
        )
    )
