"""A stateful simulator of the Autotask REST API: several tenants, one WSGI application.

It stores records, refuses what the real service refuses, pages, throttles, signs and sends webhooks, and disables them
when they cannot be delivered. The responses of its API are in simulated_api.py.

https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/Webhooks_Error_Handling.htm
https://www.autotask.net/help/DeveloperHelp/Content/APIs/General/ThreadLimiting.htm
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connectors.autotask.simulated_api import Api
from connectors.autotask.simulated_tenant import Tenant, is_ready, new_ticket, refused
from connectors.autotask.webhooks import signature
from connectors.kit import simulating
from connectors.kit.simulating import Answer, Courier, Fault, Injected, Json, QuietServer, Request

__all__ = ["Fault", "Injected", "QuietServer", "Simulator", "Tenant"]

COURIER = Courier(pauses=(1, 2, 4, 8), seconds=10)
"""The real service waits 30 seconds between five attempts; a demonstration should not take that long."""
DISABLED_AFTER = 25
MOST_THREADS = 3


class Simulator(simulating.Simulator[Tenant]):
    """The WSGI application; `base` is its URL."""

    kind = Tenant

    def __init__(self, *args: Any, **more: Any) -> None:
        self.zone = ""
        """The zone of the databases, as part of the path, if they have moved since the zone lookup."""
        self.busy: dict[tuple[str, str], int] = {}
        super().__init__(*args, **more)

    def refusal(self, status: int) -> Any:
        return None

    def respond(self, request: Request) -> Answer:
        parts = request.parts
        if [part.lower() for part in parts[:2]] != ["atservicesrest", "v1.0"]:
            raise Fault(404)
        parts = parts[2:]
        if parts == ["ZoneInformation"]:
            return Answer(body=self._zone(request.query))
        tenant = self._authenticated(request)
        tenant.requests += 1
        if tenant.requests > tenant.threshold:
            raise refused("The request threshold was exceeded.", status=429, headers=[("Retry-After", "60")])
        with self._one_of_three(tenant, parts[0] if parts else ""):
            return Answer(body=Api(self, tenant, request).answer(parts))

    @contextmanager
    def _one_of_three(self, tenant: Tenant, endpoint: str) -> Iterator[None]:
        key = (tenant.domain, endpoint)
        self.busy[key] = self.busy.get(key, 0) + 1
        try:
            if self.busy[key] > MOST_THREADS:
                raise refused("Thread threshold exceeded.", status=429)
            yield
        finally:
            self.busy[key] -= 1

    def _zone(self, query: Mapping[str, str]) -> Json:
        domain = query.get("user", "").partition("@")[2]
        if domain not in self.tenants:
            raise refused("Zone information could not be determined")
        return {"zoneName": "Demo", "url": f"{self.base}/ATServicesRest/", "webUrl": f"{self.base}/", "ci": 1}

    def _authenticated(self, request: Request) -> Tenant:
        user = request.headers.get("username", "")
        tenant = self.tenants.get(user.partition("@")[2])
        if tenant is None or user != tenant.api_user or request.headers.get("secret") != tenant.secret:
            raise refused("Unauthorized", status=401)
        if request.headers.get("apiintegrationcode") != tenant.integration_code:
            raise refused("IntegrationCode is invalid.")
        return tenant

    # -- people of a tenant

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {
            "open": self._open,
            "set": self._set,
            "note": self._write,
            "time": self._book,
            "file": self._attach,
            "delete": self._delete,
        }

    def _open(self, tenant: Tenant, *, by: str, **fields: Any) -> Json:
        item = new_ticket(tenant, self.stamp(), by) | fields
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

    def _book(self, tenant: Tenant, *, ticket: str, by: str, text: str, internal: str = "", hours: float = 0.5) -> Json:
        """A time entry. It is not a note, does not change lastActivityDate and triggers no webhook."""
        at = self.stamp()
        entry = {
            "id": tenant.next_id(),
            "ticketID": int(ticket),
            "resourceID": int(by),
            "roleID": 1,
            "dateWorked": at,
            "createDateTime": at,
            "lastModifiedDateTime": at,
            "hoursWorked": hours,
            "summaryNotes": text,
            "internalNotes": internal,
        }
        tenant.times[str(entry["id"])] = entry
        return entry

    def _attach(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str, publish: int = 1) -> Json:
        data = {"fullPath": name, "title": name, "publish": publish, "data": base64.b64encode(text.encode()).decode()}
        file = self.add_file(tenant, ticket, by, data)
        self.changed(tenant, tenant.tickets[ticket], "Update", by, ["lastActivityDate"])
        return file

    def _delete(self, tenant: Tenant, *, ticket: str, by: str) -> Json:
        """People can delete a ticket; the API only reports that it was deleted."""
        item = tenant.tickets.pop(ticket)
        log = {
            "id": tenant.next_id(),
            "ticketID": item["id"],
            "ticketNumber": item["ticketNumber"],
            "deletedByResourceID": int(by),
            "deletedDateTime": self.stamp(),
        }
        tenant.deleted[str(log["id"])] = log
        self.changed(tenant, item, "Delete", by, [])
        return log

    # -- what both the API and people do

    def touch(self, item: Json, by: str) -> None:
        item["lastActivityDate"] = item["lastTrackedModificationDateTime"] = self.stamp()
        item["lastActivityResourceID"] = int(by)

    def add_note(self, tenant: Tenant, ticket: str, by: str, data: Json) -> Json:
        at = self.stamp()
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
            "parentType": 4,
            "attachDate": self.stamp(),
            "attachedByResourceID": int(by),
            "fileSize": len(base64.b64decode(data["data"])),
        }
        tenant.files[str(file["id"])] = file
        self.touch(tenant.tickets[ticket], by)
        return file

    # -- webhooks

    def changed(self, tenant: Tenant, item: Json, action: str, by: str, fields: list[str]) -> None:
        for hook in tenant.hooks.values():
            if not is_ready(hook) or int(by) in hook["excluded"]:
                continue
            hook["sequence"] += 1
            news = {
                "Action": action,
                "Guid": hook["webhookGUID"],
                "EntityType": "Ticket",
                "Id": item["id"],
                "Fields": {name[:1].upper() + name[1:]: str(item.get(name, "")) for name in fields},
                "EventTime": self.stamp(),
                "SequenceNumber": hook["sequence"],
                "PersonId": int(by),
            }
            body = json.dumps(news).encode()
            self.in_background(lambda tenant=tenant, hook=hook, body=body: self._deliver(tenant, hook, body))  # type: ignore[misc]

    def _deliver(self, tenant: Tenant, hook: Json, body: bytes) -> None:
        headers = {"X-Hook-Signature": signature(hook["secretKey"], body)}
        if COURIER.deliver(lambda: self.post(hook["webhookUrl"], body, headers, seconds=COURIER.seconds)):
            hook["failures"] = 0
            return
        hook["failures"] += 1
        tenant.dropped.append({"accountWebhookID": hook["id"], "errorMessage": "not taken", "payload": body.decode()})
        if hook["failures"] >= DISABLED_AFTER and hook["isActive"]:
            self.switch_off(hook)

    def switch_off(self, hook: Json) -> None:
        """The vendor disables a webhook that cannot be delivered and notifies us once, unsigned."""
        hook["isActive"] = False
        self.in_background(lambda: self.post(hook["deactivationUrl"], b"{}", {}, seconds=COURIER.seconds))
