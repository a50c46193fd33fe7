"""One company's simulated Autotask database and its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from connectors.kit.simulating import Fault, Headers, Json

STATUSES = {"1": "New", "8": "In Progress", "7": "Waiting Customer", "12": "Waiting Vendor", "5": "Complete"}
PRIORITIES = {"4": "Critical", "1": "High", "2": "Medium", "3": "Low"}
NOTE_TYPES = {"1": "Task Summary", "2": "Task Detail", "13": "Workflow Rule Note"}
PUBLISH = {"1": "All Autotask Users", "2": "Internal Users Only"}


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
    inactive: list[str] = field(default_factory=list)
    """Inactive picklist values, such as "status:12"."""
    people: dict[str, str] = field(default_factory=dict)
    companies: dict[str, str] = field(default_factory=dict)
    udfs: list[str] = field(default_factory=list)
    impersonable: list[str] = field(default_factory=list)
    """Resources that the API user may impersonate according to their security level."""
    secret: str = "a-secret"
    integration_code: str = "HUBCODE"
    tickets: dict[str, Json] = field(default_factory=dict)
    notes: dict[str, Json] = field(default_factory=dict)
    times: dict[str, Json] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    hooks: dict[str, Json] = field(default_factory=dict)
    deleted: dict[str, Json] = field(default_factory=dict)
    dropped: list[Json] = field(default_factory=list)
    """Webhook events that could not be delivered: WebhookEventErrorLogs."""
    last_id: int = 7000
    requests: int = 0
    threshold: int = 10_000

    @property
    def api_user(self) -> str:
        return f"hub@{self.domain}"

    @property
    def api_resource(self) -> str:
        return str(max((int(key) for key in self.people), default=29682800) + 1)

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


def refused(*errors: str, status: int = 500, headers: Headers = ()) -> Fault:
    """An error as Autotask returns it: 500 with `errors`, unless it is about authentication."""
    return Fault(status, {"errors": list(errors)}, headers=headers)


def is_ready(hook: Json) -> bool:
    return bool(hook["isActive"] and hook["fields"])


def new_ticket(tenant: Tenant, at: str, by: str) -> Json:
    made = tenant.next_id()
    return {
        "id": made,
        "ticketNumber": f"T{at[:10].replace('-', '')}.{made % 10_000:04d}",
        "title": "",
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


def moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Desk(Protocol):
    """The actions that the API shares with the people of the tenant."""

    @property
    def base(self) -> str: ...
    def now(self) -> datetime: ...
    def stamp(self) -> str: ...
    def touch(self, item: Json, by: str) -> None: ...
    def changed(self, tenant: Tenant, item: Json, action: str, by: str, fields: list[str]) -> None: ...
    def add_note(self, tenant: Tenant, ticket: str, by: str, data: Json) -> Json: ...
    def add_file(self, tenant: Tenant, ticket: str, by: str, data: Json) -> Json: ...
