"""A Bugzilla 5.2 as its documentation of the REST API tells it, with one product; only what the profile needs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from connectors.kit.simulating import Answer, Fault, Request

Json = dict[str, Any]
KEY, US, THEM = "k" * 40, "hub@northwind.test", "tom@vendor.test"
NAMES = {US: "Ticket Hub", THEM: "Tom Tester"}


def _fault(status: int, code: int, message: str) -> Fault:
    return Fault(status, {"error": True, "code": code, "message": message})


class Bugzilla:
    """Answers calls; `act_*` is what its own people do."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
        self.bugs: dict[int, Json] = {}
        self.comments: dict[int, list[Json]] = {}
        self.files: dict[int, list[Json]] = {}
        self.hidden: set[int] = set()
        self.last = 100

    def __call__(self, request: Request) -> Answer:
        try:
            return Answer(body=self._answered(request))
        except Fault as fault:
            return Answer(status=fault.status, body=fault.body)

    def tick(self, seconds: int = 60) -> str:
        self.now += timedelta(seconds=seconds)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _next(self) -> int:
        self.last += 1
        return self.last

    def _answered(self, request: Request) -> Any:
        if {k.lower(): v for k, v in request.headers.items()}.get("x-bugzilla-api-key") != KEY:
            raise _fault(400, 306, "The API key you specified is invalid.")
        parts = [unquote(part) for part in request.path.removeprefix("/rest/").split("/")]
        data: Json = json.loads(request.body) if request.body else {}
        match request.method, parts:
            case "GET", ["user"]:
                return {"users": [{"id": 1, "name": US, "real_name": NAMES[US]}]}
            case "GET", ["product"]:
                component = {"id": 1, "name": "General", "is_active": True}
                return {"products": [{"id": 1, "name": "Hub", "components": [component]}]}
            case "GET", ["field", "bug", "priority"]:
                return {"fields": [{"values": [{"name": each} for each in ("Highest", "High", "Normal", "Low")]}]}
            case "GET", ["bug"]:
                return {"bugs": self._found(request)}
            case "POST", ["bug"]:
                return {"id": self.made(data, US)}
            case "GET", ["bug", "attachment", number]:
                file = next(each for row in self.files.values() for each in row if each["id"] == int(number))
                return {"attachments": {number: {"data": file["data"]}}}
            case "GET", ["bug", number]:
                return {"bugs": [self._bug(number)]}
            case "PUT", ["bug", number]:
                return self._changed(self._bug(number), data)
            case "GET", ["bug", number, "comment"]:
                return {"bugs": {number: {"comments": self.comments[self._bug(number)["id"]]}}}
            case "POST", ["bug", number, "comment"]:
                return {"id": self.commented(self._bug(number)["id"], data["comment"], US, data["is_private"])}
            case "GET", ["bug", number, "attachment"]:
                rows = self.files[self._bug(number)["id"]]
                return {"bugs": {number: [{k: v for k, v in row.items() if k != "data"} for row in rows]}}
            case "POST", ["bug", number, "attachment"]:
                return {"ids": [self.attached(self._bug(number)["id"], data, US)]}
        raise _fault(404, 32000, f"There is no {request.method} {request.path}.")

    def _bug(self, number: str) -> Json:
        found = self.bugs.get(int(number))
        if found is None:
            raise _fault(404, 101, f"Bug #{number} does not exist.")
        if found["id"] in self.hidden:
            raise _fault(401, 102, f"You are not authorized to access bug #{number}.")
        return found

    def _found(self, request: Request) -> list[Json]:
        query = request.query
        rows = [bug for bug in self.bugs.values() if bug["product"] == query["product"]]
        if since := query.get("last_change_time"):
            rows = [bug for bug in rows if bug["last_change_time"] >= since]
        if field := query.get("f1"):
            if field not in ("cf_hub_reference", "cf_other"):
                raise _fault(400, 108, f"Can't use {field} as a field name.")
            is_it = (lambda a, b: a == b) if query["o1"] == "equals" else (lambda a, b: b in a)
            rows = [bug for bug in rows if is_it(bug.get(field, ""), query["v1"])]
        rows.sort(key=lambda bug: (bug["last_change_time"], bug["id"]))
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 500))
        return rows[offset : offset + limit]

    def made(self, data: Json, by: str) -> int:
        if not data.get("component"):
            raise _fault(400, 50, "You must choose a component.")
        at, number = self.tick(), self._next()
        bug = {"resolution": "", "dupe_of": None, "cf_hub_reference": "", **data, "id": number, "creator": by}
        description = bug.pop("description", "")
        somebody = {"name": THEM, "real_name": NAMES[THEM]}
        bug |= {"creation_time": at, "last_change_time": at, "assigned_to_detail": somebody}
        self.bugs[number], self.comments[number], self.files[number] = bug, [], []
        self.commented(number, description, by, False)
        return number

    def _changed(self, bug: Json, data: Json) -> Json:
        ends = str(data.get("status", "")) in ("RESOLVED", "VERIFIED")
        if ends and not (data.get("resolution") or bug["resolution"]):
            raise _fault(400, 121, "You must pick a resolution.")
        bug |= data | {"last_change_time": self.tick()}
        if data.get("status") and not ends:
            bug["resolution"] = ""
        return {"bugs": [{"id": bug["id"], "changes": {}}]}

    def commented(self, number: int, text: str, by: str, is_private: bool, attachment: int | None = None) -> int:
        at, comment = self.tick(), self._next()
        row = {
            "id": comment,
            "count": len(self.comments[number]),
            "text": text,
            "creator": by,
            "creation_time": at,
            "is_private": is_private,
            "attachment_id": attachment,
        }
        self.comments[number].append(row)
        self.bugs[number]["last_change_time"] = at
        return comment

    def attached(self, number: int, data: Json, by: str) -> int:
        if len(base64.b64decode(data["data"])) > 1_024_000:
            raise _fault(400, 600, "The file you are trying to attach is too large.")
        made = self._next()
        size = len(base64.b64decode(data["data"]))
        row = {
            "id": made,
            "file_name": data["file_name"],
            "summary": data["summary"],
            "size": size,
            "creator": by,
            "creation_time": self.tick(),
            "is_private": int(data.get("is_private", 0)),
            "data": data["data"],
        }
        self.files[number].append(row)
        told = f"Created attachment {made}\n{data['summary']}\n\n{data.get('comment', '')}"
        self.commented(number, told, by, bool(row["is_private"]), made)
        return made
