"""Writing to ConnectWise: tickets, notes and documents."""

from __future__ import annotations

from connectors.connectwise.api import Api
from connectors.connectwise.places import FLAGS, INTERNAL
from connectors.connectwise.records import Records
from connectors.connectwise.values import Json, id_of, text_of
from connectors.kit.contract import Change, Pushed
from connectors.kit.errors import Refused
from hub.core.sentences import sentence

_PATHS = {"title": "summary", "status": "status", "priority": "priority"}


class Writer:
    """Writes tickets, notes and documents. References are written by ID, as ``{"id": 3}``."""

    def __init__(self, api: Api, records: Records) -> None:
        self.api, self.values, self.records = api, api.values, records

    def push(self, change: Change) -> Pushed:
        writes = {"create": self._create, "fields": self._patch, "note": self._add_note, "file": self._add_file}
        return writes[change.kind](change)

    def _create(self, change: Change) -> Pushed:
        """Open a ticket; summary and company are required, the rest has defaults.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/Tickets/postServiceTickets
        """
        fields = dict(change.fields)
        body: Json = {
            "summary": fields.get("title", ""),
            "company": {"id": id_of(self.values["company_id"])},
            "board": {"id": id_of(self.values["board_id"])},
            "externalXRef": change.reference,
            "processNotifications": self._notifies,
            "skipCallback": True,
        }
        for name in ("status", "priority"):
            if fields.get(name):
                body[name] = {"id": id_of(fields[name])}
        if fields.get("description"):
            # ConnectWise turns it into the first note; the mark shows that the hub wrote it.
            body["initialDescription"] = _marked(fields["description"], change.mark)
        ticket = self.records.ticket(self.api.http().write("POST", "service/tickets", body))
        return Pushed(key=ticket.key, ticket=ticket)

    def _patch(self, change: Change) -> Pushed:
        """Change the named fields, with an array of operations as in JSON Patch.

        Paths are case-sensitive. ConnectWise can return 200 without changing anything, so the response is compared with
        the request.
        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
        """
        wanted: Json = {}
        for name, value in change.fields.items():
            wanted[_PATHS[name]] = {"id": id_of(value)} if name in ("status", "priority") else value
        if change.reference:
            wanted["externalXRef"] = change.reference
        operations = [{"op": "replace", "path": path, "value": value} for path, value in wanted.items()]
        answer = self.api.http().write("PATCH", f"service/tickets/{id_of(change.key)}", operations)
        unchanged = [path for path, value in wanted.items() if text_of(answer.get(path)) != text_of(value)]
        if unchanged:
            raise Refused(
                sentence("ConnectWise reported success but did not change: %(fields)s.", fields=", ".join(unchanged))
            )
        return Pushed(key=change.key, ticket=self.records.ticket(answer))

    def _add_note(self, change: Change) -> Pushed:
        """Add a note. It has no field for an external reference, so the mark is at the end of its text.

        At least one of the three flags has to be true; otherwise ConnectWise returns 400.
        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
        """
        if change.visibility not in FLAGS:
            raise Refused(
                sentence(
                    "ConnectWise has no note visibility called %(visibility)s. Correct the mapping of notes.",
                    visibility=repr(change.visibility),
                )
            )
        text = f"{change.name}:\n{change.text}" if change.name else change.text
        body: Json = {flag: place == change.visibility for place, flag in FLAGS.items()}
        body |= {
            "text": _marked(text, change.mark),
            "member": {"identifier": self.values["member"]},
            "processNotifications": self._notifies,
            "customerUpdatedFlag": False,
        }
        made = self.api.http().write("POST", f"service/tickets/{id_of(change.key)}/notes", body)
        return Pushed(key=str(made["id"]))

    def _add_file(self, change: Change) -> Pushed:
        """Add a document, as multipart form data: JSON returns 415.

        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
        """
        made = self.api.http().upload(
            "system/documents",
            {
                "recordType": "Ticket",
                "recordId": str(id_of(change.key)),
                "title": _marked(change.name[:150], change.mark, gap=" "),
                "privateFlag": "true" if change.visibility == INTERNAL else "false",
                "readOnlyFlay": "false",  # the API's own spelling
                "isAvatar": "false",
            },
            (change.name, change.content),
        )
        return Pushed(key=str(made["id"]))

    @property
    def _notifies(self) -> bool:
        return self.values.get("notify") == "yes"


def _marked(text: str, mark: str, *, gap: str = "\n\n") -> str:
    return f"{text}{gap}[TH:{mark}]" if mark else text
