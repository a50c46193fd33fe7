"""An iTop 3.2 as its documentation of REST/JSON services 1.3 tells it: one address, one class of tickets, stimuli."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from connectors.kit.simulating import Answer, Request

Json = dict[str, Any]
USER, PASSWORD, US, THEM = "hub", "a-pass", "Ticket Hub", "Ida Itop"
STIMULI = {
    "ev_assign": ({"new", "escalated_tto", "pending", "assigned"}, "assigned"),
    "ev_pending": ({"assigned", "escalated_ttr"}, "pending"),
    "ev_resolve": ({"assigned", "escalated_ttr"}, "resolved"),
    "ev_reopen": ({"resolved"}, "assigned"),
    "ev_close": ({"resolved"}, "closed"),
}


class NoSuch(Exception):
    """What is answered with a code that is not 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ITop:
    """Answers calls; every answer is 200, and `code` says what it is."""

    def __init__(self, zone: str = "Europe/Paris") -> None:
        self.zone = ZoneInfo(zone)
        self.now = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
        self.rows: dict[str, dict[str, Json]] = {
            "Incident": {},
            "Attachment": {},
            "Organization": {"3": {"friendlyname": "Northwind", "status": "active"}},
            "Person": {"7": {"friendlyname": US, "status": "active", "org_id": "3"}},
        }
        self.last = 40

    def __call__(self, request: Request) -> Answer:
        given = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Basic {given}":
            return Answer(body={"code": 1, "message": "Error: Invalid login", "objects": None})
        assert (request.method, request.path, request.query["version"]) == ("POST", "/webservices/rest.php", "1.3")
        try:
            found = self._done(json.loads(parse_qs(request.body.decode())["json_data"][0]))
        except NoSuch as no:
            return Answer(body={"code": no.code, "message": f"Error: {no}", "objects": None})
        objects = {
            f"{kind}::{key}": {"code": 0, "class": kind, "key": key, "fields": fields} for kind, key, fields in found
        }
        return Answer(body={"code": 0, "message": f"Found: {len(found)}", "objects": objects or None})

    def tick(self, seconds: int = 60) -> str:
        self.now += timedelta(seconds=seconds)
        return self.now.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def _done(self, told: Json) -> list[tuple[str, str, Json]]:
        kind = told["class"]
        match told["operation"]:
            case "core/get":
                found = [(kind, key, self.rows[kind][key]) for key in self._selected(kind, str(told["key"]))]
                size, page = int(told.get("limit", 0)), int(told.get("page", 1))
                return found[(page - 1) * size : page * size] if size else found
            case "core/create":
                return [(kind, self.made(kind, told["fields"], US), {})]
            case "core/update":
                self.changed(self._one(told["key"]), told["fields"], US)
                return [(kind, told["key"], {})]
            case "core/apply_stimulus":
                self.moved(told["key"], told["stimulus"], told["fields"])
                return [(kind, told["key"], {})]
        raise NoSuch(11, f"Unknown operation {told['operation']}")

    def _one(self, key: str) -> Json:
        if key not in self.rows["Incident"]:
            raise NoSuch(100, f"Invalid object Incident::{key}")
        return self.rows["Incident"][key]

    def _selected(self, kind: str, oql: str) -> list[str]:
        rows = self.rows[kind]
        if oql.isdecimal():
            return [oql] if oql in rows else []
        if "UNION" in oql:  # what changed, or has a new attachment
            since = re.findall(r'>= "([^"]+)"', oql)[0]
            files = {row["item_id"] for row in self.rows["Attachment"].values() if row["creation_date"] >= since}
            return [key for key, row in rows.items() if row["last_update"] >= since or key in files]
        if found := re.search(r'description LIKE "%(.*)%"', oql):
            return [key for key, row in rows.items() if found[1] in row["description"]]
        if found := re.search(r"item_id = (\d+)", oql):
            return [key for key, row in rows.items() if row["item_id"] == found[1]]
        return list(rows)

    def made(self, kind: str, fields: Json, by: str) -> str:
        self.last += 1
        at = self.tick()
        if kind == "Attachment":
            self.rows[kind][str(self.last)] = {**fields, "creation_date": at, "contact_id_friendlyname": by}
        else:
            self.rows[kind][str(self.last)] = {
                **fields,
                "ref": f"I-{self.last:06}",
                "status": "new",
                "pending_reason": "",
                "solution": "",
                "resolution_date": "",
                "priority": fields["urgency"],
                "caller_id_friendlyname": by,
                "agent_id_friendlyname": "",
                "start_date": at,
                "last_update": at,
                "public_log": {"entries": []},
                "private_log": {"entries": []},
                "parent_incident_id": "0",
            }
        return str(self.last)

    def changed(self, row: Json, fields: Json, by: str) -> None:
        at = self.tick()
        for name, value in fields.items():
            if name.endswith("_log"):
                entry = {"date": at, "user_login": by, "message": value["add_item"]["message"]}
                row[name]["entries"].insert(0, entry)
            else:
                row[name] = value
        row |= {"priority": row["urgency"], "last_update": at}

    def moved(self, key: str, stimulus: str, fields: Json) -> None:
        row, (sources, target) = self._one(key), STIMULI[stimulus]
        if row["status"] not in sources:
            raise NoSuch(100, f"Invalid stimulus: {stimulus} on the object in state {row['status']}")
        self.changed(row, fields, US)
        row["status"] = target
        if target == "resolved":
            row["resolution_date"] = row["last_update"]
