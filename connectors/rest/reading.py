"""Reads tickets according to a profile: one by its key, or several by our reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.kit.contract import MERGED_SOMEWHERE, Ports, RemoteFile, RemoteNote, RemoteTicket, all_of, understood
from connectors.kit.errors import LockedOut, Missing, Refused, Unsupported
from hub.core.sentences import sentence
from hub.expressions import Expression, text

from .caller import Caller
from .profile import Step
from .records import Records, named_zone
from .samples import ShowsSamples
from .times import written

Json = dict[str, Any]
LOOK_BACK = timedelta(days=7)
"""How far back a ticket is looked for in the list, if the system cannot search."""


class Reads(ShowsSamples):
    """The part of a profile's connector that reads; the rest is in `connector`."""

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        super().__init__(values, ports)
        self.caller = Caller(self.profile, values, ports)
        self.records = Records(self.caller)
        of_since = self.profile.since.zone
        self.since_zone = named_zone(of_since.text(self.caller.known) if of_since else "")

    def _since(self, at: datetime) -> str:
        return written(at, form=self.profile.since.write, zone=self.since_zone)

    def fetch(self, key: str) -> RemoteTicket:
        item, answer = self._read(key)
        ticket = self._asked_for(key, item, answer)
        notes, unread = self.records.notes(key, item, answer) if self.profile.notes else ((), ())
        if ticket.merged_into == MERGED_SOMEWHERE and self.records.merged_by_note not in ("", key):
            ticket = replace(ticket, merged_into=self.records.merged_by_note)
        files, also_unread = self.records.files(key, item, answer) if self.profile.files else ((), ())
        return replace(ticket, notes=notes, files=files, unread=(*unread, *also_unread))

    def glance(self, key: str) -> RemoteTicket:
        return self._asked_for(key, *self._read(key))

    def _asked_for(self, key: str, item: Any, answer: Any) -> RemoteTicket:
        """The ticket with this key; if another record is returned, it was merged into that one."""
        ticket = self.records.ticket(item, answer)
        if ticket.key == key:
            return ticket
        return replace(ticket, key=key, merged_into=ticket.merged_into or ticket.key)

    def _read(self, key: str) -> tuple[Any, Any]:
        self._me()
        done = self.caller.run("get", {"key": self.records.key(key)})
        says_item = any(step.item is not None for step in self.profile.operations["get"])
        item = done.item if says_item else done.answer
        if item is None:
            raise Missing(sentence("%(system)s has no such record.", system=self.profile.name))
        if not isinstance(item, dict) or not item:
            raise Refused(sentence("%(system)s answered without a ticket.", system=self.profile.name))
        if self.records.sifted([item])[1]:
            raise Missing(sentence("%(system)s reports that the record was deleted.", system=self.profile.name))
        return item, done.answer

    def find(self, reference: str) -> tuple[str, ...]:
        self._me()
        if self.caller.has("find"):
            return self._found(self._all("find", {"reference": reference}), reference)
        if "find" not in self.profile.lacks:
            raise Unsupported(sentence("%(connector)s cannot search.", connector=self.profile.name))
        return self._found(self._all("list", {"since": self._since(self.ports.now() - LOOK_BACK)}), reference)

    def _all(self, name: str, values: Json) -> Iterable[list[Any]]:
        """All pages of a list, with complete records."""
        step = self.profile.operations[name][-1]
        return (self._whole(step, items) for items in self.caller.pages(name, values))

    def _whole(self, step: Step, items: list[Any]) -> list[Any]:
        """The records of a list, read one by one if the list contains too little."""
        if step.again is None:
            return items
        keys = [text(step.again({"item": item, "settings": self.caller.known["settings"]})) for item in items]
        return [self._read(key)[0] for key in keys if key]

    def _found(self, pages: Iterable[list[Any]], reference: str) -> tuple[str, ...]:
        """The keys of the tickets with this reference, oldest first; the search may return others by mistake."""
        found = [ticket for items in pages for ticket in understood(items, lambda i: self.records.ticket(i, i))[0]]
        ours = {ticket.key: _age(ticket) for ticket in found if ticket.reference == reference}
        return tuple(sorted(ours, key=lambda key: ours[key]))

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        self._me()
        values = {"since": self._since(since), "prefix": prefix}
        name = "carrying" if self.caller.has("carrying") else "list"
        paging = self.profile.operations[name][-1].paging
        if paging is not None and paging.export:
            raise Unsupported(
                sentence("%(connector)s cannot search by the beginning of a reference.", connector=self.profile.name)
            )
        found: dict[str, list[tuple[Any, ...]]] = {}
        for items in self._all(name, values):
            for ticket in understood(items, lambda i: self.records.ticket(i, i))[0]:
                if ticket.reference.startswith(prefix):
                    found.setdefault(ticket.reference, []).append((*_age(ticket), ticket.key))
        return {
            reference: tuple(dict.fromkeys(key for *_age, key in sorted(rows))) for reference, rows in found.items()
        }

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        if not self.profile.notes:
            raise Unsupported(sentence("%(connector)s has no notes.", connector=self.profile.name))
        return all_of(*self.records.notes(key, *self._read(key)))

    def content(self, key: str, file: RemoteFile) -> bytes:
        self._me()
        return self.caller.download({"key": self.records.key(key), "file": self._raw_file(key, file)})

    def _raw_file(self, key: str, file: RemoteFile) -> Json:
        """The system's record of a file, read again because a snapshot contains only what the engine needs."""
        if not self._needs_file_record():
            return {"id": file.key, "name": file.name}
        item, answer = self._read(key)
        for row in self.profile.files:
            items = self.records.items_of(row.items, row.operation, key, item, answer)
            for raw, parent in self.records.nested(row, items, answer):
                told = {**self.records.about(raw, answer), "parent": parent}
                if isinstance(raw, dict) and text(row.key(told)) == file.key:
                    return {**raw, "id": file.key, "name": file.name, "parent": parent}
        raise Missing(sentence("This file no longer exists in the vendor's system."))

    def _needs_file_record(self) -> bool:
        steps = self.profile.operations.get("download", ())
        used = {part.steps for step in steps for part in step.path.parts if isinstance(part, Expression)}
        return not used <= {("file", "id"), ("file", "name"), ("key",), ("settings",)}

    def _me(self) -> str:
        if not self.caller.has("who"):
            return ""
        if "me" not in self.ports.memory:
            done = self.caller.run("who")
            told = {
                "settings": self.caller.known["settings"],
                "answer": done.answer,
                "status": 200,
                "me": "",
                "headers": done.headers,
                "steps": {},
            }
            who = self.profile.who
            me = text(who.id(told)) if who is not None else ""
            if not me:
                raise LockedOut(
                    sentence("%(system)s does not identify our user.", system=self.profile.name),
                    field=self.profile.connect.wrong,
                )
            self.ports.memory["me"] = me
            self.ports.memory["me_name"] = text(who.name(told)) if who and who.name is not None else me
        self.caller.known["me"] = self.ports.memory["me"]
        return self.ports.memory["me"]


def _age(ticket: RemoteTicket) -> tuple[float, str]:
    """A sort key by age: the time of creation, if it is known, then the ID."""
    return (ticket.created_at.timestamp() if ticket.created_at else 0.0, ticket.key.zfill(20))
