"""Requests to the system of a profile: operations, and lists page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.kit.errors import Refused
from connectors.rest.responses import EndOfList
from hub.core.sentences import Sentence, sentence
from hub.expressions import text

from .operations import Done, Operations
from .profile import Step
from .requester import Values, merged

MOST_PAGES = 1000


class Caller(Operations):
    """One connection's requests to the system that its profile describes."""

    total: int | None = None
    """The number of records in the list read last, if its response contains it."""

    def pages(self, name: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        """All pages of a list."""
        steps = self.profile.operations[name]
        token = ""
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            items, token = self.page(steps, values, token)
            yield items
            if not token:
                return
            if token in seen:
                raise Refused(circular(self.profile.name))
            seen.add(token)
        raise Refused(sentence("A list of %(system)s does not end.", system=self.profile.name))

    def page(self, steps: tuple[Step, ...], values: Mapping[str, Any], token: str) -> tuple[list[Any], str]:
        """One page, and the token of the next one; empty if this was the last."""
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
        """The page at a URL from a response, on the system's own host only."""
        told: Values = {**self.known, **values, "steps": {}, "heads": {}}
        known = {name for name, _value in parse_qsl(urlsplit(url).query)}
        extra = [pair for pair in self._parts(self.profile.connect.query, told) if pair[0] not in known]
        headers = self._headers() | {name: value.text(told) for name, value in step.headers.items()}
        body = step.body.value(told) if step.body is not None else None
        params: Any = merged(extra)
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
        # A full page is followed by another even if the total is too small. If pages are capped, the total decides.
        says_more = isinstance(total, int) and read < total
        return str(further) if len(items) >= size or says_more or paging.more is not None else ""


def circular(system: str) -> Sentence:
    """Why a list is refused whose pages repeat."""
    return sentence("A list of %(system)s repeats its pages and does not end.", system=system)
