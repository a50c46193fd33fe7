"""What an answer of a system means, by its profile: yes, no, and which kind of no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear
from connectors.kit.http import Reply, retry_after
from connectors.kit.markup import text_of
from connectors.rest.profile import ErrorRow, Profile, Step
from hub.expressions import Failed, text

Values = Mapping[str, Any]
MOST_SAID = 500


class EndOfList(Exception):
    """They say with an error that there is nothing more."""


class Conflict(Exception):
    """Somebody changed the record between our reading and our writing."""


def judged(
    profile: Profile, step: Step, reply: Reply, told: Values, *, writes: bool, at: datetime
) -> ConnectorError | None:
    """What is wrong with an answer, if anything; None leaves it to the usual meaning of its status.

    `told` is what the profile's expressions read: answer, status, headers. Conflict and EndOfList are raised.
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
        said = said_in(reply)
        words = f": {said}" if said else "."
        if reply.status == 403:
            return Forbidden(f"{profile.name} gives us too few rights for this{words}")
        return LockedOut(f"{profile.name} does not accept our credentials{words}", field=profile.connect.wrong)
    if 200 <= reply.status < 300 and step.ok is not None:
        return _no_after_all(profile, step, told, reply, writes=writes)
    if 400 <= reply.status < 500 and reply.status not in UNDERSTOOD and (said := said_in(reply)):
        return Refused(f"{profile.name} answered {reply.status}: {said}")
    return None


UNDERSTOOD = (404, 408, 425, 429)
"""Statuses whose usual meaning says more than their words."""


def said_in(reply: Reply) -> str:
    """The words of an answer that no rule reads, on one line: of JSON each text with its name.

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
    # A message that comes out empty is none: then everything they said counts.
    said = (text(row.message(told)).strip() if row.message is not None else "") or said_in(reply)
    why = f"{profile.name} says: {said[:MOST_SAID]}" if said else f"{profile.name} answered {reply.status}."
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


def _no_after_all(profile: Profile, step: Step, told: Values, reply: Reply, *, writes: bool) -> ConnectorError | None:
    try:
        is_yes = step.ok is None or step.ok(told) is True
        said = (text(step.message(told)).strip() if step.message is not None else "") or said_in(reply)
    except Failed as error:
        return Unclear(f"Their answer cannot be judged: {error}") if writes else Refused(str(error))
    if is_yes:
        return None
    return Refused(f"{profile.name} answered yes, but means no. {said[:MOST_SAID]}".strip())
