"""A stateful double of the Autotask REST API: several tenants, one WSGI application.

It keeps what it was told, refuses what the real service refuses, pages, throttles, signs and sends
webhooks. Technicians of a tenant act through `Tenant` (or over /_people/, for another process).
Its state and its webhooks' targets survive a restart where a path is given.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

from connectors.autotask.connector import signature

Json = dict[str, Any]
Now = Callable[[], datetime]
Respond = Callable[..., Any]

HOOK_TRIES = 5
HOOK_SECONDS = 10
DISABLED_AFTER = 25
API_LICENCE = 7
STATUSES = {"1": "New", "8": "In Progress", "7": "Waiting Customer", "12": "Waiting Vendor", "5": "Complete"}
PRIORITIES = {"4": "Critical", "1": "High", "2": "Medium", "3": "Low"}
NOTE_TYPES = {"1": "Task Summary", "2": "Task Detail", "13": "Workflow Rule Note"}
PUBLISH = {"1": "All Autotask Users", "2": "Internal Users Only"}


class Fault(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, *errors: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(status, errors)
        self.status, self.errors, self.headers = status, errors, tuple(headers)


@dataclass
class Tenant:
    """One company's Autotask database."""

    name: str
    domain: str
    time_zone: str = "UTC"
    statuses: dict[str, str] = field(default_factory=lambda: dict(STATUSES))
    priorities: dict[str, str] = field(default_factory=lambda: dict(PRIORITIES))
    queues: dict[str, str] = field(default_factory=lambda: {"8": "Service Desk"})
    note_types: dict[str, str] = field(default_factory=lambda: dict(NOTE_TYPES))
    publish: dict[str, str] = field(default_factory=lambda: dict(PUBLISH))
    people: dict[str, str] = field(default_factory=dict)
    companies: dict[str, str] = field(default_factory=dict)
    secret: str = "a-secret"
    integration_code: str = "HUBCODE"
    tickets: dict[str, Json] = field(default_factory=dict)
    notes: dict[str, Json] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    hooks: dict[str, Json] = field(default_factory=dict)
    last_id: int = 7000
    requests: int = 0
    threshold: int = 10_000

    @property
    def api_user(self) -> str:
        return f"hub@{self.domain}"

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


@dataclass
class Injected:
    """A fault to happen to the next calls that match: method, path part, how often."""

    method: str
    path: str
    status: int = 500
    times: int = 1
    loses_answer: bool = False
    """The call takes effect, and its answer never arrives."""
    headers: tuple[tuple[str, str], ...] = ()


class Simulator:
    """The WSGI application; `base` is where it can be reached."""

    def __init__(self, tenants: Iterable[Tenant], *, base: str, now: Now, path: Path | None = None) -> None:
        self.tenants = {tenant.domain: tenant for tenant in tenants}
        self.base, self.now, self.path = base.rstrip("/"), now, path
        self.lock = threading.RLock()
        self.faults: list[Injected] = []
        self.seen: list[tuple[str, str]] = []
        self._load()

    # -- WSGI

    def __call__(self, environ: Json, start_response: Respond) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
        self.seen.append((method, path))
        fault = self._fault(method, path)
        headers: tuple[tuple[str, str], ...] = ()
        try:
            if fault and not fault.loses_answer:
                raise Fault(fault.status, headers=fault.headers)
            with self.lock:
                status, answer = 200, self._route(method, path, query, body, environ)
            if fault:
                status, answer = fault.status, None
        except Fault as error:
            status, answer, headers = error.status, {"errors": list(error.errors)}, error.headers
            if not error.errors:
                answer = None
        content = b"" if answer is None else json.dumps(answer).encode()
        start_response(
            f"{status} {_REASONS.get(status, 'Unknown')}",
            [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers],
        )
        return [content]

    def _fault(self, method: str, path: str) -> Injected | None:
        for fault in self.faults:
            if fault.times and fault.method == method and fault.path in path:
                fault.times -= 1
                return fault
        return None

    def _route(self, method: str, path: str, query: Json, body: bytes, environ: Json) -> Any:
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["_people"]:
            return self._people(parts[1:], json.loads(body or b"{}"))
        if [part.lower() for part in parts[:2]] != ["atservicesrest", "v1.0"]:
            raise Fault(404)
        parts = parts[2:]
        if parts == ["ZoneInformation"]:
            return self._zone(query)
        tenant = self._authenticated(environ)
        tenant.requests += 1
        if tenant.requests > tenant.threshold:
            raise Fault(429, "The request threshold was exceeded.", headers=[("Retry-After", "60")])
        data = _json(body)
        handler = _Answers(self, tenant)
        answer = handler.answer(method, parts, query, data)
        if method in ("POST", "PATCH") and parts[-1:] != ["query"]:
            self._save()
        return answer

    def _zone(self, query: Json) -> Json:
        domain = str(query.get("user", "")).partition("@")[2]
        if domain not in self.tenants:
            raise Fault(500, "Zone information could not be determined")
        return {"zoneName": "Demo", "url": f"{self.base}/ATServicesRest/", "webUrl": f"{self.base}/", "ci": 1}

    def _authenticated(self, environ: Json) -> Tenant:
        user = environ.get("HTTP_USERNAME", "")
        tenant = self.tenants.get(user.partition("@")[2])
        if tenant is None or user != tenant.api_user or environ.get("HTTP_SECRET") != tenant.secret:
            raise Fault(401, "Unauthorized")
        if environ.get("HTTP_APIINTEGRATIONCODE") != tenant.integration_code:
            raise Fault(500, "IntegrationCode is invalid.")
        return tenant

    # -- people of a tenant

    def act(self, domain: str, verb: str, **what: Any) -> Json:
        """Somebody in the tenant does something in their own screen; webhooks go out as for real."""
        with self.lock:
            tenant = self.tenants[domain]
            acts: dict[str, Callable[..., Json]] = {
                "open": self._open,
                "set": self._set,
                "note": self._write,
                "file": self._attach,
            }
            answer = acts[verb](tenant, **what)
            self._save()
        return answer

    def _people(self, parts: list[str], what: Json) -> Json:
        if parts[:1] == ["state"]:
            return {domain: asdict(tenant) for domain, tenant in self.tenants.items()}
        return self.act(parts[0], parts[1], **what)

    def _open(self, tenant: Tenant, *, by: str, **fields: Any) -> Json:
        item = _new_ticket(tenant, self._stamp(), by) | fields
        tenant.tickets[str(item["id"])] = item
        self.changed(tenant, item, "Create", by, sorted(fields))
        return item

    def _set(self, tenant: Tenant, *, ticket: str, by: str, **fields: Any) -> Json:
        item = tenant.tickets[ticket]
        item |= fields
        self.touch(item, by)
        self.changed(tenant, item, "Update", by, sorted(fields))
        return item

    def _write(self, tenant: Tenant, *, ticket: str, by: str, text: str, publish: int = 1) -> Json:
        note = self.add_note(tenant, ticket, by, {"title": text[:60], "description": text, "publish": publish})
        self.changed(tenant, tenant.tickets[ticket], "Update", by, ["lastActivityDate"])
        return note

    def _attach(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str, publish: int = 1) -> Json:
        data = {"fullPath": name, "title": name, "publish": publish, "data": base64.b64encode(text.encode()).decode()}
        file = self.add_file(tenant, ticket, by, data)
        self.changed(tenant, tenant.tickets[ticket], "Update", by, ["lastActivityDate"])
        return file

    # -- what both the API and people do

    def _stamp(self) -> str:
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def touch(self, item: Json, by: str) -> None:
        item["lastActivityDate"] = item["lastTrackedModificationDateTime"] = self._stamp()
        item["lastActivityResourceID"] = int(by)

    def add_note(self, tenant: Tenant, ticket: str, by: str, data: Json) -> Json:
        at = self._stamp()
        note = {
            "noteType": 1,
            **data,
            "id": tenant.next_id(),
            "ticketID": int(ticket),
            "createDateTime": at,
            "lastActivityDate": at,
            "creatorResourceID": int(by),
        }
        tenant.notes[str(note["id"])] = note
        self.touch(tenant.tickets[ticket], by)
        return note

    def add_file(self, tenant: Tenant, ticket: str, by: str, data: Json) -> Json:
        file = {
            "attachmentType": "FILE_ATTACHMENT",
            **data,
            "id": tenant.next_id(),
            "parentID": int(ticket),
            "attachDate": self._stamp(),
            "attachedByResourceID": int(by),
            "fileSize": len(base64.b64decode(data["data"])),
        }
        tenant.files[str(file["id"])] = file
        self.touch(tenant.tickets[ticket], by)
        return file

    # -- webhooks

    def changed(self, tenant: Tenant, item: Json, action: str, by: str, fields: list[str]) -> None:
        for hook in tenant.hooks.values():
            if not hook["isActive"] or int(by) in hook["excluded"]:
                continue
            hook["sequence"] += 1
            news = {
                "Action": action,
                "Guid": hook["webhookGUID"],
                "EntityType": "Ticket",
                "Id": item["id"],
                "Fields": {name[:1].upper() + name[1:]: str(item.get(name, "")) for name in fields},
                "EventTime": self._stamp(),
                "SequenceNumber": hook["sequence"],
                "PersonId": int(by),
            }
            threading.Thread(target=self._deliver, args=(tenant, hook, json.dumps(news).encode()), daemon=True).start()

    def _deliver(self, tenant: Tenant, hook: Json, body: bytes) -> None:
        pause = threading.Event()
        for attempt in range(HOOK_TRIES):
            request = urllib.request.Request(
                hook["webhookUrl"],
                data=body,
                headers={"Content-Type": "application/json", "X-Hook-Signature": signature(hook["secretKey"], body)},
            )
            try:
                with urllib.request.urlopen(request, timeout=HOOK_SECONDS) as answer:
                    if 200 <= answer.status < 300:
                        hook["failures"] = 0
                        return
            except OSError:
                pause.wait(min(30, 2**attempt))
        hook["failures"] += 1
        if hook["failures"] >= DISABLED_AFTER:
            hook["isActive"] = False

    # -- state

    def _save(self) -> None:
        if self.path is None:
            return
        state = {domain: asdict(tenant) for domain, tenant in self.tenants.items()}
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self.path)

    def _load(self) -> None:
        if self.path is None or not self.path.exists():
            return
        for domain, state in json.loads(self.path.read_text()).items():
            if domain in self.tenants:
                self.tenants[domain] = Tenant(**state)


class _Answers:
    """The API's own routes for one authenticated tenant."""

    def __init__(self, simulator: Simulator, tenant: Tenant) -> None:
        self.simulator, self.tenant = simulator, tenant
        self.me = _api_resource(tenant)

    def answer(self, method: str, parts: list[str], query: Json, data: Json) -> Any:
        entity, rest = parts[0], parts[1:]
        if rest[:1] == ["entityInformation"]:
            return {"fields": self._fields(entity)}
        if method == "POST" and rest[:1] == ["query"]:
            return self._query(entity, rest, query, data)
        route = _ROUTES.get((method, entity, len(rest), rest[1] if len(rest) > 1 else ""))
        if route is None:
            raise Fault(405 if entity == "Tickets" and method == "PATCH" else 404)
        return route(self, rest, data)

    def threshold(self, _rest: list[str], _data: Json) -> Json:
        return {
            "externalRequestThreshold": self.tenant.threshold,
            "requestThresholdTimeframe": 60,
            "currentTimeframeRequestCount": self.tenant.requests,
        }

    def ticket(self, rest: list[str], _data: Json) -> Json:
        return {"item": self.tenant.tickets.get(rest[0])}

    def company(self, rest: list[str], _data: Json) -> Json:
        name = self.tenant.companies.get(rest[0])
        return {"item": {"id": int(rest[0]), "companyName": name, "isActive": True} if name else None}

    def create(self, _rest: list[str], data: Json) -> Json:
        for name in ("companyID", "title", "status", "priority"):
            if data.get(name) in (None, ""):
                raise Fault(500, f"Missing required field: {name}.")
        self._known("companyID", data["companyID"], self.tenant.companies)
        resource = data.get("assignedResourceID") is not None
        if not data.get("queueID") and not (resource and data.get("assignedResourceRoleID") is not None):
            raise Fault(500, "Either a queue, or a resource with a role, is required.")
        if not data.get("dueDateTime"):
            raise Fault(500, "Missing required field: dueDateTime.")
        self._checked(data)
        item = _new_ticket(self.tenant, self.simulator._stamp(), self.me) | data
        item["id"] = self.tenant.last_id
        self.tenant.tickets[str(item["id"])] = item
        self.simulator.changed(self.tenant, item, "Create", self.me, sorted(data))
        return {"itemId": item["id"]}

    def patch(self, _rest: list[str], data: Json) -> Json:
        item = self.tenant.tickets.get(str(data.get("id")))
        if item is None:
            raise Fault(404, "The ticket does not exist.")
        self._checked(data)
        item |= data
        self.simulator.touch(item, self.me)
        self.simulator.changed(self.tenant, item, "Update", self.me, sorted(set(data) - {"id"}))
        return {"itemId": item["id"]}

    def notes(self, rest: list[str], _data: Json) -> Json:
        return _page([n for n in self.tenant.notes.values() if str(n["ticketID"]) == rest[0]])

    def add_note(self, rest: list[str], data: Json) -> Json:
        self._parent(rest[0])
        if not data.get("description") or len(data.get("title") or "") > 250:
            raise Fault(500, "Missing or too long: description, title.")
        self._known("noteType", data.get("noteType"), self.tenant.note_types)
        self._known("publish", data.get("publish"), self.tenant.publish)
        note = self.simulator.add_note(self.tenant, rest[0], self.me, data)
        return {"itemId": note["id"]}

    def add_file(self, rest: list[str], data: Json) -> Json:
        self._parent(rest[0])
        self._known("publish", data.get("publish"), self.tenant.publish)
        if len(data.get("data") or "") > 10_000_000:
            raise Fault(500, "The attachment is too large.")
        return {"itemId": self.simulator.add_file(self.tenant, rest[0], self.me, data)["id"]}

    def file(self, rest: list[str], _data: Json) -> Json:
        # Only this call returns the content, and it wraps the one record in a list.
        found = self.tenant.files.get(rest[2])
        return {"items": [found] if found else [], "pageDetails": _details(1)}

    def add_hook(self, _rest: list[str], data: Json) -> Json:
        if not data.get("webhookUrl") or not data.get("deactivationUrl") or len(data.get("secretKey", "")) > 64:
            raise Fault(500, "webhookUrl, deactivationUrl and a secretKey of at most 64 characters are required.")
        made = self.tenant.next_id()
        self.tenant.hooks[str(made)] = {
            **data,
            "id": made,
            "webhookGUID": f"00000000-0000-4000-8000-{made:012d}",
            "fields": [],
            "excluded": [],
            "sequence": 0,
            "failures": 0,
        }
        return {"itemId": made}

    def add_hook_field(self, rest: list[str], data: Json) -> Json:
        self.tenant.hooks[rest[0]]["fields"].append(data["fieldID"])
        return {"itemId": self.tenant.next_id()}

    def exclude(self, rest: list[str], data: Json) -> Json:
        self.tenant.hooks[rest[0]]["excluded"].append(data["resourceID"])
        return {"itemId": self.tenant.next_id()}

    def not_at_the_root(self, _rest: list[str], _data: Json) -> Json:
        raise Fault(404, "Create it through its ticket.")

    def _parent(self, key: str) -> None:
        if key not in self.tenant.tickets:
            raise Fault(404, "The ticket does not exist.")

    def _checked(self, data: Json) -> None:
        for name, known in (
            ("status", self.tenant.statuses),
            ("priority", self.tenant.priorities),
            ("queueID", self.tenant.queues),
        ):
            if name in data:
                self._known(name, data[name], known)
        if len(data.get("title") or "") > 255 or len(data.get("description") or "") > 8000:
            raise Fault(500, "String or binary data would be truncated.")
        if (data.get("assignedResourceID") is None) != (data.get("assignedResourceRoleID") is None):
            raise Fault(500, "A resource needs its role.")

    def _known(self, name: str, value: Any, known: dict[str, str]) -> None:
        if not isinstance(value, int) or str(value) not in known:
            raise Fault(500, f"Value does not reference an existing entity for {name} . ")

    def _query(self, entity: str, rest: list[str], query: Json, data: Json) -> Json:
        records = self._records(entity)
        if rest[1:] == ["count"]:
            return {"queryCount": len(list(_matching(records, data)))}
        most = data.get("MaxRecords", 500)
        if not isinstance(most, int) or not 1 <= most <= 500:
            raise Fault(500, "maxCountOfRecordsToReturn must be between 1 and 500")
        if not data.get("filter"):
            raise Fault(500, "A filter is required.")
        found = sorted(_matching(records, data), key=lambda record: record["id"])
        start = json.loads(query["paging"])["start"] if "paging" in query else 0
        following = start + most
        url = None
        if following < len(found):
            paging = urllib.parse.quote(json.dumps({"start": following}))
            url = f"{self.simulator.base}/ATServicesRest/V1.0/{entity}/query?paging={paging}"
        page = [_without_content(record) for record in found[start:following]]
        return {"items": page, "pageDetails": _details(len(page), url)}

    def _records(self, entity: str) -> list[Json]:
        if entity == "Resources":
            people = [_resource(key, name, self.tenant) for key, name in self.tenant.people.items()]
            return [*people, _resource(self.me, "Ticket Hub", self.tenant, user=self.tenant.api_user)]
        kinds = {"Tickets": self.tenant.tickets, "TicketNotes": self.tenant.notes, "AttachmentInfo": self.tenant.files}
        if entity not in kinds:
            raise Fault(404)
        return list(kinds[entity].values())

    def _fields(self, entity: str) -> list[Json]:
        lists: dict[str, dict[str, dict[str, str]]] = {
            "Tickets": {
                "status": self.tenant.statuses,
                "priority": self.tenant.priorities,
                "queueID": self.tenant.queues,
                "source": {"4": "Email", "8": "Monitoring"},
            },
            "TicketNotes": {"noteType": self.tenant.note_types, "publish": self.tenant.publish},
            "TicketWebhookFields": {
                "fieldID": {"1": "Status", "2": "Priority", "3": "Title", "4": "Description", "5": "QueueID"}
            },
        }
        return [_field(name, values) for name, values in lists.get(entity, {}).items()]


_ROUTES: dict[tuple[str, str, int, str], Callable[[_Answers, list[str], Json], Json]] = {
    ("GET", "ThresholdInformation", 0, ""): _Answers.threshold,
    ("GET", "Companies", 1, ""): _Answers.company,
    ("GET", "Tickets", 1, ""): _Answers.ticket,
    ("POST", "Tickets", 0, ""): _Answers.create,
    ("PATCH", "Tickets", 0, ""): _Answers.patch,
    ("GET", "Tickets", 2, "Notes"): _Answers.notes,
    ("POST", "Tickets", 2, "Notes"): _Answers.add_note,
    ("POST", "Tickets", 2, "Attachments"): _Answers.add_file,
    ("GET", "Tickets", 3, "Attachments"): _Answers.file,
    ("POST", "TicketNotes", 0, ""): _Answers.not_at_the_root,
    ("POST", "TicketWebhooks", 0, ""): _Answers.add_hook,
    ("POST", "TicketWebhooks", 2, "Fields"): _Answers.add_hook_field,
    ("POST", "TicketWebhooks", 2, "ExcludedResources"): _Answers.exclude,
}
_REASONS = {
    200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


def _json(body: bytes) -> Json:
    try:
        return dict(json.loads(body)) if body else {}
    except (ValueError, TypeError) as error:
        raise Fault(500, "The request body cannot be read.") from error


def _new_ticket(tenant: Tenant, at: str, by: str) -> Json:
    made = tenant.next_id()
    return {
        "id": made,
        "ticketNumber": f"T{at[:10].replace('-', '')}.{made % 10_000:04d}",
        "status": 1,
        "priority": 2,
        "queueID": int(next(iter(tenant.queues))),
        "companyID": int(next(iter(tenant.companies), "0")),
        "createDate": at,
        "lastActivityDate": at,
        "lastTrackedModificationDateTime": at,
        "creatorResourceID": int(by),
        "lastActivityResourceID": int(by),
        "externalID": "",
        "description": "",
    }


def _api_resource(tenant: Tenant) -> str:
    return str(max((int(key) for key in tenant.people), default=29682800) + 1)


def _resource(key: str, name: str, tenant: Tenant, *, user: str = "") -> Json:
    first, _, last = name.partition(" ")
    return {
        "id": int(key),
        "firstName": first,
        "lastName": last,
        "userName": user or f"{first.lower()}@{tenant.domain}",
        "isActive": True,
        "licenseType": API_LICENCE if user else 1,
    }


def _field(name: str, values: dict[str, str]) -> Json:
    return {
        "name": name,
        "dataType": "integer",
        "length": 0,
        "isRequired": name in ("status", "priority"),
        "isReadOnly": False,
        "isQueryable": True,
        "isReference": False,
        "referenceEntityType": "",
        "isPickList": True,
        "picklistParentValueField": "",
        "isSupportedWebhookField": True,
        "picklistValues": [
            {
                "value": value,
                "label": label,
                "isDefaultValue": False,
                "sortOrder": index,
                "parentValue": "",
                "isActive": True,
                "isSystem": value == "5",
            }
            for index, (value, label) in enumerate(values.items(), start=1)
        ],
    }


def _without_content(record: Json) -> Json:
    return {name: value for name, value in record.items() if name != "data"}


def _page(records: list[Json]) -> Json:
    return {"items": records, "pageDetails": _details(len(records))}


def _details(count: int, following: str | None = None) -> Json:
    return {"count": count, "requestCount": 500, "prevPageUrl": None, "nextPageUrl": following}


def _matching(records: Iterable[Json], data: Json) -> Iterator[Json]:
    for record in records:
        if all(_holds(record, leaf) for leaf in data["filter"]):
            yield record


def _holds(record: Json, leaf: Json) -> bool:
    op = leaf.get("op")
    if op in ("and", "or"):
        return (all if op == "and" else any)(_holds(record, item) for item in leaf["items"])
    names = {name.lower(): name for name in record}
    value, wanted = record.get(names.get(str(leaf.get("field", "")).lower(), "")), leaf.get("value")
    if op not in _OPERATORS:
        raise Fault(500, f"Unknown operator {op}.")
    return _OPERATORS[op](value, wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: value is not None and compare(value, wanted)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "noteq": lambda value, wanted: value != wanted,
    "gt": _ordered(lambda value, wanted: value > wanted),
    "gte": _ordered(lambda value, wanted: value >= wanted),
    "lt": _ordered(lambda value, wanted: value < wanted),
    "lte": _ordered(lambda value, wanted: value <= wanted),
    "in": lambda value, wanted: value in wanted,
    "notIn": lambda value, wanted: value not in wanted,
    "contains": lambda value, wanted: str(wanted).lower() in str(value or "").lower(),
    "beginsWith": lambda value, wanted: str(value or "").lower().startswith(str(wanted).lower()),
    "endsWith": lambda value, wanted: str(value or "").lower().endswith(str(wanted).lower()),
    "exist": lambda value, _wanted: value not in (None, ""),
    "notExist": lambda value, _wanted: value in (None, ""),
}


class QuietServer(WSGIServer):
    """A threading loopback server for simulators."""

    daemon_threads = True
    request_queue_size = 64

    def process_request(self, request: Any, client_address: Any) -> None:
        threading.Thread(target=self._one, args=(request, client_address), daemon=True).start()

    def _one(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)

    def server_bind(self) -> None:
        # The stock server looks up its own host name, which can take seconds on a closed network.
        import socketserver

        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()
