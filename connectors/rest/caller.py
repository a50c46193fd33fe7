"""Runs the operations of a profile: one request after the other, each answer judged, lists page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.kit.http import File, Http, Reply
from connectors.rest import auth, responses
from connectors.rest.responses import Conflict, EndOfList
from connectors.rest.schema import Filled
from hub.expressions import Failed, text
from hub.expressions.texts import Text, Tree, Unsaid

from .profile import Profile, Step

Values = dict[str, Any]
MOST_PAGES = 1000
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


class Caller:
    """One connection's way to the system its profile describes."""

    def __init__(self, profile: Profile, values: Mapping[str, str], ports: Ports) -> None:
        self.profile, self.ports = profile, ports
        secrets = {row.name for row in profile.settings if row.secret}
        plain = {row.name: values.get(row.name) or row.default or Unsaid() for row in profile.settings}
        self.known: Values = {
            "settings": {name: value for name, value in plain.items() if name not in secrets},
            "secrets": {name: value for name, value in plain.items() if name in secrets},
            "memory": ports.memory,
            "me": ports.memory.get("me", ""),
        }
        connect = profile.connect
        self.tokens = auth.Tokens(connect.token, self.known, ports, connect.wrong) if connect.token else None
        self._http: Http | None = None
        self._people = _names_of(str(sorted(self.known["settings"].items())))

    # -- the connection

    def http(self) -> Http:
        if self._http is None:
            self.known["discovered"] = auth.discovered(self.profile.connect, self.known, self.ports)
            base = self.profile.connect.base.text(self.known)
            if not base.startswith(("https://", "http://")):
                raise Refused(
                    "The address has to begin with https:// (with http:// only inside your own network, where "
                    "TICKETHUB_EGRESS_ALLOW names it).",
                    field=self.field_of_base(),
                )
            try:
                self._http = self.ports.open_http(base=base, headers={"Accept": "application/json"}, **self._tls())
            except ValueError as error:
                raise Refused(str(error), field=self._field_of_certificate()) from error
        return self._http

    def _tls(self) -> dict[str, str]:
        """Our certificate, and whom we believe, where the profile has them."""
        connect = self.profile.connect
        given = {"certificate": connect.certificate, "authority": connect.authority}
        found = {name: each.text(self.known) for name, each in given.items() if each is not None}
        return {name: pem for name, pem in found.items() if pem.strip()}

    def _field_of_certificate(self) -> str:
        asked = self.profile.connect.certificate or self.profile.connect.authority
        names = [
            str(part.steps[1])
            for part in (asked.parts if asked else ())
            if not isinstance(part, str) and len(part.steps) == 2
        ]
        return names[0] if names else ""

    def field_of_base(self) -> str:
        names = [
            str(part.steps[1])
            for part in self.profile.connect.base.parts
            if not isinstance(part, str) and len(part.steps) == 2
        ]
        return names[0] if names else ""

    def _headers(self) -> dict[str, str]:
        connect = self.profile.connect
        found = {name: value.text(self.known) for name, value in connect.headers.items()}
        if connect.user is not None:
            password = connect.password.text(self.known) if connect.password else ""
            found["Authorization"] = auth.basic(connect.user.text(self.known), password)
        elif connect.bearer is not None:
            found["Authorization"] = f"Bearer {connect.bearer.text(self.known)}"
        elif self.tokens is not None:
            found |= self.tokens.header()
        return found

    # -- operations

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

    def _told(self, reply: Reply, values: Mapping[str, Any]) -> Values:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        about = {"settings": self.known["settings"], "me": self.known["me"], "steps": values.get("steps", {})}
        return {**about, "answer": reply.body, "status": reply.status, "headers": headers}

    # -- one request

    def _twice(self, step: Step, values: Values, writes: bool) -> Reply:
        """Once more where a token ran out or the address moved: a 401 had no effect."""
        try:
            return self._call(step, values, writes)
        except (LockedOut, Forbidden, Missing) as error:
            row = self.profile.connect.discover
            # Some gateways answer 403 where a token has run out.
            is_token = self.tokens is not None and isinstance(error, LockedOut | Forbidden)
            wants = row is not None and (
                (401 in row.again_on and isinstance(error, LockedOut))
                or (404 in row.again_on and isinstance(error, Missing))
            )
            if not is_token and not (wants and auth.forget_discovered(self.ports)):
                raise
            if self.tokens is not None:
                self.tokens.forget()
            if wants:
                self._http = None
            return self._call(step, values, writes)

    def _call(self, step: Step, values: Values, writes: bool) -> Reply:
        http = self.http()
        try:
            path = step.path.path(values)
            query = [*self._parts(self.profile.connect.query, values), *self._parts(step.query, values)]
            body = step.body.value(values) if step.body is not None else None
            data, form = self._data(step, values)
            headers = self._headers() | {name: value.text(values) for name, value in step.headers.items()}
        except (Failed, ValueError) as error:
            raise Refused(f"This cannot be said to {self.profile.name}: {error}") from error
        params: Any = _merged(query)
        if self.profile.connect.signed is not None:
            told = {
                "method": step.method,
                "path": urlsplit(path).path,
                "query": urlencode(query),
                "headers": headers,
                "body": auth.body_text(body, data),
                "host": http.host,
            }
            headers |= auth.signature(self.profile.connect.signed, values, told)
        reply = http.exchange(
            step.method,
            path,
            is_write=writes,
            params=params,
            body=body,
            data=data,
            form=form,
            file_field=step.file_field,
            headers={name: value for name, value in headers.items() if value},
            may_be_empty=step.empty,
            judge=lambda reply: self._judged(step, reply, values, writes=writes),
        )
        self.date = reply.headers.get("Date", "")
        self._mind_the_limit(reply, writes)
        return reply

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
        params: Any = _merged([*self._parts(self.profile.connect.query, told), *self._parts(last.query, told)])
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

    def _parts(self, table: Mapping[str, Any], values: Values) -> list[tuple[str, str]]:
        """Names and values of a query; what comes to nothing is left out."""
        found = [(name, each.value(values)) for name, each in table.items()]
        return [
            (name.text.text(values) if isinstance(name, Filled) else name, text(each))
            for name, value in found
            for each in (value if isinstance(value, list) else [value])
            if each is not None
        ]

    def _data(
        self, step: Step, values: Values
    ) -> tuple[tuple[str, bytes] | None, tuple[Mapping[str, str], File] | None]:
        change = values.get("change") or {}
        if step.form is not None:
            return ("application/x-www-form-urlencoded", urlencode(self._parts(step.form, values)).encode()), None
        if step.multipart is not None:
            name = step.file_name.text(values) if step.file_name is not None else change.get("name", "")
            kind = step.content_type or change["type"]
            return None, (dict(self._parts(step.multipart, values)), (name, change["content"], kind))
        if step.raw:
            return (step.content_type or "application/octet-stream", change["content"]), None
        if step.content_type and step.body is not None:
            return (step.content_type, auth.body_text(step.body.value(values), None).encode()), None
        return None, None

    def _judged(self, step: Step, reply: Reply, values: Values, *, writes: bool) -> ConnectorError | None:
        told = self._told(reply, values)
        return responses.judged(self.profile, step, reply, told, writes=writes, at=self.ports.now())

    # -- limits

    def _mind_the_limit(self, reply: Reply, writes: bool) -> None:
        """Rest before they refuse: what people wait for may still use the last calls."""
        row = self.profile.limits
        left = reply.headers.get(row.remaining, "") if row is not None and row.remaining else ""
        if row is None or writes or not left.strip().isdecimal() or int(left) > row.floor:
            return
        self._rest(reply.headers.get(row.reset, "") if row.reset else "")

    def _rest(self, told: str) -> None:
        """Rest for so many seconds, or until that second of 1970; a minute where they do not say."""
        wait = float(told) if told.replace(".", "", 1).isdecimal() else 60.0
        wait = wait - self.ports.now().timestamp() if wait > 10_000_000 else wait
        self.ports.memory["rest_until"] = str(self.ports.now().timestamp() + min(max(wait, 1.0), 3600.0))

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

    # -- lists

    date: str = ""
    """When they answered last, by their own clock (RFC 9110)."""
    total: int | None = None
    """How many records the list that was read last has, where it says so."""

    def pages(self, name: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        """All pages of a list that is read whole."""
        steps = self.profile.operations[name]
        token = ""
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            items, token = self.page(steps, values, token)
            yield items
            if not token:
                return
            if token in seen:
                raise Refused(f"The pages of {self.profile.name} go in a circle.")
            seen.add(token)
        raise Refused(f"The pages of {self.profile.name} do not end.")

    def page(self, steps: tuple[Step, ...], values: Mapping[str, Any], token: str) -> tuple[list[Any], str]:
        """One page, and what leads to the next; nothing where this was the last."""
        step = steps[-1]
        paging = step.paging
        if paging is None or paging.style == "none":
            return self._run(steps, values, False).items or [], ""
        size = int(paging.size)
        count = int(token) if token.isdecimal() and paging.style in ("page", "offset", "time") else 0
        given: Values = {
            **values,
            "limit": size,
            "page": paging.first + count,
            "offset": count,
            "cursor": None,
            "after": None,
        }
        if paging.style in ("cursor", "keyset"):
            given["cursor"] = given["after"] = token or None
        if paging.style in ("link", "next_url") and token:
            return self._followed(step, given, token)
        try:
            done = self._run(steps, given, False)
        except EndOfList:
            return [], ""
        return done.items or [], self._next(step, done, count, size)

    def _followed(self, step: Step, values: Mapping[str, Any], url: str) -> tuple[list[Any], str]:
        """The page at an address of theirs, on their own host only."""
        told: Values = {**self.known, **values, "steps": {}, "heads": {}}
        known = {name for name, _value in parse_qsl(urlsplit(url).query)}
        extra = [pair for pair in self._parts(self.profile.connect.query, told) if pair[0] not in known]
        headers = self._headers() | {name: value.text(told) for name, value in step.headers.items()}
        body = step.body.value(told) if step.body is not None else None
        params: Any = _merged(extra)
        reply = self.http().exchange(
            step.method,
            url,
            is_write=False,
            params=params,
            body=body,
            headers=headers,
            judge=lambda reply: self._judged(step, reply, told, writes=False),
        )
        done = Done()
        self._pick(step, told, reply, done)
        return done.items or [], self._next(step, done, 0, 0)

    def _next(self, step: Step, done: Done, count: int, size: int) -> str:
        paging = step.paging
        assert paging is not None
        items = done.items or []
        told = {
            "settings": self.known["settings"],
            "me": self.known["me"],
            "answer": done.answer,
            "items": items,
            "headers": done.headers,
            "status": 200,
            "steps": {},
        }
        if paging.more is not None and paging.more(told) is not True:
            return ""
        if paging.style == "link":
            return done.next_page
        if paging.style in ("cursor", "next_url"):
            assert paging.next is not None
            return text(paging.next(told))
        if not items:
            return str(count + 1) if paging.style == "page" and paging.more is not None else ""
        if paging.style == "keyset":
            assert paging.key is not None
            return text(paging.key({"item": items[-1]})) if len(items) >= size or paging.more is not None else ""
        further = count + 1 if paging.style == "page" else count + len(items)
        total = paging.total(told) if paging.total is not None else None
        self.total = total if isinstance(total, int) else None
        read = (count * size) + len(items) if paging.style == "page" else further
        # A total that lies is no reason to stop after a full page; where they cap a page it is one to go on.
        says_more = isinstance(total, int) and read < total
        return str(further) if len(items) >= size or says_more or paging.more is not None else ""


def _read_at(steps: tuple[Step, ...], at: int) -> int:
    """Where to begin again after a conflict: at the reading that this request took its ETag or its version from."""
    step = steps[at]
    filled: list[Text | Tree] = [*step.headers.values(), *step.query.values()]
    filled += [step.body] if step.body is not None else []
    used = [part for each in filled for part in each.expressions]
    names = {name for part in used for which in ("heads", "steps") for name in part.parts.get(which) or ()}
    named = [number for number, each in enumerate(steps[:at]) if each.name in names and each.method == "GET"]
    return min(named, default=0)


def _merged(query: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """A query as a table; a name that stands in it twice keeps both."""
    found: dict[str, str | list[str]] = {}
    for name, value in query:
        if name in found:
            before = found[name]
            found[name] = [*([before] if isinstance(before, str) else before), value]
        else:
            found[name] = value
    return found
