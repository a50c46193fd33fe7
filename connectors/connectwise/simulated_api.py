"""The responses of the simulated ConnectWise API, for one request of one authenticated tenant.

https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlencode

from connectors.connectwise.simulated_conditions import compiled
from connectors.connectwise.simulated_tenant import Desk, Tenant, invalid, reference, refused
from connectors.kit.simulating import Answer, Json, Request

LARGEST_PAGE, USUAL_PAGE = 1000, 25
NOTE_FLAGS = ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")
INSIDE_A_REFERENCE = "/"


class Api:
    """The routes for one request."""

    def __init__(self, simulator: Desk, tenant: Tenant, request: Request) -> None:
        self.simulator, self.tenant, self.request = simulator, tenant, request

    def answer(self, parts: list[str]) -> Answer:
        keys = [part for part in parts if part.isdecimal()]
        shape = "/".join("{id}" if part.isdecimal() else part for part in parts)
        route = ROUTES.get((self.request.method, shape))
        if route is None:
            known = any(path == shape for _method, path in ROUTES)
            raise refused("NotFound", "No such resource.", status=405 if known else 404)
        return route(self, *keys)

    # -- lists

    def listed(self, records: Iterable[Json]) -> Answer:
        """A page of a list: forward-only by ID, or by page number."""
        query = self.request.query
        size = int(query.get("pageSize") or USUAL_PAGE)
        if not 1 <= size <= LARGEST_PAGE:
            raise refused("InvalidPageSize", "pageSize must be between 1 and 1000.")
        test = compiled(query.get("conditions", ""))
        found = sorted((record for record in records if test(record)), key=lambda record: int(record["id"]))
        if self.request.headers.get("pagination-type") == "forward-only":
            if "orderBy" in query or "page" in query:
                raise refused("InvalidPagination", "orderBy and page are not allowed with forward-only.")
            rest = [record for record in found if int(record["id"]) > int(query.get("pageId") or 0)]
            page, more = rest[:size], len(rest) > size
            link = self._link(pageId=str(page[-1]["id"])) if more else ""
            return Answer(body=page, headers=[("Link", link)])
        number = int(query.get("page") or 1)
        page = found[(number - 1) * size : number * size]
        more = len(found) > number * size
        return Answer(body=page, headers=[("Link", self._link(page=str(number + 1)))] if more else ())

    def _link(self, **changed: str) -> str:
        return f'<{self.simulator.base}{self.request.path}?{urlencode({**self.request.query, **changed})}>; rel="next"'

    # -- members, companies, boards and priorities

    def info(self) -> Answer:
        code = self.tenant.codebase.strip("/").replace("_", ".")
        body = {"version": f"{code}.1", "isCloud": False, "serverTimeZone": self.tenant.time_zone, "cloudRegion": "NA"}
        return Answer(body=body, headers=[("api-current-version", "2025.1")])

    def members(self) -> Answer:
        people = [*self.tenant.people, self.tenant.api_member]
        return self.listed(_member(self.tenant.member(each)) for each in people)

    def companies(self) -> Answer:
        return self.listed(_company(key, name) for key, name in self.tenant.companies.items())

    def company(self, key: str) -> Answer:
        if key not in self.tenant.companies:
            raise refused("NotFound", "Company not found.", status=404)
        return Answer(body=_company(key, self.tenant.companies[key]))

    def boards(self) -> Answer:
        return self.listed(_board(key, board) for key, board in self.tenant.boards.items())

    def board(self, key: str) -> Answer:
        if key not in self.tenant.boards:
            raise refused("NotFound", "Board not found.", status=404)
        return Answer(body=_board(key, self.tenant.boards[key]))

    def statuses(self, key: str) -> Answer:
        board = self.tenant.boards.get(key)
        if board is None:
            raise refused("NotFound", "Board not found.", status=404)
        return self.listed(
            {"id": int(status), "board": reference(key, board["name"]), **what}
            for status, what in board["statuses"].items()
        )

    def priorities(self) -> Answer:
        return self.listed({"id": int(key), "color": "Red", **what} for key, what in self.tenant.priorities.items())

    # -- tickets

    def tickets(self) -> Answer:
        return self.listed(self.tenant.tickets.values())

    def ticket(self, key: str) -> Answer:
        return Answer(body=self._ticket(key))

    def create(self) -> Answer:
        data = self._data()
        for name in ("summary", "company"):
            if not data.get(name):
                raise invalid("ticket", name, f"The {name} field is required.", "MissingRequiredField")
        board = str((data.get("board") or {}).get("id") or next(iter(self.tenant.boards)))
        if board not in self.tenant.boards:
            raise invalid("ticket", "board", "The board does not exist.")
        item = self.simulator.new_ticket(self.tenant, board, self.tenant.api_member)
        description, analysis = data.pop("initialDescription", ""), data.pop("initialInternalAnalysis", "")
        silent = bool(data.pop("skipCallback", False))
        data.pop("processNotifications", None)
        for name, value in data.items():
            self._change(item, name, value)
        self.tenant.tickets[str(item["id"])] = item
        for text, flag in ((description, NOTE_FLAGS[0]), (analysis, NOTE_FLAGS[1])):
            if text:
                self.simulator.new_note(
                    self.tenant, str(item["id"]), self.tenant.api_member, {"text": text, flag: True}
                )
        if not silent:
            self.simulator.changed(self.tenant, item, "added", self.tenant.api_member)
        return Answer(status=201, body=item)

    def patch(self, key: str) -> Answer:
        item = self._ticket(key)
        for operation in self._operations():
            path = str(operation["path"]).lstrip("/")
            if INSIDE_A_REFERENCE in path or path in self.tenant.ignores:
                continue  # returns 200 without changing anything, like the real service
            if path not in _WRITABLE:
                raise invalid("ticket", path, f"{path} cannot be patched.")
            self._change(item, path, None if operation["op"] == "remove" else operation.get("value"))
        self.simulator.touch(item, self.tenant.api_member)
        self.simulator.changed(self.tenant, item, "updated", self.tenant.api_member)
        return Answer(body=item)

    def _change(self, item: Json, name: str, value: Any) -> None:
        if name == "summary" and len(str(value or "")) > 100:
            raise invalid("ticket", "summary", "The field summary must be a string with a maximum length of 100.")
        if name == "externalXRef" and len(str(value or "")) > 100:
            raise invalid("ticket", "externalXRef", "externalXRef has a maximum length of 100.")
        if name not in _REFERENCES:
            item[name] = value
            return
        key = str((value or {}).get("id", ""))
        found = self._known(item, name, key)
        if found is None:
            raise invalid("ticket", name, f"The {name} does not exist or is not valid here.")
        item[name] = reference(key, found)
        if name == "status":
            status = self.tenant.status_of(key)
            item["closedFlag"] = bool(status and status[1]["closedStatus"])

    def _known(self, item: Json, name: str, key: str) -> str | None:
        """The name of a referenced record, if it exists and may be used on this ticket."""
        tenant = self.tenant
        if name == "status":
            found = tenant.status_of(key)
            is_usable = found is not None and found[0] == str(item["board"]["id"]) and not found[1]["inactive"]
            return str(found[1]["name"]) if found and is_usable else None
        if name == "company":
            return tenant.companies.get(key)
        rows = {"board": tenant.boards, "priority": tenant.priorities}[name]
        return str(rows[key]["name"]) if key in rows else None

    def _ticket(self, key: str) -> Json:
        found = self.tenant.tickets.get(key)
        if found is None:
            raise refused("NotFound", "Ticket not found.", status=404)
        return found

    # -- notes, time, documents

    def notes(self, key: str) -> Answer:
        self._ticket(key)
        return self.listed(note for note in self.tenant.notes.values() if note["ticketId"] == int(key))

    def add_note(self, key: str) -> Answer:
        item, data = self._ticket(key), self._data()
        if not any(data.get(flag) for flag in NOTE_FLAGS):
            raise refused("InvalidObject", "Please choose where to display the notes in order to save this record.")
        if not data.get("text"):
            raise invalid("note", "text", "The text field is required.", "MissingRequiredField")
        member = (data.get("member") or {}).get("identifier", self.tenant.api_member)
        if member != self.tenant.api_member and member not in self.tenant.people:
            raise invalid("note", "member", "The member does not exist.")
        note = self.simulator.new_note(self.tenant, key, self.tenant.api_member, data, member=member)
        self.simulator.changed(self.tenant, item, "updated", self.tenant.api_member)
        return Answer(status=201, body=note)

    def times(self) -> Answer:
        return self.listed(self.tenant.times.values())

    def documents(self) -> Answer:
        query = self.request.query
        if query.get("recordType") != "Ticket":
            raise refused("InvalidObject", "recordType and recordId are required.")
        found = (d for d in self.tenant.documents.values() if d["recordId"] == query.get("recordId"))
        return self.listed({name: v for name, v in document.items() if name in _SHOWN} for document in found)

    def add_document(self) -> Answer:
        kind = self.request.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            raise refused("UnsupportedMediaType", "Documents are sent as multipart/form-data.", status=415)
        form = message_from_bytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + self.request.body, policy=policy.HTTP
        )
        fields: dict[str, bytes] = {}
        name = "file"
        for part in form.iter_parts():
            field = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            fields[field] = content if isinstance(content, bytes) else b""
            name = part.get_filename() or name
        plain = {key: value.decode() for key, value in fields.items() if key != "file"}
        item = self._ticket(plain.get("recordId", ""))
        if "file" not in fields or plain.get("recordType") != "Ticket":
            raise refused("InvalidObject", "file, recordType and recordId are required.")
        made = self.simulator.new_document(
            self.tenant,
            str(item["id"]),
            self.tenant.api_member,
            name=name,
            title=plain.get("title", name),
            content=fields["file"],
            is_private=plain.get("privateFlag") == "true",
        )
        return Answer(status=201, body={name: value for name, value in made.items() if name in _SHOWN})

    def download(self, key: str) -> Answer:
        found = self.tenant.documents.get(key)
        if found is None:
            raise refused("NotFound", "Document not found.", status=404)
        headers = [("Content-Disposition", f'attachment; filename="{found["fileName"]}"')]
        return Answer(raw=bytes.fromhex(found["content"]), kind="application/octet-stream", headers=headers)

    # -- callbacks

    def callbacks(self) -> Answer:
        shown = (
            {n: v for n, v in each.items() if n not in ("failing_since",)} for each in self.tenant.callbacks.values()
        )
        return self.listed(shown)

    def add_callback(self) -> Answer:
        data = self._data()
        for name in ("url", "objectId", "type", "level"):
            if data.get(name) in (None, ""):
                raise invalid("callbackEntry", name, f"The {name} field is required.", "MissingRequiredField")
        made = {"inactiveFlag": False, **data, "id": self.tenant.next_id(), "memberId": 100}
        self.tenant.callbacks[str(made["id"])] = made
        return Answer(status=201, body=made)

    def patch_callback(self, key: str) -> Answer:
        found = self._callback(key)
        for operation in self._operations():
            found[str(operation["path"])] = operation.get("value")
        found.pop("failing_since", None)
        return Answer(body=found)

    def delete_callback(self, key: str) -> Answer:
        self._callback(key)
        del self.tenant.callbacks[key]
        return Answer(status=204)

    def _callback(self, key: str) -> Json:
        found = self.tenant.callbacks.get(key)
        if found is None:
            raise refused("NotFound", "Callback not found.", status=404)
        return found

    # -- bodies

    def _data(self) -> Json:
        data = self._json()
        if not isinstance(data, dict):
            raise refused("InvalidObject", "An object is expected.")
        return dict(data)

    def _operations(self) -> list[Mapping[str, Any]]:
        data = self._json()
        if not isinstance(data, list) or not all(isinstance(o, dict) and o.get("op") and o.get("path") for o in data):
            raise refused("InvalidObject", "An array of operations is expected.")
        return data

    def _json(self) -> Any:
        if not self.request.headers.get("content-type", "").startswith("application/json"):
            raise refused("UnsupportedMediaType", "JSON is expected.", status=415)
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise refused("InvalidObject", "The body is not JSON.") from error


_REFERENCES = ("status", "priority", "board", "company")
_WRITABLE = frozenset({*_REFERENCES, "summary", "externalXRef", "owner", "contact", "customFields"})
_SHOWN = ("id", "title", "fileName", "owner", "publicFlag", "size", "_info", "createdOnDate", "linkFlag", "guid")
ROUTES: dict[tuple[str, str], Callable[..., Answer]] = {
    ("GET", "system/info"): Api.info,
    ("GET", "system/members"): Api.members,
    ("GET", "company/companies"): Api.companies,
    ("GET", "company/companies/{id}"): Api.company,
    ("GET", "service/boards"): Api.boards,
    ("GET", "service/boards/{id}"): Api.board,
    ("GET", "service/boards/{id}/statuses"): Api.statuses,
    ("GET", "service/priorities"): Api.priorities,
    ("GET", "service/tickets"): Api.tickets,
    ("POST", "service/tickets"): Api.create,
    ("GET", "service/tickets/{id}"): Api.ticket,
    ("PATCH", "service/tickets/{id}"): Api.patch,
    ("GET", "service/tickets/{id}/notes"): Api.notes,
    ("POST", "service/tickets/{id}/notes"): Api.add_note,
    ("GET", "time/entries"): Api.times,
    ("GET", "system/documents"): Api.documents,
    ("POST", "system/documents"): Api.add_document,
    ("GET", "system/documents/{id}/download"): Api.download,
    ("GET", "system/callbacks"): Api.callbacks,
    ("POST", "system/callbacks"): Api.add_callback,
    ("PATCH", "system/callbacks/{id}"): Api.patch_callback,
    ("DELETE", "system/callbacks/{id}"): Api.delete_callback,
}


def _company(key: str, name: str) -> Json:
    return {"id": int(key), "identifier": name.replace(" ", ""), "name": name, "deletedFlag": False}


def _board(key: str, board: Json) -> Json:
    return {
        "id": int(key),
        "name": board["name"],
        "inactiveFlag": bool(board.get("inactive")),
        "location": {"id": 2, "name": "Main"},
        "department": {"id": 10, "identifier": "Services", "name": "Services"},
    }


def _member(member: Json) -> Json:
    first, _, last = member["name"].partition(" ")
    return {
        "id": member["id"],
        "identifier": member["identifier"],
        "firstName": first,
        "lastName": last or first,
        "licenseClass": "A",
        "hireDate": "2020-01-01T00:00:00Z",
        "defaultEmail": "Office",
        "defaultPhone": "Office",
        "securityRole": {"id": 63, "name": "Integration"},
        "inactiveFlag": False,
    }
