"""Requests to one company's ConnectWise: its site and codebase, its credentials, its pages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import quote, urlsplit

from connectors.connectwise.conditions import instant
from connectors.connectwise.errors import explain, explain_site, not_connectwise
from connectors.connectwise.values import Json, id_of
from connectors.kit.contract import Ports, readable
from connectors.kit.errors import Missing, Refused
from connectors.kit.http import Http, Reply
from hub.core.sentences import sentence

PAGE_SIZE = 1000
"""The most records of a page; without `pageSize` it has 25."""
MOST_PAGES = 500
MOST_IN_LIST = 100
"""Values in one `in (…)`: ConnectWise's guide asks for URLs of less than 2,000 characters."""
CLOUDS = ("na", "eu", "au", "aus", "za")
CLOUD_HOSTS = frozenset({*(f"{name}.myconnectwise.net" for name in CLOUDS), "staging.connectwisedev.com"})


class Api:
    """The REST API of the company these settings belong to."""

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        self.values, self.ports = values, ports

    def http(self) -> Http:
        """A client with the credentials.

        The user name of Basic authentication is the company, a plus sign and the public key. `clientId` is required
        too, and `Accept` pins the version of the model; old versions are available for twelve months.
        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
        """
        user = f"{self.values['company']}+{self.values['public_key']}:{self.values['private_key']}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(user.encode()).decode()}",
            "clientId": self.values["client_id"],
            "Accept": f"application/vnd.connectwise.com+json; version={self.values.get('version') or '2025.1'}",
        }
        return self.ports.open_http(base=self.base(), headers=headers, explain=explain)

    def site(self) -> str:
        """The URL at which the vendor's people log in."""
        site = self.values["site"].strip().rstrip("/")
        return site if "://" in site else f"https://{site}"

    def base(self) -> str:
        """The API's base URL: its codebase is looked up once, without credentials, and kept in memory."""
        memory = self.ports.memory
        if "base" not in memory:
            site = self.site()
            http = self.ports.open_http(base=site, headers={}, explain=explain_site)
            found = http.get(f"login/companyinfo/{quote(self.values['company'], safe='')}")
            if found is None:
                # For an unknown company ConnectWise returns 200 and `null`.
                raise Refused(sentence("ConnectWise has no company with this name at this site."), field="company")
            codebase = str(found.get("Codebase") or "") if isinstance(found, dict) else ""
            if not codebase or not all(c.isalnum() or c in "_./" for c in codebase) or ".." in codebase:
                raise not_connectwise()
            parts = urlsplit(site)
            # The cloud's API is at api-<host>; at the host itself every request is refused with "SSL is required".
            host = f"api-{parts.netloc}" if parts.netloc in CLOUD_HOSTS else parts.netloc
            memory["base"] = f"{parts.scheme}://{host}/{codebase.strip('/')}/apis/3.0"
        return memory["base"]

    def listed(self, path: str, **params: str) -> Iterator[Json]:
        """Every record of a list, in the order of IDs."""
        last, more = 0, True
        for _ in range(MOST_PAGES):
            if not more:
                return
            rows, more = self.page(path, last, **params)
            yield from rows
            last = last_id(rows) if more else last
        raise _endless()

    def page(self, path: str, after: int, **params: str) -> tuple[list[Json], bool]:
        """The records after an ID, and whether there are more.

        Forward-only paging follows the ID, so no page shifts while records change. `orderBy` and page numbers are not
        allowed with it.
        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
        """
        forward = {"pagination-type": "forward-only"}
        reply = self.http().page(path, headers=forward, pageSize=str(PAGE_SIZE), pageId=str(after), **params)
        if not isinstance(reply.body, list):
            raise Refused(sentence("ConnectWise answered a query without a list of records."))
        more = _has_more(reply)
        if more and last_id(reply.body) <= after:
            raise _endless()
        return reply.body, more

    def tickets(self, keys: list[int], also: str) -> Iterator[Json]:
        """The tickets with these IDs that meet the condition."""
        if keys:
            ids = ",".join(str(key) for key in keys)
            yield from self.listed("service/tickets", conditions=f"id in ({ids}) and {also}")

    def updated_after(self, since: datetime) -> str:
        """A condition for records that changed later.

        Some servers misread the zone of times, so a setting can leave it out.
        """
        return f"lastUpdated > {instant(since, is_naive=self.values.get('times') == 'naive')}"


def last_id(rows: list[Any]) -> int:
    """The largest ID on a page."""
    return max(readable(rows, lambda row: id_of(row["id"])), default=0)


def _has_more(reply: Reply) -> bool:
    """Whether there is a next page. Forward-only lists always have a Link header (RFC 8288), empty on the last page.

    https://www.rfc-editor.org/rfc/rfc8288
    """
    link = next((value for name, value in reply.headers.items() if name.lower() == "link"), None)
    if link is None:
        return len(reply.body) >= PAGE_SIZE
    return bool(reply.body and reply.next_page)


def _endless() -> Refused:
    return Refused(sentence("ConnectWise keeps returning further pages; the list does not end."))


class InACodebase(Protocol):
    @property
    def api(self) -> Api: ...


Verb = TypeVar("Verb", bound=Callable[..., Any])


def in_its_codebase(verb: Verb) -> Verb:
    """On a 404, look the codebase up once more and try again if it changed: an upgrade changes the address."""

    @wraps(verb)
    def asked(self: InACodebase, *args: Any) -> Any:
        memory = self.api.ports.memory
        known = memory.get("base")
        try:
            return verb(self, *args)
        except Missing:
            if known is None:
                raise
            memory.pop("base")
            if self.api.base() == known:
                raise
            return verb(self, *args)

    return cast(Verb, asked)
