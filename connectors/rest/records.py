"""Records of a system as ours, by what its profile says of a ticket, a note and a file.

Every field of every record of a poll goes through here: what of the profile does not change from record to
record is made ready once.
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
"""What a profile may say of a ticket, and need not."""


class Records:
    """Reads what one connection's system answers."""

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
        """Of the notes read last: the key of the ticket it was merged into, as far as one of them says so."""

    # -- one record

    def about(self, item: Any, answer: Any) -> Json:
        """What the profile's expressions read of a record, its answer, and us."""
        known = self.caller.known
        return {"settings": known["settings"], "me": known["me"], "item": item, "answer": answer}

    def key(self, key: str) -> str:
        """An id as theirs are; anything else must not get into a path."""
        if not self.is_key(key):
            raise Refused(f"{key[:40]!r} is not an id of {self.profile.name}'s.")
        return key

    def changed(self, item: Any) -> datetime:
        """When it changed; Refused where that cannot be read."""
        row = self.profile.ticket.changed_at
        try:
            return self.moment(row(self.about(item, None)) if row is not None else None)
        except (ValueError, ArithmeticError) as error:
            raise Refused(f"A record's time of change cannot be read: {error}.") from error

    def sifted(self, items: list[Any]) -> tuple[list[Any], list[Any]]:
        """The records that are there, and those that only say that something is gone."""
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
        """A ticket without its notes and files; ValueError or Refused for what is none.

        One of a list says not who changed it: whatever concerns us is read whole afterwards.
        """
        row, told = self.profile.ticket, self.about(item, answer)
        born, changed = row.created_at, row.changed_at
        try:
            key = row.key.text_in(told)
            if not key:
                raise ValueError("ticket.key: it has no id there")
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
        """Put the part, by its condition, in the place of their own value."""
        for name, parts in self._parts.items():
            is_part = (each.value for each in parts if each.of == fields[name] and each.when(told) is True)
            fields[name] = next(is_part, fields[name])

    def _author(self, told: Json, me: str) -> str:
        """Who changed it last, or made it; nobody of theirs where we did."""
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
            raise ValueError(f"{what}: {error}") from error

    # -- notes and files

    def items_of(self, items: Expression | None, operation: str, key: str, item: Any, answer: Any) -> list[Any]:
        """The records of a list within the ticket's own answer, or of an operation of its own."""
        if operation:
            return [each for page in self.caller.pages(operation, {"key": key, "item": item}) for each in page]
        found = items(self.about(item, answer)) if items is not None else None
        if found is None:
            return []
        if not isinstance(found, list):
            raise Refused(f"{self.profile.name} answered without a list where one has to be.")
        return found

    def notes(self, key: str, item: Any, answer: Any) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        """The notes that make sense, by time, and what does not."""
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
        """A note; None for what the profile leaves out."""
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
            # Where they do not say who we are, our own mark has to do; its signature is looked at later.
            is_ours=made_by == me if me else bool(mark),
            created_at=created_at,
            mark=mark,
        )

    def files(self, key: str, item: Any, answer: Any) -> tuple[tuple[RemoteFile, ...], tuple[Unread, ...]]:
        """The files that make sense, and what does not."""
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
        """Whether it is worth reading whole: `only` may leave it out without that."""
        if row.only is None or "detail" in row.only.names:
            return True
        return row.only({**self.about(raw, answer), "parent": parent, "detail": None}) is True

    def nested(self, row: FileRow, items: list[Any], answer: Any) -> Iterable[tuple[Any, Any]]:
        """Each file with the record it lies in, if it lies in one."""
        if row.within is None:
            return [(raw, None) for raw in items]
        return [(raw, parent) for parent in items for raw in row.within(self.about(parent, answer)) or ()]

    def file(
        self, row: FileRow, raw: Any, answer: Any, item: Any, parent: Any = None, detail: Any = None
    ) -> RemoteFile | None:
        """An attachment; None for what the profile leaves out. As old as its ticket where it has no time."""
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
        """When its ticket was made; None where they do not tell."""
        row = self.profile.ticket.created_at
        return row(self.about(item, answer)) if row is not None else None


def _made_up(author: str, at: datetime, said: str) -> str:
    """A key for a note that has none: the same as long as author, time and text are."""
    return "made." + hashlib.sha256(f"{author}\n{at.isoformat()}\n{said}".encode()).hexdigest()[:24]


def named_zone(name: str) -> Any:
    """The zone of that name; Refused with a sentence for one that there is not."""
    try:
        return zone(name)
    except ValueError as error:
        raise Refused(str(error)) from error
