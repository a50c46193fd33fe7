"""Requests to one Autotask database: its zone, its credentials, its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from connectors.autotask.errors import explain, explain_zone
from connectors.autotask.queries import chunks, condition
from connectors.autotask.values import Json, id_of, moment, written
from connectors.kit.contract import Ports
from connectors.kit.errors import LockedOut, Missing, Refused, TryLater
from connectors.kit.http import Http
from hub.core.sentences import sentence

ZONE_LOOKUP = "https://webservices.autotask.net/ATServicesRest"
PAGE_SIZE = 500
"""The most records of a page; a larger MaxRecords returns status 500."""
MOST_PAGES = 200
LIMIT_CHECKED_EVERY = timedelta(minutes=5)
POLL_UNTIL = 0.6
"""The share of the hourly limit after which polling pauses, so that other integrations are not refused."""


class Api:
    """The REST API of the database these settings belong to."""

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        self.values, self.ports = values, ports

    def http(self) -> Http:
        """A client for this database's zone. The credentials are three headers on every request.

        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Security_Auth.htm
        """
        headers = {
            "ApiIntegrationCode": self.values["integration_code"],
            "UserName": self.values["user_name"],
            "Secret": self.values["secret"],
        }
        return self.ports.open_http(base=self.zone(), headers=headers, explain=explain)

    def zone(self) -> str:
        """The base URL of this database's zone: looked up once, without credentials, and kept in memory."""
        memory = self.ports.memory
        if "zone" not in memory:
            http = self.ports.open_http(
                base=self.values.get("zone_lookup") or ZONE_LOOKUP, headers={}, explain=explain_zone
            )
            found = http.get("V1.0/ZoneInformation", user=self.values["user_name"])
            if not isinstance(found, dict) or not urlsplit(str(found.get("url", ""))).netloc:
                raise Refused(sentence("Autotask returned no zone for this user name."), field="user_name")
            # Some responses have a slash at the end and some do not.
            memory["zone"] = str(found["url"]).rstrip("/")
            memory["web"] = str(found.get("webUrl") or "")
        return memory["zone"]

    def item(self, key: str) -> Json:
        """One ticket. For an unknown ID Autotask returns 404, or a response whose `item` is null."""
        answer = self.http().get(f"V1.0/Tickets/{id_of(key)}")
        if not isinstance(answer, dict) or "item" not in answer:
            raise Refused(sentence("The response from Autotask contains no ticket."))
        if not answer["item"]:
            raise Missing(sentence("Autotask has no ticket with this ID."))
        return dict(answer["item"])

    def first_page(self, entity: str, filters: list[Json]) -> list[Json]:
        """The first page of a query, in the order of IDs."""
        answer = self.http().ask(f"V1.0/{entity}/query", {"filter": filters, "MaxRecords": PAGE_SIZE})
        return _items(answer)

    def query(self, entity: str, filters: list[Json], *, only: tuple[str, ...] = ()) -> Iterator[Json]:
        """Every record of a query.

        The next page is at `nextPageUrl` and needs a POST of the same body. The kit's client follows it only on the
        same host, because the credentials are in the headers.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/API_Calls/REST_Basic_Query_Calls.htm
        """
        http = self.http()
        body: Json = {"filter": filters, "MaxRecords": PAGE_SIZE}
        if only:
            # IncludeFields has to contain the ID if there is more than one page.
            body["IncludeFields"] = list(only)
        path: str | None = f"V1.0/{entity}/query"
        for _ in range(MOST_PAGES):
            answer = http.ask(path or "", body)
            yield from _items(answer)
            path = (answer.get("pageDetails") or {}).get("nextPageUrl")
            if not path:
                return
        raise endless()

    def by_ids(self, entity: str, keys: Iterable[str], *, more: Iterable[Json] = ()) -> Iterator[Json]:
        for chunk in chunks(int(key) for key in keys):
            yield from self.query(entity, [condition("in", "id", chunk), *more])

    def children(self, key: str, name: str) -> Iterator[Json]:
        """The records of one type below a ticket. Children have no `query`; their pages are read with GET."""
        http = self.http()
        path: str | None = f"V1.0/Tickets/{id_of(key)}/{name}"
        for _ in range(MOST_PAGES):
            if not path:
                return
            answer = http.get(path)
            yield from _items(answer)
            path = (answer.get("pageDetails") or {}).get("nextPageUrl")

    def spare_the_limit(self) -> None:
        """TryLater while most of the database's hourly requests are used up, by this hub or by others.

        The limit is 10,000 requests in any 60 minutes for all integrations of a database together. Beyond it, requests
        of every integration are refused. ThresholdInformation returns the number of requests made.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Thresholds_Limits.htm
        """
        memory, now = self.ports.memory, self.ports.now()
        checked = memory.get("limit_checked_at")
        if checked and now - moment(checked) < LIMIT_CHECKED_EVERY:
            return
        found = self.http().get("V1.0/ThresholdInformation") or {}
        limit, used = found.get("externalRequestThreshold") or 0, found.get("currentTimeframeRequestCount") or 0
        if limit and used >= POLL_UNTIL * limit:
            raise TryLater(
                sentence(
                    "%(used)s of the %(limit)s hourly requests are used. Polling is paused and resumes automatically.",
                    used=used,
                    limit=limit,
                ),
                after=LIMIT_CHECKED_EVERY.total_seconds(),
            )
        memory["limit_checked_at"] = written(now)


def endless() -> Refused:
    return Refused(sentence("Autotask keeps returning further pages; the list does not end."))


def _items(answer: Any) -> list[Json]:
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
        raise Refused(sentence("Autotask answered a query without a list of records."))
    return list(answer["items"])


class InAZone(Protocol):
    @property
    def api(self) -> Api: ...


Verb = TypeVar("Verb", bound=Callable[..., Any])


def in_its_zone(verb: Verb) -> Verb:
    """On a 401, look the zone up once more and try again if it changed: a database can be moved to another zone."""

    @wraps(verb)
    def asked(self: InAZone, *args: Any) -> Any:
        memory = self.api.ports.memory
        known = memory.get("zone")
        try:
            return verb(self, *args)
        except LockedOut:
            if known is None:
                raise
            memory.pop("zone")
            if self.api.zone() == known:
                raise
            return verb(self, *args)

    return cast(Verb, asked)
