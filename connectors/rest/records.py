"""Converts a system's records to the kit's, as its profile describes tickets, notes and files.

Every field of every record of a poll is read here, so whatever is the same for all records is prepared once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket, Unread, mark_in, pieces
from connectors.kit.errors import Refused
from hub.core.sentences import sentence
from hub.expressions import Expression, Failed

from .caller import Caller
from .profile import FileRow, NoteRow
from .times import reader, zone

Json = dict[str, Any]
FORMS = {
    "number": r"\d{1,19}",
    "word": r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}",
    "hex": r"[0-9a-fA-F-]{8,40}",
    "any": r"(?!\.)[^/?#\s\x00-\x1f]{1,100}",
}
OF_TICKET = ("number", "assignee", "queue", "merged_into", "made_by", "reference", "resolution", "requester")
"""The optional parts of a ticket in a profile."""


class Records:
    """Reads the records of one connection's system."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.profile = caller, caller.profile
        row, times = self.profile.ticket, self.profile.times
        self.is_key = re.compile(FORMS[row.key_form]).fullmatch
        self.moment = reader(times.read, named_zone(times.zone.text(caller.known) if times.zone else ""))
        self._texts = [(name, each.text_in) for name in OF_TICKET if (each := getattr(row, name)) is not None]
        self._fields = [(name, each.text_in) for name, each in row.fields.items()]
        parts = {name: self.profile.parts_of(name) for name in row.fields}
        self._parts = {name: rows for name, rows in parts.items() if rows}
        self.merged_by_note = ""
        """The key of the ticket this one was merged into, if one of the notes read last says so."""

    # -- one record

    def about(self, item: Any, answer: Any) -> Json:
        """The names that the profile's expressions can use for a record: itself, its response, and our own data."""
        known = self.caller.known
        return {"settings": known["settings"], "me": known["me"], "item": item, "answer": answer}

    def key(self, key: str) -> str:
        """The key if it is a valid ID of this system; Refused for anything else, which must not get into a path."""
        if not self.is_key(key):
            raise Refused(
                sentence("%(value)s is not a valid ID of %(system)s.", value=repr(key[:40]), system=self.profile.name)
            )
        return key

    def changed(self, item: Any) -> datetime:
        """When the record changed; Refused if that cannot be read."""
        row = self.profile.ticket.changed_at
        try:
            return self.moment(row(self.about(item, None)) if row is not None else None)
        except (ValueError, ArithmeticError) as error:
            raise Refused(
                sentence("The time of change of a record cannot be read: %(reason)s", reason=str(error))
            ) from error

    def sifted(self, items: list[Any]) -> tuple[list[Any], list[Any]]:
        """The existing records, and those that only report a deletion."""
        is_gone = self.profile.ticket.is_gone
        if is_gone is None:
            return items, []
        there: list[Any] = []
        gone: list[Any] = []
        for item in items:
            try:
                says_so = isinstance(item, dict) and is_gone(self.about(item, None)) is True
                says_so = says_so and bool(self.key(self.profile.ticket.key.text_in(self.about(item, None))))
            except (Failed, Refused):
                says_so = False
            (gone if says_so else there).append(item)
        return there, gone

    def ticket(self, item: Any, answer: Any, *, is_listed: bool = False) -> RemoteTicket:
        """A ticket without its notes and files; ValueError or Refused if the record is not a valid ticket.

        For a listed ticket the author of the change is left out: a ticket that concerns us is read in full afterwards.
        """
        row, told = self.profile.ticket, self.about(item, answer)
        born, changed = row.created_at, row.changed_at
        try:
            key = row.key.text_in(told)
            if not key:
                raise ValueError(sentence("ticket.key: the record has no ID."))
            said = {name: read(told) for name, read in self._texts}
            fields = {name: read(told) for name, read in self._fields}
            if self._parts:
                self._split(fields, told)
            me = told["me"]
            return RemoteTicket(
                key=self.key(key),
                number=said.get("number") or key,
                url=row.url.text(told) if row.url is not None else "",
                fields=fields,
                created_at=self._moment_of(born, told, "ticket.created_at") if born else None,
                changed_at=self._moment_of(changed, told, "ticket.changed_at") if changed else self._now(),
                author="" if is_listed else self._author(told, me),
                assignee=self.caller.person(said.get("assignee", "")),
                queue=said.get("queue", ""),
                merged_into=said.get("merged_into", ""),
                resolution=said.get("resolution", ""),
                requester=said.get("requester", ""),
                is_ours=bool(me) and said.get("made_by") == me,
                is_foreign=row.is_foreign is not None and row.is_foreign(told) is True,
                reference=said.get("reference", ""),
                raw=item if isinstance(item, dict) else {},
            )
        except Failed as error:
            raise ValueError(str(error)) from error

    def _split(self, fields: dict[str, str], told: Json) -> None:
        """Replace a value of the vendor's by the part whose condition is true."""
        for name, parts in self._parts.items():
            is_part = (each.value for each in parts if each.of == fields[name] and each.when(told) is True)
            fields[name] = next(is_part, fields[name])

    def _author(self, told: Json, me: str) -> str:
        """Who last changed or created the ticket; empty if that was our own user."""
        row = self.profile.ticket
        if row.author is None or (me and row.changed_by is not None and row.changed_by.text_in(told) == me):
            return ""
        return self.caller.person(row.author.text_in(told))

    def _now(self) -> datetime:
        return self.caller.ports.now()

    def _moment_of(self, at: Expression, told: Json, what: str) -> datetime:
        found = at(told)
        try:
            return self.moment(found)
        except ValueError as error:
            raise ValueError(sentence("%(place)s: %(mistake)s", place=what, mistake=str(error))) from error

    # -- notes and files

    def items_of(self, items: Expression | None, operation: str, key: str, item: Any, answer: Any) -> list[Any]:
        """The records of a list within the ticket's own response, or of a separate operation."""
        if operation:
            return [each for page in self.caller.pages(operation, {"key": key, "item": item}) for each in page]
        found = items(self.about(item, answer)) if items is not None else None
        if found is None:
            return []
        if not isinstance(found, list):
            raise Refused(_no_list(self.profile.name))
        return found

    def notes(self, key: str, item: Any, answer: Any) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        """The notes in order of time, and the records that cannot be read."""
        found: list[RemoteNote] = []
        unread: list[Unread] = []
        self.merged_by_note = ""
        for row in self.profile.notes:
            items = self.items_of(row.items, row.operation, key, item, answer)
            told, not_told = pieces(
                items, partial(self._notes_in, row, key, answer), key=partial(self._key_in, row, answer)
            )
            found += told
            unread += not_told
        return tuple(sorted(found, key=lambda note: (note.created_at, note.key.zfill(20)))), tuple(unread)

    def _notes_in(self, row: NoteRow, key: str, answer: Any, raw: Any) -> list[RemoteNote]:
        note = self.note(row, key, raw, answer)
        return [note] if note is not None else []

    def _key_in(self, row: NoteRow | FileRow, answer: Any, raw: Any) -> str:
        return row.key.text_in(self.about(raw, answer)) if row.key is not None else ""

    def note(self, row: NoteRow, key: str, raw: Any, answer: Any) -> RemoteNote | None:
        """A note; None if the profile leaves it out."""
        told = {**self.about(raw, answer), "detail": None}
        if row.only is not None and "detail" not in row.only.names and row.only(told) is not True:
            return None
        if row.detail:
            told["detail"] = self.caller.run(row.detail, {"key": key, "note": raw, "item": raw}).answer
        if row.only is not None and row.only(told) is not True:
            return None
        said = row.text.text_in(told)
        if row.merged_into is not None and (into := row.merged_into.text_in(told)):
            self.merged_by_note = into
        author, made_by = (each.text_in(told) if each is not None else "" for each in (row.author, row.made_by))
        created_at = self.moment(row.created_at(told))
        me = self.caller.known["me"]
        mark = mark_in(said)
        return RemoteNote(
            key=row.key.text_in(told) if row.key is not None else _made_up(author, created_at, said),
            text=said,
            visibility=row.visibility.text_in(told),
            author=self.caller.person(author),
            # If the system does not identify our user, our own mark decides; its signature is verified later.
            is_ours=made_by == me if me else bool(mark),
            created_at=created_at,
            mark=mark,
        )

    def files(self, key: str, item: Any, answer: Any) -> tuple[tuple[RemoteFile, ...], tuple[Unread, ...]]:
        """The files, and the records that cannot be read."""
        found: list[RemoteFile] = []
        unread: list[Unread] = []
        for row in self.profile.files:
            nested = self.nested(row, self.items_of(row.items, row.operation, key, item, answer), answer)
            for raw, parent in nested:
                read = partial(self._files_in, row, answer, item, parent)
                told, not_told = pieces([raw], read, key=partial(self._key_in, row, answer))
                found += told
                unread += not_told
        return tuple(found), tuple(unread)

    def _files_in(self, row: FileRow, answer: Any, item: Any, parent: Any, raw: Any) -> list[RemoteFile]:
        detail = None
        if row.detail and self._is_wanted(row, raw, answer, parent):
            key = row.key.text_in({**self.about(raw, answer), "parent": parent, "detail": None})
            detail = self.caller.run(row.detail, {"key": key, "item": raw}).answer
        file = self.file(row, raw, answer, item, parent, detail)
        return [file] if file is not None else []

    def _is_wanted(self, row: FileRow, raw: Any, answer: Any, parent: Any) -> bool:
        """Whether the file's details are needed: `only` may leave it out without them."""
        if row.only is None or "detail" in row.only.names:
            return True
        return row.only({**self.about(raw, answer), "parent": parent, "detail": None}) is True

    def nested(self, row: FileRow, items: list[Any], answer: Any) -> Iterable[tuple[Any, Any]]:
        """Each file with the record that contains it, if there is one."""
        if row.within is None:
            return [(raw, None) for raw in items]
        return [(raw, parent) for parent in items for raw in row.within(self.about(parent, answer)) or ()]

    def file(
        self, row: FileRow, raw: Any, answer: Any, item: Any, parent: Any = None, detail: Any = None
    ) -> RemoteFile | None:
        """An attachment; None if the profile leaves it out. Without a time of its own it has that of its ticket."""
        told = {**self.about(raw, answer), "parent": parent, "detail": detail}
        if row.only is not None and row.only(told) is not True:
            return None
        name = row.name.text_in(told)
        size = row.size.text_in(told) if row.size is not None else ""
        me = self.caller.known["me"]
        mark = row.mark.text_in(told) if row.mark is not None else mark_in(name)
        born = row.created_at(told) if row.created_at is not None else self._born(item, answer)
        return RemoteFile(
            key=row.key.text_in(told),
            name=name,
            size=int(float(size)) if size.replace(".", "", 1).isdecimal() else 0,
            visibility=row.visibility.text_in(told) if row.visibility is not None else "",
            author=self.caller.person(row.author.text_in(told)) if row.author is not None else "",
            is_ours=row.made_by.text_in(told) == me if me and row.made_by is not None else bool(mark),
            created_at=self._now() if born is None else self.moment(born),
            mark=mark,
        )

    def _born(self, item: Any, answer: Any) -> Any:
        """When its ticket was created; None if the system does not say."""
        row = self.profile.ticket.created_at
        return row(self.about(item, answer)) if row is not None else None


def _made_up(author: str, at: datetime, said: str) -> str:
    """A key for a note without an ID, made of its author, time and text."""
    return "made." + hashlib.sha256(f"{author}\n{at.isoformat()}\n{said}".encode()).hexdigest()[:24]


def named_zone(name: str) -> Any:
    """The time zone with this name; Refused if there is none."""
    try:
        return zone(name)
    except ValueError as error:
        raise Refused(str(error)) from error


def _no_list(system: str) -> str:
    return sentence("%(system)s answered without a list of records.", system=system)
