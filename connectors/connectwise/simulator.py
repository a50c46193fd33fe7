"""A stateful simulator of the ConnectWise PSA REST API: several companies, one WSGI application.

It stores records, refuses what the real service refuses (and returns 200 without effect where that does), pages,
throttles, signs callbacks, drops those that the real service would drop, and disables a callback after three days of
failures. The responses of its API are in simulated_api.py.

https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from connectors.connectwise.api import CLOUD_HOSTS
from connectors.connectwise.places import FLAGS
from connectors.connectwise.signing import signature
from connectors.connectwise.simulated_api import Api
from connectors.connectwise.simulated_tenant import Tenant, reference, refused
from connectors.kit import simulating
from connectors.kit.simulating import Answer, Courier, Fault, Injected, Json, Request

__all__ = ["Fault", "Injected", "Simulator", "Tenant"]

COURIER = Courier(pauses=(2, 4), seconds=5, retries=lambda status: status in (404, 409, 419, 429))
DISABLED_AFTER = timedelta(days=3)


class Simulator(simulating.Simulator[Tenant]):
    """The WSGI application; `base` is the site at which people log in."""

    kind = Tenant

    def refusal(self, status: int) -> Any:
        return {"code": "Error", "message": f"Status {status}"} if status != 500 else None

    def respond(self, request: Request) -> Answer:
        parts = request.parts
        if parts[:2] == ["login", "companyinfo"]:
            return Answer(body=self._company_info(parts[2]))
        if "callbackkey" in parts:
            return self._key(request)
        if request.headers.get("host", "") in CLOUD_HOSTS:
            raise refused("Security", "SSL is required.", status=403)
        tenant = self._authenticated(request)
        if len(parts) < 4 or f"{parts[0]}/" != tenant.codebase or parts[1:3] != ["apis", "3.0"]:
            raise refused("NotFound", "No such resource.", status=404)
        self._throttle(tenant)
        if not tenant.is_allowed and parts[3:5] == ["service", "tickets"]:
            raise refused("Security", "Your security role does not allow this.", status=403)
        return Api(self, tenant, request).answer(parts[3:])

    def _company_info(self, company: str) -> Json | None:
        tenant = next((each for each in self.tenants.values() if each.company == company), None)
        if tenant is None:
            return None
        code = tenant.codebase.strip("/")
        return {
            "CompanyName": tenant.name,
            "Codebase": tenant.codebase,
            "VersionCode": code.replace("_", "."),
            "VersionNumber": "v4.6.99999",
            "CompanyID": company,
            "IsCloud": "True",
        }

    def _authenticated(self, request: Request) -> Tenant:
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, secret = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            user, secret = "", ""
        company, _, public = user.partition("+")
        tenant = next((each for each in self.tenants.values() if each.company == company), None)
        if kind != "Basic" or tenant is None or (public, secret) != (tenant.public_key, tenant.private_key):
            raise refused("Unauthorized", "Provided username or password is incorrect.", status=401)
        if request.headers.get("clientid") != tenant.client_id:
            raise refused("Unauthorized", "A valid clientId is required.", status=401)
        if "version=" not in request.headers.get("accept", ""):
            raise refused("InvalidVersion", "Name the version of the model in the Accept header.")
        return tenant

    def _throttle(self, tenant: Tenant) -> None:
        at = self.now().timestamp()
        tenant.recent = [when for when in tenant.recent if when > at - 60] + [at]
        if len(tenant.recent) > tenant.per_minute:
            body = {"error": "ConnectWiseAPI", "message": "Too many requests. Please try again in 30 seconds."}
            raise Fault(429, body, headers=[("Retry-After", "30")])

    # -- people of a tenant

    def people(self) -> Mapping[str, Callable[..., Json]]:
        return {
            "open": self._open,
            "set": self._set,
            "note": self._write,
            "time": self._book,
            "file": self._attach,
            "delete": self._delete,
            "merge": self._merge,
        }

    def _open(
        self, tenant: Tenant, *, by: str, title: str = "", description: str = "", board: str = "", **fields: Any
    ) -> Json:
        item = self.new_ticket(tenant, board or next(iter(tenant.boards)), by)
        item["summary"] = title[:100]
        tenant.tickets[str(item["id"])] = item
        self._put(tenant, item, fields)
        if description:
            self.new_note(tenant, str(item["id"]), by, {"text": description, "detailDescriptionFlag": True})
        self.changed(tenant, item, "added", by)
        return item

    def _set(self, tenant: Tenant, *, ticket: str, by: str, **fields: Any) -> Json:
        item = tenant.tickets[ticket]
        self._put(tenant, item, fields)
        self.touch(item, by)
        self.changed(tenant, item, "updated", by)
        return item

    def _put(self, tenant: Tenant, item: Json, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            if name == "status":
                _board, what = tenant.status_of(str(value)) or ("", {"name": str(value), "closedStatus": False})
                item["status"], item["closedFlag"] = reference(str(value), what["name"]), what["closedStatus"]
            elif name == "priority":
                item["priority"] = reference(str(value), tenant.priorities.get(str(value), {"name": "?"})["name"])
            elif name == "owner":
                item["owner"] = tenant.member(value)
            else:
                item[{"title": "summary"}.get(name, name)] = value

    def _write(self, tenant: Tenant, *, ticket: str, by: str, text: str, place: str = "discussion") -> Json:
        note = self.new_note(tenant, ticket, by, {"text": text, FLAGS[place]: True})
        self.changed(tenant, tenant.tickets[ticket], "updated", by)
        return note

    def _book(
        self, tenant: Tenant, *, ticket: str, by: str, text: str, internal: str = "", is_public: bool = False
    ) -> Json:
        """A time entry: it does not change the ticket, and has its own type of callback."""
        at = self.stamp()
        entry = {
            "id": tenant.next_id(),
            "chargeToId": int(ticket),
            "chargeToType": "ServiceTicket",
            "company": tenant.tickets[ticket]["company"],
            "member": tenant.member(by),
            "timeStart": at,
            "actualHours": 0.5,
            "notes": text,
            "internalNotes": internal,
            "addToDetailDescriptionFlag": is_public,
            "enteredBy": by,
            "dateEntered": at,
            "_info": {"lastUpdated": at, "updatedBy": by},
        }
        tenant.times[str(entry["id"])] = entry
        self._call(tenant, "time", entry, "added", by)
        return entry

    def _attach(self, tenant: Tenant, *, ticket: str, by: str, name: str, text: str, is_private: bool = False) -> Json:
        made = self.new_document(
            tenant, ticket, by, name=name, title=name, content=text.encode(), is_private=is_private
        )
        self.changed(tenant, tenant.tickets[ticket], "updated", by)
        return made

    def _delete(self, tenant: Tenant, *, ticket: str, by: str) -> Json:
        item = tenant.tickets.pop(ticket)
        self.changed(tenant, item, "deleted", by)
        return item

    def _merge(self, tenant: Tenant, *, ticket: str, by: str, into: str) -> Json:
        item = tenant.tickets[ticket]
        item["mergedParentTicket"] = {"id": int(into), "summary": tenant.tickets[into]["summary"]}
        self.touch(item, by)
        self.changed(tenant, item, "updated", by)
        return item

    # -- what both the API and people do

    def new_ticket(self, tenant: Tenant, board: str, by: str) -> Json:
        at = self.stamp()
        what = tenant.boards[board]
        first = next(iter(what["statuses"]))
        priority = "3" if "3" in tenant.priorities else next(iter(tenant.priorities))
        company = next(iter(tenant.companies))
        return {
            "id": tenant.next_id(),
            "summary": "",
            "recordType": "ServiceTicket",
            "board": reference(board, what["name"]),
            "status": reference(first, what["statuses"][first]["name"]),
            "company": {**reference(company, tenant.companies[company]), "identifier": "Us"},
            "priority": reference(priority, tenant.priorities[priority]["name"]),
            "closedFlag": False,
            "_info": {"dateEntered": at, "enteredBy": by, "lastUpdated": at, "updatedBy": by},
        }

    def touch(self, item: Json, by: str) -> None:
        item["_info"] |= {"lastUpdated": self.stamp(), "updatedBy": by}

    def new_note(self, tenant: Tenant, ticket: str, by: str, data: Json, *, member: str = "") -> Json:
        at = self.stamp()
        note = {
            **dict.fromkeys(FLAGS.values(), False),
            **{name: value for name, value in data.items() if name not in ("processNotifications", "member")},
            "id": tenant.next_id(),
            "ticketId": int(ticket),
            "member": tenant.member(member or by),
            "dateCreated": at,
            "createdBy": by,
            "_info": {"lastUpdated": at, "updatedBy": by},
        }
        tenant.notes[str(note["id"])] = note
        self.touch(tenant.tickets[ticket], by)
        return note

    def new_document(
        self, tenant: Tenant, ticket: str, by: str, *, name: str, title: str, content: bytes, is_private: bool
    ) -> Json:
        at = self.stamp()
        document = {
            "id": tenant.next_id(),
            "recordId": ticket,
            "title": title,
            "fileName": name,
            "owner": by,
            "publicFlag": not is_private,
            "size": len(content),
            "content": content.hex(),
            "createdOnDate": at,
            "_info": {"lastUpdated": at, "updatedBy": by},
        }
        tenant.documents[str(document["id"])] = document
        self.touch(tenant.tickets[ticket], by)
        return document

    # -- callbacks

    def changed(self, tenant: Tenant, item: Json, action: str, by: str) -> None:
        self._call(tenant, "ticket", item, action, by)

    def _call(self, tenant: Tenant, kind: str, record: Json, action: str, by: str) -> None:
        entity = None if action == "deleted" else json.dumps(record)
        for callback in tenant.callbacks.values():
            if callback["inactiveFlag"] or str(callback["type"]).lower() != kind:
                continue
            if not _covers(callback, record) or (by == tenant.api_member and callback.get("isSelfSuppressedFlag")):
                continue
            news = {
                "MessageId": f"{tenant.next_id():08d}-0000-4000-8000-000000000000",
                "FromUrl": self.base.partition("://")[2],
                "CompanyId": tenant.company,
                "MemberId": by,
                "Action": action,
                "Type": kind,
                "ID": record["id"],
                "ProductInstanceId": None,
                "PartnerId": None,
                "Entity": entity,
                "Metadata": {"key_url": self.key_url(tenant)},
                "CallbackObjectRecId": callback["id"],
            }
            url = f"{callback['url']}{record['id']}&action={action}"
            body = json.dumps(news).encode()
            self.in_background(
                lambda callback=callback, url=url, body=body: self._deliver(tenant, callback, url, body)  # type: ignore[misc]
            )

    def key_url(self, tenant: Tenant) -> str:
        code = tenant.codebase
        return f"{self.base}/{code}/system_io/callbackkey/index.rails?companyName={tenant.company}&id=e17e"

    def _key(self, request: Request) -> Answer:
        company = request.query.get("companyName", "")
        tenant = next((each for each in self.tenants.values() if each.company == company), None)
        if tenant is None:
            raise Fault(404)
        return Answer(body={"signing_key": tenant.signing_key})

    def _deliver(self, tenant: Tenant, callback: Json, url: str, body: bytes) -> None:
        headers = {"x-content-signature": signature(tenant.signing_key, body)}
        if COURIER.deliver(lambda: self.post(url, body, headers, seconds=COURIER.seconds)):
            callback.pop("failing_since", None)
            return
        at = self.now().timestamp()
        if at - callback.setdefault("failing_since", at) >= DISABLED_AFTER.total_seconds():
            callback["inactiveFlag"] = True


def _covers(callback: Json, record: Json) -> bool:
    level, wanted = str(callback["level"]).lower(), int(callback["objectId"])
    if level == "board":
        return bool(record.get("board", {}).get("id") == wanted)
    if level == "company":
        return bool(record.get("company", {}).get("id") == wanted)
    return level == "owner"
