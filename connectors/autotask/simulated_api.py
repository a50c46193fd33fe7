"""The responses of the simulated Autotask API, for one request of one authenticated tenant.

https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/API_Calls/REST_Basic_Query_Calls.htm
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from connectors.autotask.simulated_tenant import Desk, Tenant, is_ready, moment, new_ticket, refused
from connectors.kit.simulating import Fault, Json, Request

API_LICENCE, ATTACHED_BYTES, ATTACHED_WITHIN = 7, 10_000_000, timedelta(minutes=5)


class Api:
    """The routes for one request."""

    def __init__(self, simulator: Desk, tenant: Tenant, request: Request) -> None:
        self.simulator, self.tenant, self.request = simulator, tenant, request
        self.me = tenant.api_resource

    def answer(self, parts: list[str]) -> Any:
        data = _json(self.request.body)
        entity, rest = (parts or [""])[0], parts[1:]
        if rest[:1] == ["entityInformation"]:
            return {"fields": self._fields(entity)}
        if rest[:1] == ["query"] and self.request.method in ("POST", "GET"):
            return self._query(entity, rest, data or _json(self.request.query.get("search", "").encode()))
        route = ROUTES.get((self.request.method, entity, len(rest), rest[1] if len(rest) > 1 else ""))
        if route is None:
            raise Fault(405 if entity == "Tickets" and self.request.method == "PATCH" else 404)
        return route(self, rest, data)

    def author(self) -> str:
        """The author of a write: our API user, or a resource that it may impersonate."""
        wanted = self.request.headers.get("impersonationresourceid", "")
        if not wanted:
            return self.me
        if wanted not in self.tenant.people or wanted not in self.tenant.impersonable:
            raise refused("The impersonated resource does not have the adequate permissions.")
        return wanted

    def threshold(self, _rest: list[str], _data: Json) -> Json:
        return {
            "externalRequestThreshold": self.tenant.threshold,
            "requestThresholdTimeframe": 60,
            "currentTimeframeRequestCount": self.tenant.requests,
        }

    # -- tickets

    def ticket(self, rest: list[str], _data: Json) -> Json:
        self._parent(rest[0])
        return {"item": self.tenant.tickets[rest[0]]}

    def company(self, rest: list[str], _data: Json) -> Json:
        if rest[0] not in self.tenant.companies:
            raise refused("The company does not exist.", status=404)
        return {"item": {"id": int(rest[0]), "companyName": self.tenant.companies[rest[0]], "isActive": True}}

    def create(self, _rest: list[str], data: Json) -> Json:
        for name in ("companyID", "title", "status", "priority"):
            if data.get(name) in (None, ""):
                raise refused(f"Missing required field: {name}.")
        self._known("companyID", data["companyID"], self.tenant.companies)
        resource = data.get("assignedResourceID") is not None
        if not data.get("queueID") and not (resource and data.get("assignedResourceRoleID") is not None):
            raise refused("Either a queue, or a resource with a role, is required.")
        if not data.get("dueDateTime"):
            raise refused("Missing required field: dueDateTime.")
        self._checked(data)
        author = self.author()
        item = new_ticket(self.tenant, self.simulator.stamp(), author) | data
        item["id"] = self.tenant.last_id
        self.tenant.tickets[str(item["id"])] = item
        self.simulator.changed(self.tenant, item, "Create", author, sorted(data))
        return {"itemId": item["id"]}

    def patch(self, _rest: list[str], data: Json) -> Json:
        item = self.tenant.tickets.get(str(data.get("id")))
        if item is None:
            raise refused("The ticket does not exist.", status=404)
        self._checked(data)
        author = self.author()
        item |= data
        self.simulator.touch(item, author)
        self.simulator.changed(self.tenant, item, "Update", author, sorted(set(data) - {"id"}))
        return {"itemId": item["id"]}

    def _checked(self, data: Json) -> None:
        for name, known in (
            ("status", self.tenant.statuses),
            ("priority", self.tenant.priorities),
            ("queueID", self.tenant.queues),
        ):
            if name in data:
                self._known(name, data[name], known)
        if len(data.get("title") or "") > 255 or len(data.get("description") or "") > 8000:
            raise refused("String or binary data would be truncated.")
        if len(data.get("externalID") or "") > 50:
            raise refused("String or binary data would be truncated.")
        if (data.get("assignedResourceID") is None) != (data.get("assignedResourceRoleID") is None):
            raise refused("A resource needs its role.")
        for udf in data.get("userDefinedFields") or ():
            if udf.get("name") not in self.tenant.udfs:
                raise refused(f"User-defined field {udf.get('name')} does not exist.")

    def _known(self, name: str, value: Any, known: dict[str, str]) -> None:
        if not isinstance(value, int) or str(value) not in known or f"{name}:{value}" in self.tenant.inactive:
            raise refused(f"Value does not reference an existing entity for {name} . ")

    # -- notes and files

    def notes(self, rest: list[str], _data: Json) -> Json:
        return _page([n for n in self.tenant.notes.values() if str(n["ticketID"]) == rest[0]])

    def add_note(self, rest: list[str], data: Json) -> Json:
        self._parent(rest[0])
        if not data.get("description") or len(data.get("title") or "") > 250 or len(data["description"]) > 32000:
            raise refused("Missing or too long: description, title.")
        self._known("noteType", data.get("noteType"), self.tenant.note_types)
        self._known("publish", data.get("publish"), self.tenant.publish)
        author = self.author()
        if author != self.me:
            data = data | {"impersonatorCreatorResourceID": int(self.me)}
        return {"itemId": self.simulator.add_note(self.tenant, rest[0], author, data)["id"]}

    def add_file(self, rest: list[str], data: Json) -> Json:
        self._parent(rest[0])
        self._known("publish", data.get("publish"), self.tenant.publish)
        size = len(base64.b64decode(data.get("data") or ""))
        if size > 7_000_000:
            raise refused("The attachment is too large.")
        since = self.simulator.now() - ATTACHED_WITHIN
        recent = sum(f["fileSize"] for f in self.tenant.files.values() if moment(f["attachDate"]) > since)
        if recent + size > ATTACHED_BYTES:
            raise refused("Attachments of more than 10,000,000 bytes within five minutes.", status=429)
        return {"itemId": self.simulator.add_file(self.tenant, rest[0], self.author(), data)["id"]}

    def file(self, rest: list[str], _data: Json) -> Json:
        # Only this request returns the content, in a list of one record.
        found = self.tenant.files.get(rest[2])
        return {"items": [found] if found else [], "pageDetails": _details(1)}

    def not_at_the_root(self, _rest: list[str], _data: Json) -> Json:
        raise refused("Create it through its ticket.", status=404)

    def _parent(self, key: str) -> None:
        if key not in self.tenant.tickets:
            raise refused("The ticket does not exist.", status=404)

    # -- webhooks

    def add_hook(self, _rest: list[str], data: Json) -> Json:
        if not data.get("webhookUrl") or not data.get("deactivationUrl") or len(data.get("secretKey", "")) > 64:
            raise refused("webhookUrl, deactivationUrl and a secretKey of at most 64 characters are required.")
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

    def patch_hook(self, _rest: list[str], data: Json) -> Json:
        hook = self._hook(str(data.get("id")))
        hook |= data
        if data.get("isActive"):
            hook["failures"] = 0
        return {"itemId": hook["id"]}

    def hook(self, rest: list[str], _data: Json) -> Json:
        found = self.tenant.hooks.get(rest[0])
        return {"item": _shown_hook(found) if found else None}

    def add_hook_field(self, rest: list[str], data: Json) -> Json:
        self._hook(rest[0])["fields"].append(data["fieldID"])
        return {"itemId": self.tenant.next_id()}

    def hook_fields(self, rest: list[str], _data: Json) -> Json:
        hook = self._hook(rest[0])
        terms = {"webhookID": hook["id"], "isSubscribedField": True, "isDisplayAlwaysField": False}
        return _page([{"id": number, "fieldID": field, **terms} for number, field in enumerate(hook["fields"], 1)])

    def excluded(self, rest: list[str], _data: Json) -> Json:
        hook = self._hook(rest[0])
        return _page(
            [
                {"id": number, "webhookID": hook["id"], "resourceID": who}
                for number, who in enumerate(hook["excluded"], 1)
            ]
        )

    def exclude(self, rest: list[str], data: Json) -> Json:
        self._hook(rest[0])["excluded"].append(data["resourceID"])
        return {"itemId": self.tenant.next_id()}

    def _hook(self, key: str) -> Json:
        if key not in self.tenant.hooks:
            raise refused("The webhook does not exist.", status=404)
        return self.tenant.hooks[key]

    # -- queries and metadata

    def _query(self, entity: str, rest: list[str], data: Json) -> Json:
        records = self._records(entity)
        if not data.get("filter"):
            raise refused("A filter is required.")
        if rest[1:] == ["count"]:
            return {"queryCount": len(list(_matching(records, data)))}
        most = data.get("MaxRecords", 500)
        if not isinstance(most, int) or not 1 <= most <= 500:
            raise refused("maxCountOfRecordsToReturn must be between 1 and 500")
        found = sorted(_matching(records, data), key=lambda record: record["id"])
        query = self.request.query
        start = json.loads(query["paging"])["start"] if "paging" in query else 0
        following = start + most
        url = None
        if following < len(found):
            paging = urllib.parse.quote(json.dumps({"start": following}))
            url = f"{self.simulator.base}/ATServicesRest/V1.0/{entity}/query?paging={paging}"
        page = [_without_content(record) for record in found[start:following]]
        return {"items": page, "pageDetails": _details(len(page), url)}

    def _records(self, entity: str) -> list[Json]:
        tenant = self.tenant
        if entity == "Resources":
            people = [_resource(key, name, tenant) for key, name in tenant.people.items()]
            return [*people, _resource(self.me, "Ticket Hub", tenant, user=tenant.api_user)]
        if entity == "TicketWebhooks":
            return [_shown_hook(hook) for hook in tenant.hooks.values()]
        if entity == "Companies":
            return [{"id": int(k), "companyName": name, "isActive": True} for k, name in tenant.companies.items()]
        kinds = {
            "Tickets": tenant.tickets,
            "TicketNotes": tenant.notes,
            "TimeEntries": tenant.times,
            "AttachmentInfo": tenant.files,
            "DeletedTicketLogs": tenant.deleted,
        }
        if entity not in kinds:
            raise Fault(404)
        return list(kinds[entity].values())

    def _fields(self, entity: str) -> list[Json]:
        tenant = self.tenant
        lists: dict[str, dict[str, dict[str, str]]] = {
            "Tickets": {
                "status": tenant.statuses,
                "priority": tenant.priorities,
                "queueID": tenant.queues,
                "source": {"4": "Email", "8": "Monitoring"},
            },
            "TicketNotes": {"noteType": tenant.note_types, "publish": tenant.publish},
            "TicketWebhookFields": {
                "fieldID": {"1": "Status", "2": "Priority", "3": "Title", "4": "Description", "5": "QueueID"}
            },
        }
        return [_field(name, values, tenant.inactive) for name, values in lists.get(entity, {}).items()]


ROUTES: dict[tuple[str, str, int, str], Callable[[Api, list[str], Json], Json]] = {
    ("GET", "ThresholdInformation", 0, ""): Api.threshold,
    ("GET", "Companies", 1, ""): Api.company,
    ("GET", "Tickets", 1, ""): Api.ticket,
    ("POST", "Tickets", 0, ""): Api.create,
    ("PATCH", "Tickets", 0, ""): Api.patch,
    ("GET", "Tickets", 2, "Notes"): Api.notes,
    ("POST", "Tickets", 2, "Notes"): Api.add_note,
    ("POST", "Tickets", 2, "Attachments"): Api.add_file,
    ("GET", "Tickets", 3, "Attachments"): Api.file,
    ("POST", "TicketNotes", 0, ""): Api.not_at_the_root,
    ("POST", "TicketWebhooks", 0, ""): Api.add_hook,
    ("PATCH", "TicketWebhooks", 0, ""): Api.patch_hook,
    ("GET", "TicketWebhooks", 1, ""): Api.hook,
    ("GET", "TicketWebhooks", 2, "Fields"): Api.hook_fields,
    ("GET", "TicketWebhooks", 2, "ExcludedResources"): Api.excluded,
    ("POST", "TicketWebhooks", 2, "Fields"): Api.add_hook_field,
    ("POST", "TicketWebhooks", 2, "ExcludedResources"): Api.exclude,
}


def _json(body: bytes) -> Json:
    try:
        return dict(json.loads(body)) if body else {}
    except (ValueError, TypeError) as error:
        raise refused("The request body cannot be read.") from error


def _shown_hook(hook: Json) -> Json:
    """A webhook as the API returns it, without its secret."""
    hidden = ("fields", "excluded", "sequence", "failures", "secretKey")
    return {name: value for name, value in hook.items() if name not in hidden} | {"isReady": is_ready(hook)}


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


def _field(name: str, values: dict[str, str], inactive: list[str]) -> Json:
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
                "isActive": f"{name}:{value}" not in inactive,
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
    if op not in _OPERATORS:
        raise refused(f"Unknown operator {op}.")
    return _OPERATORS[op](_value(record, leaf), leaf.get("value"))


def _value(record: Json, leaf: Json) -> Any:
    wanted = str(leaf.get("field", ""))
    if leaf.get("udf"):
        udfs = record.get("userDefinedFields") or ()
        return next((udf["value"] for udf in udfs if udf["name"] == wanted), None)
    names = {name.lower(): name for name in record}
    return record.get(names.get(wanted.lower(), ""))


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
