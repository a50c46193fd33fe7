"""Writing to Autotask: tickets, notes and attachments."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

from connectors.autotask.api import Api
from connectors.autotask.picklists import publish_value, typed
from connectors.autotask.reference import ReferenceField
from connectors.autotask.values import Json, id_of, written
from connectors.kit.contract import Change, Pushed, RemoteTicket
from connectors.kit.errors import ConnectorError, Unclear
from hub.core.sentences import sentence


class Writer:
    """Writes return only an ID, so tickets are read back with `fetch`."""

    def __init__(self, api: Api, fetch: Callable[[str], RemoteTicket]) -> None:
        self.api, self.values, self.fetch = api, api.values, fetch
        self.reference = ReferenceField(api.values)

    def push(self, change: Change) -> Pushed:
        writes = {"create": self._create, "fields": self._patch, "note": self._add_note, "file": self._add_file}
        return writes[change.kind](change)

    def _create(self, change: Change) -> Pushed:
        due = self.api.ports.now() + timedelta(hours=float(self.values.get("due_hours") or "24"))
        body: Json = {
            "companyID": int(self.values["company_id"]),
            "queueID": int(self.values["queue_id"]),
            "dueDateTime": written(due),
            **self.reference.written(change.reference),
            **typed(change.fields),
        }
        if self.values.get("source_id"):
            body["source"] = int(self.values["source_id"])
        made = self.api.http().write("POST", "V1.0/Tickets", body, headers=self._as_whom())
        key = str(made["itemId"])
        return Pushed(key=key, ticket=self._read_back(key))

    def _patch(self, change: Change) -> Pushed:
        """Change the named fields only: PUT would clear every field that is left out.

        The ID is in the body; PATCH /Tickets/{id} does not exist.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/API_Calls/REST_Updating_Data_PATCH.htm
        """
        body: Json = {"id": id_of(change.key), **typed(change.fields)}
        if change.reference:
            body |= self.reference.written(change.reference)
        self.api.http().write("PATCH", "V1.0/Tickets", body)
        return Pushed(key=change.key, ticket=self._read_back(change.key))

    def _read_back(self, key: str) -> RemoteTicket:
        """The ticket after a write; Unclear if it cannot be read, because the write itself succeeded."""
        try:
            return self.fetch(key)
        except ConnectorError as error:
            raise Unclear(
                sentence(
                    "The change was written to Autotask, but the ticket could not be read back: %(error)s",
                    error=str(error),
                )
            ) from error

    def _add_note(self, change: Change) -> Pushed:
        """Add a note below its ticket: POST /TicketNotes is a 404.

        A ticket category can make the title mandatory, so there always is one, and it contains the hub's mark. Notes
        are plain text. Notes published to all Autotask users are also shown in the outsourced copy of a ticket.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketNotesEntity.htm
        """
        body = {
            "title": _marked(change),
            "description": change.text,
            "noteType": int(self.values["note_type"]),
            "publish": publish_value(change.visibility),
        }
        path = f"V1.0/Tickets/{id_of(change.key)}/Notes"
        made = self.api.http().write("POST", path, body, headers=self._as_whom())
        return Pushed(key=str(made["itemId"]))

    def _add_file(self, change: Change) -> Pushed:
        """Attach a file, in base64.

        A file can have 6 to 7 MB, all files within five minutes 10,000,000 bytes together, and the tenant decides which
        file types are allowed.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Thresholds_Limits.htm
        """
        body = {
            "id": 0,
            "attachmentType": "FILE_ATTACHMENT",
            "fullPath": change.name,
            "title": _marked(change),
            "publish": publish_value(change.visibility),
            "data": base64.b64encode(change.content).decode(),
        }
        made = self.api.http().write("POST", f"V1.0/Tickets/{id_of(change.key)}/Attachments", body)
        return Pushed(key=str(made["itemId"]))

    def _as_whom(self) -> dict[str, str]:
        """The header that names the resource to write as; it is never sent with a read.

        The API user's security level has to allow it for each kind of record, and the resource's own security level
        has to allow being impersonated.
        """
        resource = self.values.get("impersonate_id")
        return {"ImpersonationResourceId": resource} if resource else {}


def _marked(change: Change) -> str:
    return f"{change.name[:150]} [TH:{change.mark}]"
