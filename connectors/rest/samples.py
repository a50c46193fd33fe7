"""Sample responses, for the workbench and for the tests of each profile's own samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.kit.contract import (
    Ports,
    Previewed,
    ProfileConnector,
    RemoteFile,
    RemoteNote,
    RemoteTicket,
    TicketConnector,
)
from connectors.kit.errors import ConnectorError, Refused
from connectors.kit.http import Http
from connectors.rest.caller import Caller
from connectors.rest.profile import Profile
from connectors.rest.records import Records
from connectors.rest.webhooks import keys_of_call
from hub.core.sentences import Sentence, sentence

Json = dict[str, Any]
MOST = 10


class ShowsSamples(TicketConnector, ProfileConnector):
    """The part of a profile's connector that reads a pasted sample; the rest is in `connector`."""

    profile: ClassVar[Profile]
    caller: Caller
    records: Records

    @classmethod
    def preview(cls, what: str, answer: str) -> Sequence[Previewed]:
        """How the records of a sample would be read."""
        return previewed(cls, what, answer)

    def items_of_sample(self, what: str, answer: Any) -> list[Any]:
        """The records in a response to `list` or `get`."""
        step = self.profile.operations[what][-1]
        told = self._told(answer)
        answer = told["answer"]
        if what == "list":
            found = step.items(told) if step.items is not None else None
            if not isinstance(found, list):
                raise Refused(_not_a_list(step.items.source if step.items else "items", "operations.list.items"))
            return found
        item = step.item(told) if step.item is not None else answer
        if not isinstance(item, dict):
            raise Refused(
                sentence(
                    "There is no record at %(expression)s (%(place)s).",
                    expression=step.item.source if step.item else "answer",
                    place="operations.get.item",
                )
            )
        return [item]

    def ticket_of_sample(self, item: Any, answer: Any) -> RemoteTicket:
        """A record of a sample as a ticket, with the notes and files in the same response."""
        ticket = self.records.ticket(item, answer)

        def within(row: Any) -> list[Any]:
            return self.records.items_of(row.items, "", ticket.key, item, answer) if row.items is not None else []

        records = self.records
        notes = [records.note(row, ticket.key, raw, answer) for row in self.profile.notes for raw in within(row)]
        files = [
            records.file(row, raw, answer, item, parent)
            for row in self.profile.files
            for raw, parent in records.nested(row, within(row), answer)
        ]
        return replace(ticket, notes=tuple(n for n in notes if n), files=tuple(f for f in files if f))

    def _told(self, answer: Any) -> Json:
        """The names for expressions; a sample of several requests is {"steps": {name: answer}, "answer": the last}."""
        known, steps = self.caller.known, {}
        if isinstance(answer, dict) and set(answer) == {"steps", "answer"}:
            steps, answer = answer["steps"], answer["answer"]
        return {
            "settings": known["settings"],
            "me": known["me"],
            "answer": answer,
            "status": 200,
            "headers": {},
            "steps": steps,
        }

    def notes_of_sample(self, answer: Any) -> list[RemoteNote]:
        """The notes in a response to the operation that lists them."""
        row = next((row for row in self.profile.notes if row.operation), None)
        if row is None:
            raise Refused(sentence("Notes are part of the ticket's own response: choose “one ticket”."))
        step = self.profile.operations[row.operation][-1]
        told = self._told(answer)
        found = step.items(told) if step.items is not None else None
        if not isinstance(found, list):
            raise Refused(
                _not_a_list(step.items.source if step.items else "items", f"operations.{row.operation}.items")
            )
        return [note for raw in found if (note := self.records.note(row, "0", raw, answer)) is not None]

    def keys_of_sample_hook(self, body: bytes) -> tuple[str, tuple[str, ...]]:
        """The records that a webhook call would be about, whatever its signature."""
        if self.profile.hook is None:
            raise Refused(sentence("The profile has no [hook]."))
        told = {"answer": json.loads(body), "headers": {}, "settings": self.caller.known["settings"]}
        keys = keys_of_call(self.profile.hook, told, self.records)
        return keys[0], tuple(keys[1:])


def _not_a_list(expression: str, place: str) -> Sentence:
    return sentence("There is no list at %(expression)s (%(place)s).", expression=expression, place=place)


def _nowhere(**_: Any) -> Http:
    raise ConnectorError(sentence("A sample makes no requests, but this profile needs more than the sample contains."))


def on_paper(kind: type[ShowsSamples], values: Mapping[str, str] | None = None) -> ShowsSamples:
    """The connector without a system, for reading samples."""
    given = {setting.name: setting.default or "1" for setting in kind.settings} | dict(values or {})
    if "address" in given and given["address"] == "1":
        given["address"] = "https://vendor.example"
    return kind(given, Ports(open_http=_nowhere, now=lambda: datetime.now(UTC), memory={}))


def previewed(kind: type[ShowsSamples], what: str, answer: str) -> Sequence[Previewed]:
    """How the records of a response would be read; ValueError says what cannot be read."""
    connector = on_paper(kind)
    if what == "hook":
        return [_hook(connector, answer)]
    try:
        decoded = json.loads(answer)
    except ValueError as error:
        raise ValueError(sentence("This is not valid JSON: %(reason)s", reason=str(error))) from error
    try:
        if what == "notes":
            return [_note(note) for note in connector.notes_of_sample(decoded)[:MOST]]
        items = connector.items_of_sample(what, decoded)
        return [
            _ticket(connector, item, decoded if what == "get" else item, is_whole=what == "get")
            for item in items[:MOST]
        ]
    except (ConnectorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error


def _ticket(connector: ShowsSamples, item: Any, answer: Any, *, is_whole: bool) -> Previewed:
    ticket: RemoteTicket = connector.ticket_of_sample(item, answer)
    rows = [(name, value) for name, value in ticket.fields.items()]
    rows += [(sentence("key"), ticket.key), (sentence("number"), ticket.number), (sentence("URL"), ticket.url)]
    born = ticket.created_at.isoformat() if ticket.created_at else ""
    rows += [(sentence("created"), born), (sentence("changed"), ticket.changed_at.isoformat())]
    rows += [(sentence("author"), ticket.author), (sentence("assignee"), ticket.assignee)]
    rows += [(sentence("queue"), ticket.queue), (sentence("our reference"), ticket.reference)]
    if is_whole:
        rows += [(_of_note(note), note.text) for note in ticket.notes or ()]
        rows += [_of_file(file) for file in ticket.files or ()]
    return Previewed(title=f"{ticket.number} {ticket.fields.get('title', '')}".strip(), rows=tuple(rows))


def _of_note(note: RemoteNote) -> Sentence:
    return sentence("note by %(author)s (%(visibility)s)", author=note.author or "?", visibility=note.visibility)


def _of_file(file: RemoteFile) -> tuple[str, str]:
    value = sentence("%(name)s, %(size)s bytes", name=file.name, size=file.size)
    return sentence("file by %(author)s", author=file.author or "?"), value


def _note(note: RemoteNote) -> Previewed:
    rows = [(sentence("text"), note.text), (sentence("visibility"), note.visibility)]
    rows += [(sentence("author"), note.author), (sentence("created"), note.created_at.isoformat())]
    rows += [(sentence("our mark"), note.mark)]
    return Previewed(title=sentence("Note %(key)s", key=note.key), rows=tuple(rows))


def _hook(connector: ShowsSamples, answer: str) -> Previewed:
    try:
        key, also = connector.keys_of_sample_hook(answer.encode())
    except (ConnectorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(str(error)) from error
    rows = ((sentence("record"), key), (sentence("further records"), ", ".join(also)))
    return Previewed(title=sentence("Webhook call"), rows=rows)
