"""The operations of a profile: one or more requests, each of which can use the responses of those before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.kit.http import Reply
from connectors.rest.responses import Conflict
from hub.core.sentences import sentence
from hub.expressions import Failed, text
from hub.expressions.texts import Text, Tree

from .profile import Profile, Step
from .requester import Requester, Values, merged

_PLAIN_KEY = re.compile(r"[\w.@:+-]{1,100}")
MOST_NAMES = 5000
_NAMES: dict[str, dict[str, str]] = {}


def _names_of(connection: str) -> dict[str, str]:
    """Names of people by ID, kept in this process per system; cleared when there are too many."""
    found = _NAMES.setdefault(connection, {})
    if len(found) > MOST_NAMES:
        found.clear()
    return found


@dataclass
class Done:
    """The result of an operation: the last response, and what the steps picked from theirs."""

    answer: Any = None
    content: bytes = b""
    items: list[Any] | None = None
    item: Any = None
    key: str = ""
    ran: int = 0
    """The number of requests made."""
    headers: Mapping[str, str] = field(default_factory=dict)
    next_page: str = ""
    """The URL of the next page in the Link header of the last response, if there is one."""


class Operations(Requester):
    """Runs the operations of a profile."""

    def __init__(self, profile: Profile, values: Mapping[str, str], ports: Ports) -> None:
        super().__init__(profile, values, ports)
        self._people = _names_of(str(sorted(self.known["settings"].items())))

    def has(self, name: str) -> bool:
        return name in self.profile.operations

    def run(self, name: str, values: Mapping[str, Any] | None = None, *, is_write: bool = False) -> Done:
        """Make all requests of an operation; Unsupported if the profile does not have it."""
        steps = self.profile.operations.get(name)
        if steps is None:
            raise Unsupported(
                sentence(
                    "The profile of %(system)s has no operation “%(operation)s”.",
                    system=self.profile.name,
                    operation=name,
                )
            )
        return self._run(steps, values or {}, is_write)

    def _run(self, steps: tuple[Step, ...], given: Mapping[str, Any], is_write: bool) -> Done:
        done = Done()
        values: Values = {**self.known, **given, "steps": {}, "heads": {}, "now": self.ports.now()}
        written: set[int] = set()
        is_again = False
        at = -1
        while (at := at + 1) < len(steps):
            step = steps[at]
            # After a conflict the operation starts again, without the requests that have already written something.
            if at in written or (step.when is not None and step.when(values) is not True):
                continue
            if step.require is not None and step.require(values) is not True:
                why = (
                    step.refuse.text(values) if step.refuse else sentence("A precondition of this request is not met.")
                )
                raise Unclear(why) if written else Refused(why)
            writes = is_write and not step.is_read and step.method != "GET"
            try:
                reply = self._twice(step, values, writes)
            except Conflict:
                if is_again:
                    why = sentence("The record was changed again by somebody else. The change is retried later.")
                    raise (Unclear(why) if written else TryLater(why, after=60)) from None
                is_again, at = True, _read_at(steps, at) - 1
                continue
            written |= {at} if writes else set()
            self._pick(step, values, reply, done)
        return done

    def _pick(self, step: Step, values: Values, reply: Reply, done: Done) -> None:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        done.answer, done.content, done.headers, done.ran = reply.body, reply.content, headers, done.ran + 1
        done.next_page = reply.next_page
        if step.name:
            values["steps"] = {**values["steps"], step.name: reply.body}
            values["heads"] = {**values["heads"], step.name: headers}
        told = self._told(reply, values)
        if step.items is not None:
            found = step.items(told)
            if found is None and step.null_is_empty:
                found = []
            if not isinstance(found, list):
                raise Refused(sentence("%(system)s answered without a list of records.", system=self.profile.name))
            done.items = found
        if step.item is not None:
            done.item = step.item(told)
        if step.key is not None:
            done.key = text(step.key(told))

    def download(self, values: Mapping[str, Any]) -> bytes:
        """The bytes of a file, which the last request of the operation returns."""
        *before, last = self.profile.operations["download"]
        told: Values = {**self.known, **values, "steps": {}, "heads": {}, "now": self.ports.now()}
        for step in before:
            self._pick(step, told, self._twice(step, told, False), Done())
        if last.content is not None:
            reply = self._twice(last, told, False)
            found = last.content(self._told(reply, told))
            if not isinstance(found, str | bytes):
                raise Refused(sentence("The response contains no file."))
            return found if isinstance(found, bytes) else found.encode()
        try:
            path = last.path.path(told)
        except (Failed, ValueError) as error:
            raise Refused(sentence("This file cannot be requested: %(reason)s", reason=str(error))) from error
        headers = self._headers() | {name: value.text(told) for name, value in last.headers.items()}
        params: Any = merged([*self._parts(self.profile.connect.query, told), *self._parts(last.query, told)])
        headers.setdefault("Accept", "*/*")
        body = last.body.value(told) if last.body is not None else None
        data, _form = self._data(last, told)
        return (
            self.http()
            .exchange(
                last.method, path, is_write=False, params=params, headers=headers, body=body, data=data, is_json=False
            )
            .content
        )

    def _ask_the_quota(self) -> None:
        """Before a poll, read how many requests are left, if there is an operation for it."""
        row = self.profile.limits
        if row is None or row.left is None:
            return
        done = self.run("quota")
        told = {**self.known, "answer": done.answer, "status": 200, "headers": done.headers, "steps": {}}
        left = text(row.left(told))
        if left.replace(".", "", 1).isdecimal() and float(left) <= row.floor:
            self._rest(text(row.again_in(told)) if row.again_in is not None else "")

    def person(self, key: str) -> str:
        """The name of one of the vendor's people, looked up once; the ID itself if it is not available."""
        row = self.profile.people
        if row is None or not key or not _PLAIN_KEY.fullmatch(key):
            return key
        known = self._people.get(key)
        if known is None:
            try:
                done = self.run("person", {"key": key})
                told = {**self.known, "answer": done.answer, "status": 200, "headers": done.headers, "steps": {}}
                known = text(row.name(told)) or key
            except (Missing, Refused):
                known = key
            except ConnectorError:
                return key  # not available now; a missing name must not stop the reading
            self._people[key] = known
        return known

    def rest_if_told(self) -> None:
        """TryLater if few requests are left: they are reserved for changes that people wait for."""
        self._ask_the_quota()
        until = float(self.ports.memory.get("rest_until", "0"))
        left = until - self.ports.now().timestamp()
        if left > 0:
            raise TryLater(
                sentence(
                    "%(system)s allows few more requests now. They are reserved for changes that people wait for.",
                    system=self.profile.name,
                ),
                after=left,
            )


def _read_at(steps: tuple[Step, ...], at: int) -> int:
    """Where to start again after a conflict: at the request that read the ETag or version used by this one."""
    step = steps[at]
    filled: list[Text | Tree] = [*step.headers.values(), *step.query.values()]
    filled += [step.body] if step.body is not None else []
    used = [part for each in filled for part in each.expressions]
    names = {name for part in used for which in ("heads", "steps") for name in part.parts.get(which) or ()}
    named = [number for number, each in enumerate(steps[:at]) if each.name in names and each.method == "GET"]
    return min(named, default=0)
