"""The operations of a profile: several requests, one after the other, each with the answers of those before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.kit.http import Reply
from connectors.rest.responses import Conflict
from hub.expressions import Failed, text
from hub.expressions.texts import Text, Tree

from .profile import Profile, Step
from .requester import Requester, Values, merged

_PLAIN_KEY = re.compile(r"[\w.@:+-]{1,100}")
MOST_NAMES = 5000
_NAMES: dict[str, dict[str, str]] = {}


def _names_of(connection: str) -> dict[str, str]:
    """Names of people by id, kept in this process, per system; forgotten when there are very many."""
    found = _NAMES.setdefault(connection, {})
    if len(found) > MOST_NAMES:
        found.clear()
    return found


@dataclass
class Done:
    """What an operation came to: the last answer, and what its steps pick from theirs."""

    answer: Any = None
    content: bytes = b""
    items: list[Any] | None = None
    item: Any = None
    key: str = ""
    ran: int = 0
    """How many of its requests were made."""
    headers: Mapping[str, str] = field(default_factory=dict)
    next_page: str = ""
    """The address of the next page, where the Link header of the last answer names one."""


class Operations(Requester):
    """Runs the operations of a profile."""

    def __init__(self, profile: Profile, values: Mapping[str, str], ports: Ports) -> None:
        super().__init__(profile, values, ports)
        self._people = _names_of(str(sorted(self.known["settings"].items())))

    def has(self, name: str) -> bool:
        return name in self.profile.operations

    def run(self, name: str, values: Mapping[str, Any] | None = None, *, is_write: bool = False) -> Done:
        """All requests of an operation, each with the answers of those before."""
        steps = self.profile.operations.get(name)
        if steps is None:
            raise Unsupported(f"{self.profile.name} has no way for this ({name}).")
        return self._run(steps, values or {}, is_write)

    def _run(self, steps: tuple[Step, ...], given: Mapping[str, Any], is_write: bool) -> Done:
        done = Done()
        values: Values = {**self.known, **given, "steps": {}, "heads": {}, "now": self.ports.now()}
        written: set[int] = set()
        is_again = False
        at = -1
        while (at := at + 1) < len(steps):
            step = steps[at]
            # Begun again after a conflict, what is written already is not written once more.
            if at in written or (step.when is not None and step.when(values) is not True):
                continue
            if step.require is not None and step.require(values) is not True:
                why = step.refuse.text(values) if step.refuse else "Something that has to be so there is not."
                raise Unclear(why) if written else Refused(why)
            writes = is_write and not step.is_read and step.method != "GET"
            try:
                reply = self._twice(step, values, writes)
            except Conflict:
                if is_again:
                    why = "Somebody changes the record again and again."
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
                raise Refused(f"{self.profile.name} answered a query without a list.")
            done.items = found
        if step.item is not None:
            done.item = step.item(told)
        if step.key is not None:
            done.key = text(step.key(told))

    def download(self, values: Mapping[str, Any]) -> bytes:
        """The bytes of a file; only its last request is one for bytes."""
        *before, last = self.profile.operations["download"]
        told: Values = {**self.known, **values, "steps": {}, "heads": {}, "now": self.ports.now()}
        for step in before:
            self._pick(step, told, self._twice(step, told, False), Done())
        if last.content is not None:
            reply = self._twice(last, told, False)
            found = last.content(self._told(reply, told))
            if not isinstance(found, str | bytes):
                raise Refused("Their answer holds no file.")
            return found if isinstance(found, bytes) else found.encode()
        try:
            path = last.path.path(told)
        except (Failed, ValueError) as error:
            raise Refused(f"This file cannot be asked for: {error}") from error
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
        """Where they tell in an answer of its own how many calls are left, ask before a poll."""
        row = self.profile.limits
        if row is None or row.left is None:
            return
        done = self.run("quota")
        told = {**self.known, "answer": done.answer, "status": 200, "headers": done.headers, "steps": {}}
        left = text(row.left(told))
        if left.replace(".", "", 1).isdecimal() and float(left) <= row.floor:
            self._rest(text(row.again_in(told)) if row.again_in is not None else "")

    def person(self, key: str) -> str:
        """The name of somebody of theirs, asked for once; the id itself where they do not tell."""
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
                return key  # they do not tell now; a name is no reason to read nothing
            self._people[key] = known
        return known

    def rest_if_told(self) -> None:
        """TryLater where few calls are left: they are for what people wait for."""
        self._ask_the_quota()
        until = float(self.ports.memory.get("rest_until", "0"))
        left = until - self.ports.now().timestamp()
        if left > 0:
            raise TryLater(
                f"{self.profile.name} has few calls left for us; the rest is for what people wait for.", after=left
            )


def _read_at(steps: tuple[Step, ...], at: int) -> int:
    """Where to begin again after a conflict: at the reading that this request took its ETag or its version from."""
    step = steps[at]
    filled: list[Text | Tree] = [*step.headers.values(), *step.query.values()]
    filled += [step.body] if step.body is not None else []
    used = [part for each in filled for part in each.expressions]
    names = {name for part in used for which in ("heads", "steps") for name in part.parts.get(which) or ()}
    named = [number for number, each in enumerate(steps[:at]) if each.name in names and each.method == "GET"]
    return min(named, default=0)
