"""A stateful simulator of Redmine's REST API, with the behaviour of a real Redmine 5.0.4.

Like the real one, it returns 204 for an unknown or forbidden status and for unknown fields without applying them,
ignores an unknown filter, and returns an empty list with 200 if the API key is missing.

https://www.redmine.org/projects/redmine/wiki/Rest_Issues
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit import simulating
from connectors.kit.simulating import Answer, Fault, Json, Request

REFERENCE_FIELD = 1
LARGEST_PAGE = 100


def statuses() -> dict[str, Json]:
    names = ("New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected")
    return {str(n): {"id": n, "name": name, "is_closed": n >= 5} for n, name in enumerate(names, 1)}


def priorities() -> dict[str, Json]:
    names = ("Low", "Normal", "High", "Urgent", "Immediate")
    return {str(n): {"id": n, "name": name, "is_default": n == 2, "active": True} for n, name in enumerate(names, 1)}


@dataclass
class Tenant:
    """One vendor's Redmine."""

    domain: str
    name: str = "Redmine"
    time_zone: str = "UTC"
    api_key: str = "0123456789abcdef0123456789abcdef01234567"
    projects: dict[str, str] = field(default_factory=lambda: {"1": "Hub"})
    trackers: dict[str, str] = field(default_factory=lambda: {"3": "Support"})
    people: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, Json] = field(default_factory=statuses)
    priorities: dict[str, Json] = field(default_factory=priorities)
    forbidden: list[str] = field(default_factory=list)
    """Statuses that the workflow does not allow for our user."""
    tickets: dict[str, Json] = field(default_factory=dict)
    journals: dict[str, Json] = field(default_factory=dict)
    attachments: dict[str, Json] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    """Tokens of uploaded files that are not attached yet, with their content in hex."""
    last_id: int = 100

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


ME = {"id": 5, "name": "Ticket Hub"}


class Simulator(simulating.Simulator[Tenant]):
    kind = Tenant

    def respond(self, request: Request) -> Answer:
        tenant = self._tenant(request)
        parts = [part.removesuffix(".json") for part in request.parts]
        parts = parts[1:] if parts[:1] == [tenant.domain] else parts
        if not self._is_let_in(request, tenant):
            if parts == ["issues"] and request.method == "GET":
                return Answer(body={"issues": [], "total_count": 0, "offset": 0, "limit": 25})
            raise Fault(401)
        shape = "/".join("{id}" if part.isdecimal() else part for part in parts)
        keys = [part for part in parts if part.isdecimal()]
        route = _ROUTES.get((request.method, shape))
        if route is None:
            raise Fault(404)
        return route(self, tenant, request, *keys)

    def _tenant(self, request: Request) -> Tenant:
        """The tenant whose name begins the path, or the only one."""
        named = self.tenants.get("".join(request.parts[:1]))
        return named or next(iter(self.tenants.values()))

    def _is_let_in(self, request: Request, tenant: Tenant) -> bool:
        return request.headers.get("x-redmine-api-key") == tenant.api_key

    def refusal(self, status: int) -> Any:
        return None

    # -- reading

    def who(self, tenant: Tenant, request: Request) -> Answer:
        return Answer(body={"user": {"id": ME["id"], "login": "hub", "firstname": "Ticket", "lastname": "Hub"}})

    def issues(self, tenant: Tenant, request: Request) -> Answer:
        query = request.query
        found = list(tenant.tickets.values())
        if "project_id" in query:
            found = [item for item in found if str(item["project"]["id"]) == query["project_id"]]
        if query.get("updated_on", "").startswith(">="):
            found = [item for item in found if item["updated_on"] >= query["updated_on"][2:]]
        if f"cf_{REFERENCE_FIELD}" in query:
            wanted = query[f"cf_{REFERENCE_FIELD}"]
            found = [item for item in found if item["custom_fields"][0]["value"] == wanted]
        if query.get("status_id") != "*":
            found = [item for item in found if not item["status"]["is_closed"]]
        by_change = query.get("sort", "").startswith("updated_on")
        found.sort(key=lambda item: (item["updated_on"] if by_change else "", item["id"]))
        return self._listed("issues", found, query)

    def _listed(self, name: str, found: list[Json], query: Mapping[str, str]) -> Answer:
        offset, limit = int(query.get("offset") or 0), min(int(query.get("limit") or 25), LARGEST_PAGE)
        page = found[offset : offset + limit]
        return Answer(body={name: page, "total_count": len(found), "offset": offset, "limit": limit})

    def issue(self, tenant: Tenant, request: Request, key: str) -> Answer:
        item = dict(self._item(tenant, key))
        include = request.query.get("include", "")
        if "journals" in include:
            item["journals"] = [
                {k: v for k, v in each.items() if k != "issue"}
                for each in tenant.journals.values()
                if each["issue"] == int(key)
            ]
        if "attachments" in include:
            item["attachments"] = [
                _shown(each) | {"content_url": f"{self.base}/attachments/download/{each['id']}/{each['filename']}"}
                for each in tenant.attachments.values()
                if each["issue"] == int(key)
            ]
        return Answer(body={"issue": item})

    def _item(self, tenant: Tenant, key: str) -> Json:
        if key not in tenant.tickets:
            raise Fault(404)
        return tenant.tickets[key]

    def download(self, tenant: Tenant, request: Request, key: str) -> Answer:
        if key not in tenant.attachments:
            raise Fault(404)
        return Answer(raw=bytes.fromhex(tenant.attachments[key]["content"]), kind="application/octet-stream")

    def lists(self, tenant: Tenant, request: Request) -> Answer:
        name = request.parts[-1].removesuffix(".json")
        rows: dict[str, list[Json]] = {
            "issue_statuses": list(tenant.statuses.values()),
            "issue_priorities": list(tenant.priorities.values()),
            "trackers": [{"id": int(key), "name": label} for key, label in tenant.trackers.items()],
            "projects": [{"id": int(key), "name": label, "status": 1} for key, label in tenant.projects.items()],
        }
        if name == "projects":
            return self._listed(name, rows[name], request.query)
        return Answer(body={name: rows[name]})

    # -- writing

    def create(self, tenant: Tenant, request: Request) -> Answer:
        data = _json(request).get("issue") or {}
        if not str(data.get("subject") or "").strip():
            raise Fault(422, {"errors": ["Subject cannot be blank"]})
        if str(data.get("project_id")) not in tenant.projects:
            raise Fault(422, {"errors": ["Project cannot be blank"]})
        if len(data["subject"]) > 255:
            raise Fault(422, {"errors": ["Subject is too long (maximum is 255 characters)"]})
        item = self._new(tenant, ME)
        item["project"] = {"id": int(data["project_id"]), "name": tenant.projects[str(data["project_id"])]}
        tenant.tickets[str(item["id"])] = item
        self._change(tenant, item, data, by=ME, is_new=True)
        return Answer(status=201, body={"issue": item})

    def update(self, tenant: Tenant, request: Request, key: str) -> Answer:
        item = self._item(tenant, key)
        data = _json(request).get("issue") or {}
        if len(str(data.get("subject") or "")) > 255:
            raise Fault(422, {"errors": ["Subject is too long (maximum is 255 characters)"]})
        self._change(tenant, item, data, by=ME)
        return Answer(status=204)

    def _change(self, tenant: Tenant, item: Json, data: Json, *, by: Json, is_new: bool = False) -> None:
        """Apply known and allowed values and silently ignore the rest; a change is recorded in a journal."""
        before = (item["subject"], item["status"]["id"], item["priority"]["id"])
        for theirs, ours in (("subject", "subject"), ("description", "description")):
            if theirs in data:
                item[ours] = str(data[theirs] or "")
        status, priority = str(data.get("status_id", "")), str(data.get("priority_id", ""))
        if status in tenant.statuses and status not in tenant.forbidden:
            item["status"] = dict(tenant.statuses[status])
        if tenant.priorities.get(priority, {}).get("active"):
            item["priority"] = {"id": int(priority), "name": tenant.priorities[priority]["name"]}
        if data.get("assigned_to_id"):
            item["assigned_to"] = {
                "id": int(data["assigned_to_id"]),
                "name": tenant.people[str(data["assigned_to_id"])],
            }
        for each in data.get("custom_fields") or ():
            if each.get("id") == REFERENCE_FIELD:
                item["custom_fields"][0]["value"] = str(each.get("value") or "")
        for upload in data.get("uploads") or ():
            self._attach(tenant, item, upload, by)
        has_changed = before != (item["subject"], item["status"]["id"], item["priority"]["id"])
        if data.get("notes") or (has_changed and not is_new):
            self._say(tenant, item, by, str(data.get("notes") or ""), is_private=bool(data.get("private_notes")))
        item["updated_on"] = self.stamp()

    def upload(self, tenant: Tenant, request: Request) -> Answer:
        if not request.headers.get("content-type", "").startswith("application/octet-stream"):
            raise Fault(406)
        number = tenant.next_id()
        token = f"{number}.{len(request.body):x}"
        tenant.uploads[token] = request.body.hex()
        return Answer(status=201, body={"upload": {"id": number, "token": token}})

    def _attach(self, tenant: Tenant, item: Json, upload: Json, by: Json) -> None:
        content = tenant.uploads.pop(str(upload.get("token")), None)
        if content is None:
            return
        number = int(str(upload["token"]).partition(".")[0])
        tenant.attachments[str(number)] = {
            "id": number,
            "issue": item["id"],
            "filename": upload.get("filename") or "file",
            "content": content,
            "filesize": len(content) // 2,
            "description": upload.get("description") or "",
            "author": by,
            "created_on": self.stamp(),
        }

    # -- people of a tenant

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {"open": self._open, "set": self._set, "note": self._write, "file": self._add, "delete": self._delete}

    def _open(self, tenant: Tenant, *, by: str, title: str = "", **fields: Any) -> Json:
        item = self._new(tenant, self._person(tenant, by))
        item["subject"] = title
        tenant.tickets[str(item["id"])] = item
        if fields:
            self._change(tenant, item, _theirs(fields), by=self._person(tenant, by))
        return item

    def _set(self, tenant: Tenant, *, ticket: str, by: str, **fields: Any) -> Json:
        item = tenant.tickets[ticket]
        forbidden, tenant.forbidden = tenant.forbidden, []
        self._change(tenant, item, _theirs(fields), by=self._person(tenant, by))
        tenant.forbidden = forbidden
        return item

    def _write(self, tenant: Tenant, *, ticket: str, by: str, text: str, is_private: bool = False) -> Json:
        item = tenant.tickets[ticket]
        said = self._say(tenant, item, self._person(tenant, by), text, is_private=is_private)
        item["updated_on"] = self.stamp()
        return said

    def _add(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str) -> Json:
        item = tenant.tickets[ticket]
        token = f"{tenant.next_id()}.{len(text):x}"
        tenant.uploads[token] = text.encode().hex()
        self._attach(tenant, item, {"token": token, "filename": name}, self._person(tenant, by))
        item["updated_on"] = self.stamp()
        return item

    def _delete(self, tenant: Tenant, *, ticket: str, by: str) -> Json:
        return tenant.tickets.pop(ticket)

    def _person(self, tenant: Tenant, by: str) -> Json:
        return {"id": int(by), "name": tenant.people[by]}

    # -- records

    def _new(self, tenant: Tenant, by: Json) -> Json:
        project, label = next(iter(tenant.projects.items()))
        tracker, kind = next(iter(tenant.trackers.items()))
        at = self.stamp()
        return {
            "id": tenant.next_id(),
            "project": {"id": int(project), "name": label},
            "tracker": {"id": int(tracker), "name": kind},
            "status": dict(tenant.statuses["1"]),
            "priority": {"id": 2, "name": tenant.priorities["2"]["name"]},
            "author": by,
            "subject": "",
            "description": "",
            "is_private": False,
            "custom_fields": [{"id": REFERENCE_FIELD, "name": "Hub Ref", "value": ""}],
            "created_on": at,
            "updated_on": at,
            "closed_on": None,
        }

    def _say(self, tenant: Tenant, item: Json, by: Json, text: str, *, is_private: bool) -> Json:
        number = tenant.next_id()
        tenant.journals[str(number)] = {
            "id": number,
            "issue": item["id"],
            "user": by,
            "notes": text,
            "private_notes": is_private,
            "created_on": self.stamp(),
            "details": [],
        }
        return tenant.journals[str(number)]


_ROUTES: dict[tuple[str, str], Callable[..., Answer]] = {
    ("GET", "users/current"): Simulator.who,
    ("GET", "issues"): Simulator.issues,
    ("POST", "issues"): Simulator.create,
    ("GET", "issues/{id}"): Simulator.issue,
    ("PUT", "issues/{id}"): Simulator.update,
    ("POST", "uploads"): Simulator.upload,
    ("GET", "attachments/download/{id}"): Simulator.download,
    ("GET", "issue_statuses"): Simulator.lists,
    ("GET", "enumerations/issue_priorities"): Simulator.lists,
    ("GET", "projects"): Simulator.lists,
    ("GET", "trackers"): Simulator.lists,
}


def _shown(file: Json) -> Json:
    return {name: value for name, value in file.items() if name not in ("content", "issue")}


def _theirs(fields: Mapping[str, Any]) -> Json:
    names = {"status": "status_id", "priority": "priority_id", "title": "subject", "assignee": "assigned_to_id"}
    return {names.get(name, name): value for name, value in fields.items()}


def _json(request: Request) -> Json:
    try:
        found = json.loads(request.body or b"{}")
    except ValueError as error:
        raise Fault(400) from error
    return found if isinstance(found, dict) else {}
