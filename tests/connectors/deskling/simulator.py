"""A stateful double of Deskling's API."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit import simulating
from connectors.kit.simulating import Answer, Fault, Json, Request

ME = "900"


@dataclass
class Tenant:
    """One company's Deskling."""

    domain: str
    api_key: str = "a-key"
    people: dict[str, str] = field(default_factory=lambda: {"1": "Dora Desk"})
    lists: dict[str, list[Json]] = field(default_factory=dict)
    tickets: dict[str, Json] = field(default_factory=dict)
    comments: dict[str, Json] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    hooks: dict[str, Json] = field(default_factory=dict)
    last_id: int = 100

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


def lists() -> dict[str, list[Json]]:
    return {
        "status": [{"id": "1", "name": "New", "active": True}, {"id": "2", "name": "In work", "active": True}],
        "priority": [{"id": "1", "name": "High", "active": True}, {"id": "2", "name": "Low", "active": True}],
        "queue": [{"id": "7", "name": "Desk", "active": True}],
        "visibility": [
            {"id": "public", "name": "Public", "active": True},
            {"id": "private", "name": "Private", "active": True},
        ],
    }


class Simulator(simulating.Simulator[Tenant]):
    kind = Tenant

    def respond(self, request: Request) -> Answer:
        [tenant] = self.tenants.values()
        if request.headers.get("x-api-key") != tenant.api_key:
            raise Fault(401, {"error": "wrong key"})
        parts = request.parts[2:]
        shape = "/".join("{id}" if part.isdigit() else part for part in parts)
        keys = [part for part in parts if part.isdigit()]
        routes: dict[tuple[str, str], Callable[..., Answer]] = {
            ("GET", "me"): lambda: Answer(body={"id": ME}),
            ("GET", "lists"): lambda: Answer(body=tenant.lists),
            ("GET", "tickets"): lambda: self._page(request, tenant.tickets.values()),
            ("POST", "tickets"): lambda: self._create(tenant, _json(request)),
            ("GET", "tickets/{id}"): lambda key: Answer(body=self._ticket(tenant, key)),
            ("PATCH", "tickets/{id}"): lambda key: self._patch(tenant, key, _json(request)),
            ("GET", "tickets/{id}/comments"): lambda key: self._page(request, _of(tenant.comments, key)),
            ("POST", "tickets/{id}/comments"): lambda key: self._comment(tenant, key, _json(request)),
            ("GET", "tickets/{id}/files"): lambda key: self._page(request, _of(tenant.files, key)),
            ("POST", "tickets/{id}/files"): lambda key: self._add_file(tenant, key, _json(request)),
            ("GET", "tickets/{id}/files/{id}"): lambda key, file: Answer(
                raw=bytes.fromhex(tenant.files[file]["content"]), kind="application/octet-stream"
            ),
            ("GET", "hooks"): lambda: self._page(request, tenant.hooks.values()),
            ("POST", "hooks"): lambda: self._add_hook(tenant, _json(request)),
            ("PATCH", "hooks/{id}"): lambda key: self._patch_hook(tenant, key, _json(request)),
        }
        route = routes.get((request.method, shape))
        if route is None:
            raise Fault(404, {"error": "no such page"})
        return route(*keys)

    def _page(self, request: Request, rows: Any) -> Answer:
        query = request.query
        found = [row for row in rows if int(row["id"]) > int(query.get("after_id", 0))]
        if "changed_after" in query:
            found = [row for row in found if row["changed_at"] > query["changed_after"]]
        if "external_id" in query:
            found = [row for row in found if row["external_id"] == query["external_id"]]
        found.sort(key=lambda row: int(row["id"]))
        return Answer(body={"items": found[: int(query.get("limit", 100))]})

    def _ticket(self, tenant: Tenant, key: str) -> Json:
        if key not in tenant.tickets:
            raise Fault(404, {"error": "no such ticket"})
        return tenant.tickets[key]

    def _create(self, tenant: Tenant, data: Json) -> Answer:
        item = self._new(tenant, ME)
        tenant.tickets[str(item["id"])] = item
        return Answer(status=201, body=self._change(tenant, item, data))

    def _patch(self, tenant: Tenant, key: str, data: Json) -> Answer:
        return Answer(body=self._change(tenant, self._ticket(tenant, key), data))

    def _change(self, tenant: Tenant, item: Json, data: Json) -> Json:
        for name in ("status", "priority"):
            known = {row["id"] for row in tenant.lists[name] if row["active"]}
            if name in data and data[name] not in known:
                raise Fault(422, {"error": f"{data[name]} is no active {name}"})
        if len(data.get("title", "")) > 200:
            raise Fault(422, {"error": "the title is longer than 200 characters"})
        item |= data
        item["changed_at"] = self.stamp()
        return item

    def _comment(self, tenant: Tenant, key: str, data: Json) -> Answer:
        self._ticket(tenant, key)
        return Answer(status=201, body=self._say(tenant, key, ME, data["text"], data["public"]))

    def _add_file(self, tenant: Tenant, key: str, data: Json) -> Answer:
        self._ticket(tenant, key)
        content = base64.b64decode(data.pop("data"))
        return Answer(status=201, body=self._keep(tenant, key, ME, data, content))

    def _add_hook(self, tenant: Tenant, data: Json) -> Answer:
        hook = {"id": tenant.next_id(), "active": True, **data}
        tenant.hooks[str(hook["id"])] = hook
        return Answer(status=201, body=hook)

    def _patch_hook(self, tenant: Tenant, key: str, data: Json) -> Answer:
        tenant.hooks[key] |= data
        return Answer(body=tenant.hooks[key])

    # -- people of the tenant

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {"open": self._open, "set": self._set, "note": self._note, "file": self._attach, "delete": self._delete}

    def _open(self, tenant: Tenant, *, by: str, **fields: Any) -> Json:
        item = self._new(tenant, by) | fields
        tenant.tickets[str(item["id"])] = item
        return item

    def _set(self, tenant: Tenant, *, ticket: str, by: str, **fields: Any) -> Json:
        return self._change(tenant, tenant.tickets[ticket], {name: str(value) for name, value in fields.items()})

    def _note(self, tenant: Tenant, *, ticket: str, by: str, text: str, public: bool = True) -> Json:
        return self._say(tenant, ticket, by, text, public)

    def _attach(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str) -> Json:
        return self._keep(tenant, ticket, by, {"name": name, "description": "", "public": True}, text.encode())

    def _delete(self, tenant: Tenant, *, ticket: str, by: str) -> Json:
        return tenant.tickets.pop(ticket)

    def _new(self, tenant: Tenant, by: str) -> Json:
        at = self.stamp()
        return {
            "id": tenant.next_id(),
            "title": "",
            "description": "",
            "status": "1",
            "priority": "2",
            "queue": "7",
            "assignee": "",
            "external_id": "",
            "created_by": by,
            "created_at": at,
            "changed_at": at,
        }

    def _say(self, tenant: Tenant, ticket: str, by: str, text: str, public: bool) -> Json:
        note = {
            "id": tenant.next_id(),
            "ticket": ticket,
            "text": text,
            "public": public,
            "author": by,
            "author_name": tenant.people.get(by, "Ticket Hub"),
            "created_at": self.stamp(),
        }
        tenant.comments[str(note["id"])] = note
        tenant.tickets[ticket]["changed_at"] = self.stamp()
        return note

    def _keep(self, tenant: Tenant, ticket: str, by: str, data: Json, content: bytes) -> Json:
        file = {
            "id": tenant.next_id(),
            "ticket": ticket,
            "author": by,
            "author_name": tenant.people.get(by, "Ticket Hub"),
            "created_at": self.stamp(),
            "size": len(content),
            "content": content.hex(),
            **data,
        }
        tenant.files[str(file["id"])] = file
        tenant.tickets[ticket]["changed_at"] = self.stamp()
        return {name: value for name, value in file.items() if name != "content"}


def _of(rows: Mapping[str, Json], ticket: str) -> list[Json]:
    return [{k: v for k, v in row.items() if k != "content"} for row in rows.values() if row["ticket"] == ticket]


def _json(request: Request) -> Json:
    return dict(json.loads(request.body))
