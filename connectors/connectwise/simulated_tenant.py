"""One company's simulated ConnectWise and its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.kit.simulating import Fault, Headers, Json


def status(name: str, *, is_closed: bool = False, escalation: str = "NotResponded") -> Json:
    """One status of a board."""
    return {"name": name, "closedStatus": is_closed, "escalationStatus": escalation, "inactive": False}


def _boards() -> dict[str, Json]:
    return {
        "1": {
            "name": "Service Desk",
            "statuses": {
                "16": status("New"),
                "17": status("In Progress", escalation="Responded"),
                "18": status("Waiting on client", escalation="NoEscalation"),
                "19": status("Completed", is_closed=True, escalation="Resolved"),
            },
        }
    }


def _priorities() -> dict[str, Json]:
    return {
        "1": {"name": "Priority 1 - Emergency", "level": "Critical"},
        "2": {"name": "Priority 2 - Quick Response", "level": "High"},
        "3": {"name": "Priority 3 - Normal", "level": "Medium"},
        "4": {"name": "Priority 4 - Maintenance", "level": "Low"},
    }


@dataclass
class Tenant:
    """One company's ConnectWise."""

    name: str
    domain: str
    company: str
    """The company name for logging in."""
    codebase: str = "v2025_1/"
    time_zone: str = "Eastern Standard Time"
    boards: dict[str, Json] = field(default_factory=_boards)
    priorities: dict[str, Json] = field(default_factory=_priorities)
    people: dict[str, str] = field(default_factory=dict)
    """Member ID (identifier) -> name."""
    companies: dict[str, str] = field(default_factory=dict)
    api_member: str = "hubapi"
    public_key: str = "public-key"
    private_key: str = "a-private-key"
    client_id: str = "0f4a9f0e-6a4f-4f43-9c3e-5e6a3c1f0b11"
    is_allowed: bool = True
    """Whether the security role of the API member allows access to tickets."""
    ignores: list[str] = field(default_factory=list)
    """Paths of a PATCH that return 200 without changing anything."""
    tickets: dict[str, Json] = field(default_factory=dict)
    notes: dict[str, Json] = field(default_factory=dict)
    times: dict[str, Json] = field(default_factory=dict)
    documents: dict[str, Json] = field(default_factory=dict)
    callbacks: dict[str, Json] = field(default_factory=dict)
    signing_key: str = "a-signing-key"
    last_id: int = 1200
    recent: list[float] = field(default_factory=list)
    """Unix timestamps of the requests of the last minute."""
    per_minute: int = 1000

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def status_of(self, key: str) -> tuple[str, Json] | None:
        """The board and the status with this ID; IDs are unique across boards."""
        for board, what in self.boards.items():
            if key in what["statuses"]:
                return board, what["statuses"][key]
        return None

    def member(self, identifier: str) -> Json:
        people = {**self.people, self.api_member: "Ticket Hub"}
        return {"id": 100 + list(people).index(identifier), "identifier": identifier, "name": people[identifier]}


def refused(code: str, message: str, *errors: Json, status: int = 400, headers: Headers = ()) -> Fault:
    """An error as ConnectWise returns it."""
    return Fault(status, {"code": code, "message": message, "errors": list(errors)}, headers=headers)


def invalid(what: str, field: str, message: str, code: str = "InvalidField") -> Fault:
    error = {"code": code, "message": message, "resource": what, "field": field}
    return refused("InvalidObject", f"{what} object is invalid", error)


def reference(key: str, name: str) -> dict[str, Any]:
    return {"id": int(key), "name": name}


class Desk(Protocol):
    """The actions that the API shares with the people of the tenant."""

    @property
    def base(self) -> str: ...
    def touch(self, item: Json, by: str) -> None: ...
    def changed(self, tenant: Tenant, item: Json, action: str, by: str) -> None: ...
    def new_ticket(self, tenant: Tenant, board: str, by: str) -> Json: ...
    def new_note(self, tenant: Tenant, ticket: str, by: str, data: Json, *, member: str = "") -> Json: ...
    def new_document(
        self, tenant: Tenant, ticket: str, by: str, *, name: str, title: str, content: bytes, is_private: bool
    ) -> Json: ...
