"""Any REST system, by a profile: no code of its own for any of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar

from connectors.kit import sweeps
from connectors.kit.contract import (
    Change,
    Checked,
    Choice,
    Connector,
    Limits,
    Page,
    Ports,
    Previewed,
    ProfileSection,
    Pushed,
    RemoteFile,
    RemoteNote,
    RemoteTicket,
    Setting,
    mark_in,
    understood,
)
from connectors.kit.errors import ConnectorError, LockedOut, Missing, Refused, Unsupported
from hub.expr import Expression, Failed, text

from . import editing, samples
from . import profile as profiles
from .caller import Caller
from .calls_in import TakesCalls
from .profile import FileRow, NoteRow, PicklistRow, Profile, Step
from .sweeping import Sweep
from .times import moment, written, zone

Json = dict[str, Any]
FORMS = {"number": r"\d{1,19}", "word": r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", "hex": r"[0-9a-fA-F-]{8,40}",
         "any": r"[^/?#\s\x00-\x1f]{1,120}"}  # fmt: skip
FAR_AHEAD = timedelta(days=365)
IGNORED_FILTER = timedelta(days=2)
"""So much older than asked for a record may be before we say that they ignored our filter."""


class Rest(TakesCalls):
    """A REST system; `of_profile` makes the connector of one profile."""

    slug: ClassVar[str] = "rest"
    label: ClassVar[str] = "REST system by profile"
    takes_profile: ClassVar[bool] = True
    profile: ClassVar[Profile]

    @classmethod
    def of_profile(cls, document: str) -> type[Connector]:
        """The connector of a profile's text; ValueError names every mistake in it."""
        return _made(document)

    @classmethod
    def shipped_profiles(cls) -> Mapping[str, str]:
        folder = files(__package__) / "profiles"
        return {
            each.name: (each / "profile.toml").read_text(encoding="utf-8")
            for each in sorted(folder.iterdir(), key=lambda each: each.name)
            if each.is_dir() and (each / "profile.toml").is_file()
        }

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        return editing.sections(document)

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        return editing.section_at(document, place)

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        return editing.edited(document, place, values)

    @classmethod
    def preview(cls, what: str, answer: str) -> Sequence[Previewed]:
        """A sample of theirs as records of ours."""
        return samples.previewed(cls, what, answer)

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        super().__init__(values, ports)
        self.caller = Caller(self.profile, values, ports)
        self.key_form = re.compile(FORMS[self.profile.ticket.key_form])
        row = self.profile.times
        self.zone = _zone(row.zone.text(self.caller.known) if row.zone else "")
        of_since = self.profile.since.zone
        self.since_zone = _zone(of_since.text(self.caller.known) if of_since else "")

    # -- who we are there

    def check(self) -> Checked:
        """Are we let in, do all picklists answer, and does their list keep to our filter?"""
        for name in ("me", "me_name", "discovered", "rest_until"):
            self.ports.memory.pop(name, None)
        facts: dict[str, str] = {}
        if self.caller.has("who"):
            self._me()
            facts["user"] = self.ports.memory.get("me_name") or self.ports.memory["me"]
        found = self.picklists()
        for setting in self.settings:
            chosen = self.values.get(setting.name, "")
            if setting.picklist and chosen and chosen not in {c.value for c in found.get(setting.picklist, ())}:
                raise Refused(f"There is no such {setting.picklist} there.", field=setting.name)
        if "changed_since" not in self.profile.lacks:
            self._ask_the_future()
        return Checked(own_user=self.ports.memory.get("me", "") or "known by our marks", facts=facts)

    def _ask_the_future(self) -> None:
        """Nothing can have changed a year from now: who lists something all the same ignores the filter."""
        at = self.ports.now() + FAR_AHEAD
        steps = self.profile.operations["list"]
        export = steps[-1].paging is not None and steps[-1].paging.export
        if export:
            return
        items, _token = self.caller.page(steps, {"since": self._since(at), "cursor": None}, "")
        items = self._whole(steps[-1], items[:1])
        old = [item for item in items if self._changed(item) < at - timedelta(days=1)]
        if old:
            raise Refused(
                f"{self.profile.name} ignored our filter and listed everything: asked for changes after "
                f"{at:%Y-%m-%d}, it told of {len(old)} older ones. Look at operations.list.query: a field they do "
                "not know is often ignored in silence."
            )

    def _changed(self, item: Any) -> datetime:
        try:
            return self._moment(self.profile.ticket.changed_at({**self._about(), "item": item, "answer": None}))
        except ValueError as error:
            raise Refused(f"A record's time of change cannot be read: {error}.") from error

    def _me(self) -> str:
        if not self.caller.has("who"):
            return ""
        if "me" not in self.ports.memory:
            done = self.caller.run("who")
            told = {"settings": self.caller.known["settings"], "answer": done.answer, "status": 200, "me": "",
                    "headers": done.headers, "steps": {}}  # fmt: skip
            who = self.profile.who
            me = text(who.id(told)) if who is not None else ""
            if not me:
                raise LockedOut(f"{self.profile.name} does not say who we are.", field=self.profile.connect.wrong)
            self.ports.memory["me"] = me
            self.ports.memory["me_name"] = text(who.name(told)) if who and who.name is not None else me
        self.caller.known["me"] = self.ports.memory["me"]
        return self.ports.memory["me"]

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        return {name: self._choices(row) for name, row in self.profile.picklists.items()}

    def _choices(self, row: PicklistRow) -> tuple[Choice, ...]:
        fixed = [Choice(value=v.value, label=v.label, is_active=v.active, is_closed=v.closed) for v in row.values]
        if not row.operation:
            return tuple(fixed)
        found = []
        for items in self.caller.pages(row.operation, {}):
            for item in items:
                told = {**self._about(), "item": item, "answer": None}
                value = text(row.value(told)) if row.value else ""
                if not value:
                    continue
                found.append(
                    Choice(
                        value=value,
                        label=text(row.label(told)) if row.label else value,
                        is_active=row.active is None or row.active(told) is True,
                        is_closed=row.closed is not None and row.closed(told) is True,
                        hint=text(row.hint(told)) if row.hint is not None else "",
                    )
                )
        return (*fixed, *found)

    # -- reading

    def changes_since(self, cursor: str) -> Page:
        """A page of what changed; the cursor says how far the sweep is, and with exports where they said to go on."""
        now = self.ports.now()
        steps = self.profile.operations["list"]
        paging = steps[-1].paging
        is_export = paging is not None and paging.export
        if not cursor:
            return Page(tickets=(), cursor=json.dumps({"since": sweeps.start(now)}))
        self.caller.rest_if_told()
        self._me()
        state = Sweep.read(cursor, now)
        since = state.since - self._overlap() if not state.token or not is_export else state.since
        items, token = self.caller.page(steps, {"since": self._since(since)}, state.token)
        items = self._whole(steps[-1], items)
        self._heed(items, since)
        tickets, unread, gone = self._understood(items)
        newest = max((t.changed_at for t in tickets), default=None)
        if is_export:
            end = not token or token == state.token
            further = state.on(token=token or state.token, newest=newest)
            return Page(tickets=tickets, unread=unread, gone=gone, cursor=further.text, more=not end)
        if paging is not None and paging.style == "time" and token:
            return self._by_time(state, items, tickets, unread, gone, token)
        if not token:
            lag = timedelta(seconds=self.profile.since.lag_seconds)
            return Page(tickets=tickets, unread=unread, gone=gone, cursor=state.on(newest=newest).end(lag))
        if state.has_seen(token):
            raise Refused(f"The pages of {self.profile.name} go in a circle.")
        return Page(
            tickets=tickets, unread=unread, gone=gone, cursor=state.on(token=token, newest=newest).text, more=True
        )

    def _by_time(
        self, state: Sweep, items: list[Any], tickets: Any, unread: Any, gone: tuple[str, ...], token: str
    ) -> Page:
        """On from the newest change of this page: what changes meanwhile moves to the end, and shifts nothing."""
        last = self._changed(items[-1])
        resolution = timedelta(seconds=self.profile.since.resolution_seconds)
        asked = state.since - self._overlap()
        if last - resolution > asked:
            further = replace(state.on(newest=last), since=last - resolution + self._overlap(), token="")
        else:
            further = state.on(token=token, newest=last)
        return Page(tickets=tickets, unread=unread, gone=gone, cursor=further.text, more=True)

    def _overlap(self) -> timedelta:
        row = self.profile.since
        return timedelta(seconds=row.overlap_seconds + row.resolution_seconds)

    def _since(self, at: datetime) -> str:
        return written(at, form=self.profile.since.write, zone=self.since_zone)

    def _heed(self, items: list[Any], since: datetime) -> None:
        """The trap of an ignored filter, also when it snaps shut later: everything listed is old."""
        if "changed_since" in self.profile.lacks or not items:
            return
        try:
            newest = max(self._changed(item) for item in items)
        except Refused:
            return
        limit = since - IGNORED_FILTER - timedelta(seconds=self.profile.since.resolution_seconds)
        if newest < limit:
            raise Refused(
                f"{self.profile.name} ignores our filter: asked for changes after {since:%Y-%m-%d %H:%M} UTC, it lists "
                "records that are all older. Nothing of this page is used; look at operations.list.query."
            )

    def _understood(self, items: Iterable[Any]) -> tuple[Any, Any, tuple[str, ...]]:
        gone: list[str] = []
        there = []
        for item in items:
            row = self.profile.ticket.is_gone
            if (
                row is not None
                and isinstance(item, dict)
                and row({**self._about(), "item": item, "answer": None}) is True
            ):
                gone.append(text(self.profile.ticket.key({**self._about(), "item": item, "answer": None})))
            else:
                there.append(item)
        tickets, unread = understood(there, lambda item: self._ticket(item, item))
        return tickets, unread, tuple(gone)

    def fetch(self, key: str) -> RemoteTicket:
        item, answer = self._read(key)
        ticket = self._ticket(item, answer)
        notes = self._notes(key, item, answer) if self.profile.notes else ()
        files = self._files(key, item, answer) if self.profile.files else ()
        return replace(ticket, notes=notes, files=files)

    def glance(self, key: str) -> RemoteTicket:
        item, answer = self._read(key)
        return self._ticket(item, answer)

    def _read(self, key: str) -> tuple[Any, Any]:
        self._me()
        done = self.caller.run("get", {"key": self._key(key)})
        item = done.item if done.item is not None else done.answer
        if not isinstance(item, dict) or not item:
            raise Refused(f"{self.profile.name} answered without a ticket.")
        return item, done.answer

    def _key(self, key: str) -> str:
        """An id as theirs are; anything else must not get into a path."""
        if not self.key_form.fullmatch(key) or key.startswith("."):
            raise Refused(f"{key[:40]!r} is not an id of {self.profile.name}'s.")
        return key

    def find(self, reference: str) -> tuple[str, ...]:
        self._me()
        if self.caller.has("find"):
            return self._found(self._all("find", {"reference": reference}), reference)
        if "find" not in self.profile.lacks:
            raise Unsupported(f"{self.profile.name} cannot search.")
        return self._found(self._all("list", {"since": self._since(self.ports.now() - LOOK_BACK)}), reference)

    def _all(self, name: str, values: Json) -> Iterable[list[Any]]:
        """All pages of a list, each record whole."""
        step = self.profile.operations[name][-1]
        return (self._whole(step, items) for items in self.caller.pages(name, values))

    def _whole(self, step: Step, items: list[Any]) -> list[Any]:
        """The records of a list; read one by one where the list tells too little of them."""
        if step.again is None:
            return items
        keys = [text(step.again({"item": item, "settings": self.caller.known["settings"]})) for item in items]
        return [self._read(key)[0] for key in keys if key]

    def _found(self, pages: Iterable[list[Any]], reference: str) -> tuple[str, ...]:
        """What their search lets through by mistake is left out; the oldest first."""
        found = [ticket for items in pages for ticket in understood(items, lambda i: self._ticket(i, i))[0]]
        ours = {ticket.key: ticket.created_at for ticket in found if ticket.reference == reference}
        return tuple(sorted(ours, key=lambda key: (ours[key], key.zfill(20))))

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        self._me()
        values = {"since": self._since(since), "prefix": prefix}
        name = "carrying" if self.caller.has("carrying") else "list"
        paging = self.profile.operations[name][-1].paging
        if paging is not None and paging.export:
            raise Unsupported(f"{self.profile.name} cannot search by the beginning of a reference.")
        found: dict[str, list[tuple[datetime, str]]] = {}
        for items in self._all(name, values):
            for ticket in understood(items, lambda i: self._ticket(i, i))[0]:
                if ticket.reference.startswith(prefix):
                    found.setdefault(ticket.reference, []).append((ticket.created_at, ticket.key.zfill(20)))
        return {
            reference: tuple(dict.fromkeys(key.lstrip("0") or "0" for _at, key in sorted(rows)))
            for reference, rows in found.items()
        }

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        if not self.profile.notes:
            raise Unsupported(f"{self.profile.name} has no notes.")
        return self._notes(key, *self._read(key))

    def content(self, key: str, file: RemoteFile) -> bytes:
        self._me()
        return self.caller.download({"key": self._key(key), "file": self._raw_file(key, file)})

    def _raw_file(self, key: str, file: RemoteFile) -> Json:
        """Their record of a file; read again, because a snapshot keeps only what the engine needs."""
        if not self._needs_file_record():
            return {"id": file.key, "name": file.name}
        item, answer = self._read(key)
        for row in self.profile.files:
            items = self._items_of(row.items, row.operation, key, item, answer)
            for raw, parent in self._nested(row, items, answer):
                told = {**self._about(), "item": raw, "answer": answer, "parent": parent}
                if isinstance(raw, dict) and text(row.key(told)) == file.key:
                    return {**raw, "id": file.key, "name": file.name, "parent": parent}
        raise Missing("They do not have this file any more.")

    def _needs_file_record(self) -> bool:
        steps = self.profile.operations.get("download", ())
        used = {part.steps for step in steps for part in step.path.parts if isinstance(part, Expression)}
        return not used <= {("file", "id"), ("file", "name"), ("key",), ("settings",)}

    # -- their records as ours

    def _about(self) -> Json:
        return {"settings": self.caller.known["settings"], "me": self.caller.known["me"]}

    def _moment(self, value: Any, of: str = "") -> datetime:
        try:
            return moment(value, formats=self.profile.times.read, zone=self.zone)
        except ValueError as error:
            raise ValueError(f"{of}: {error}" if of else str(error)) from error

    def _ticket(self, item: Any, answer: Any) -> RemoteTicket:
        row = self.profile.ticket
        told = {**self._about(), "item": item, "answer": answer}

        def pick(expression: Expression | None) -> str:
            return expression.text_in(told) if expression is not None else ""

        try:
            key = pick(row.key)
            if not key:
                raise ValueError("ticket.key: it has no id there")
            me = self.caller.known["me"]
            return RemoteTicket(
                key=self._key(key),
                number=pick(row.number) or key,
                url=row.url.text(told) if row.url is not None else "",
                fields={name: each.text_in(told) for name, each in row.fields.items()},
                created_at=self._moment(row.created_at(told), "ticket.created_at"),
                changed_at=self._moment(row.changed_at(told), "ticket.changed_at"),
                author=self.caller.person(pick(row.author)),
                assignee=self.caller.person(pick(row.assignee)),
                queue=pick(row.queue),
                merged_into=pick(row.merged_into),
                is_ours=bool(me) and pick(row.made_by) == me,
                is_foreign=row.is_foreign is not None and row.is_foreign(told) is True,
                reference=pick(row.reference),
                raw=item if isinstance(item, dict) else {},
            )
        except Failed as error:
            raise ValueError(str(error)) from error

    def _items_of(self, items: Expression | None, operation: str, key: str, item: Any, answer: Any) -> list[Any]:
        if operation:
            return [each for page in self.caller.pages(operation, {"key": key, "item": item}) for each in page]
        found = items({**self._about(), "item": item, "answer": answer}) if items is not None else None
        if found is None:
            return []
        if not isinstance(found, list):
            raise Refused(f"{self.profile.name} answered without a list where one has to be.")
        return found

    def _notes(self, key: str, item: Any, answer: Any) -> tuple[RemoteNote, ...]:
        found = [
            note
            for row in self.profile.notes
            for raw in self._items_of(row.items, row.operation, key, item, answer)
            if (note := self._note(row, key, raw, answer)) is not None
        ]
        return tuple(sorted(found, key=lambda note: (note.created_at, note.key.zfill(20))))

    def _note(self, row: NoteRow, key: str, raw: Any, answer: Any) -> RemoteNote | None:
        told = {**self._about(), "item": raw, "answer": answer, "detail": None}
        if row.detail:
            told["detail"] = self.caller.run(row.detail, {"key": key, "note": raw, "item": raw}).answer
        if row.only is not None and row.only(told) is not True:
            return None
        said = text(row.text(told))
        author, made_by = (text(e(told)) if e is not None else "" for e in (row.author, row.made_by))
        created_at = self._moment(row.created_at(told))
        me = self.caller.known["me"]
        mark = mark_in(said)
        return RemoteNote(
            key=text(row.key(told)) if row.key is not None else _made_up(author, created_at, said),
            text=said,
            visibility=text(row.visibility(told)),
            author=self.caller.person(author),
            # Where they do not say who we are, our own mark has to do; its signature is looked at later.
            is_ours=made_by == me if me else bool(mark),
            created_at=created_at,
            mark=mark,
        )

    def _files(self, key: str, item: Any, answer: Any) -> tuple[RemoteFile, ...]:
        return tuple(
            file
            for row in self.profile.files
            for raw, parent in self._nested(row, self._items_of(row.items, row.operation, key, item, answer), answer)
            if (file := self._file(row, raw, answer, item, parent)) is not None
        )

    def _nested(self, row: FileRow, items: list[Any], answer: Any) -> Iterable[tuple[Any, Any]]:
        """Each file with the record it lies in, if it lies in one."""
        if row.within is None:
            return [(raw, None) for raw in items]
        about = {**self._about(), "answer": answer}
        return [(raw, parent) for parent in items for raw in row.within({**about, "item": parent}) or ()]

    def _file(self, row: FileRow, raw: Any, answer: Any, item: Any, parent: Any = None) -> RemoteFile | None:
        told = {**self._about(), "item": raw, "answer": answer, "parent": parent}
        born = self.profile.ticket.created_at({**self._about(), "item": item, "answer": answer})
        if row.only is not None and row.only(told) is not True:
            return None
        name = text(row.name(told))
        size = text(row.size(told)) if row.size is not None else ""
        me = self.caller.known["me"]
        mark = text(row.mark(told)) if row.mark is not None else mark_in(name)
        return RemoteFile(
            key=text(row.key(told)),
            name=name,
            size=int(float(size)) if size.replace(".", "", 1).isdigit() else 0,
            visibility=text(row.visibility(told)) if row.visibility is not None else "",
            author=self.caller.person(text(row.author(told))) if row.author is not None else "",
            is_ours=text(row.made_by(told)) == me if me and row.made_by is not None else bool(mark),
            created_at=self._moment(row.created_at(told) if row.created_at is not None else born),
            mark=mark,
        )

    # -- samples, for the workbench

    def items_of_sample(self, what: str, answer: Any) -> list[Any]:
        """The records in an answer to `list` or `get`."""
        step = self.profile.operations[what][-1]
        told = {**self._about(), "answer": answer, "status": 200, "headers": {}, "steps": {}}
        if what == "list":
            found = step.items(told) if step.items is not None else None
            if not isinstance(found, list):
                raise Refused(
                    f"There is no list at {step.items.source if step.items else 'items'}: operations.list.items."
                )
            return found
        item = step.item(told) if step.item is not None else answer
        if not isinstance(item, dict):
            raise Refused(
                f"There is no record at {step.item.source if step.item else 'the answer'}: operations.get.item."
            )
        return [item]

    def ticket_of_sample(self, item: Any, answer: Any) -> RemoteTicket:
        ticket = self._ticket(item, answer)
        notes = [self._note(row, ticket.key, raw, answer) for row in self.profile.notes if row.items is not None
                 for raw in self._items_of(row.items, "", ticket.key, item, answer)]  # fmt: skip
        files = [self._file(row, raw, answer, item) for row in self.profile.files if row.items is not None
                 for raw in self._items_of(row.items, "", ticket.key, item, answer)]  # fmt: skip
        return replace(ticket, notes=tuple(n for n in notes if n), files=tuple(f for f in files if f))

    def notes_of_sample(self, answer: Any) -> list[RemoteNote]:
        """The notes in an answer to the operation that lists them."""
        row = next((row for row in self.profile.notes if row.operation), None)
        if row is None:
            raise Refused("Notes stand in the ticket's own answer: choose “one ticket”.")
        step = self.profile.operations[row.operation][-1]
        told = {**self._about(), "answer": answer, "status": 200, "headers": {}, "steps": {}}
        found = step.items(told) if step.items is not None else None
        if not isinstance(found, list):
            raise Refused(
                f"There is no list at {step.items.source if step.items else 'items'}: operations.{row.operation}.items."
            )
        return [note for raw in found if (note := self._note(row, "0", raw, answer)) is not None]

    def keys_of_sample_hook(self, body: bytes) -> tuple[str, tuple[str, ...]]:
        """Which records a call of theirs would be about, whatever its signature."""
        if self.profile.hook is None:
            raise Refused("The profile has no [hook].")
        keys = self._keys_of_hook(json.loads(body), {})
        return keys[0], tuple(keys[1:])

    # -- writing

    def push(self, change: Change) -> Pushed:
        self._me()
        if change.kind == "create":
            return self._create(change)
        self._key(change.key)
        if change.kind == "fields":
            return self._update(change)
        return self._say(change)

    def _values(self, change: Change) -> Json:
        told = f"{change.name}:\n{change.text}" if change.kind == "note" and change.name else change.text
        mark = f"[TH:{change.mark}]" if change.mark else ""
        return {
            "key": change.key,
            "fields": dict(change.fields),
            "change": {
                "id": change.id, "kind": change.kind, "key": change.key, "reference": change.reference,
                "visibility": change.visibility, "text": told, "marked": f"{told}\n\n{mark}".strip(), "mark": mark,
                "name": change.name, "content": change.content, "size": len(change.content),
            },
        }  # fmt: skip

    def _create(self, change: Change) -> Pushed:
        done = self.caller.run("create", self._values(change), is_write=True)
        if isinstance(done.item, dict) and done.item:
            ticket = self._ticket(done.item, done.answer)
            return Pushed(key=ticket.key, ticket=ticket)
        if not done.key:
            raise ValueError("the answer names no new record")
        return Pushed(key=done.key, ticket=self.glance(self._key(done.key)))

    def _update(self, change: Change) -> Pushed:
        done = self.caller.run("update", self._values(change), is_write=True)
        if not done.ran:
            raise Refused(f"Nothing in the profile writes {', '.join(change.fields) or 'our reference'}.")
        if isinstance(done.item, dict) and done.item and not self.profile.verify:
            return Pushed(key=change.key, ticket=self._ticket(done.item, done.answer))
        ticket = self.glance(change.key)
        if self.profile.verify:
            self._verify(change, ticket)
        return Pushed(key=change.key, ticket=ticket)

    def _verify(self, change: Change, ticket: RemoteTicket) -> None:
        """Read back: some systems answer yes and keep what they had (21)."""
        kept = [name for name, value in change.fields.items() if not _same(ticket.fields.get(name, ""), value)]
        if change.reference and ticket.reference != change.reference:
            kept.append("our reference")
        if kept:
            raise Refused(f"{self.profile.name} answered yes but did not change: {', '.join(kept)}.")

    def _say(self, change: Change) -> Pushed:
        known = self.profile.picklists.get("visibility")
        if known is not None and known.values and change.visibility not in {v.value for v in known.values}:
            raise Refused(f"{self.profile.name} knows no visibility {change.visibility!r}.")
        if change.kind == "file" and len(change.content) > self.profile.largest_file:
            limit = int(self.profile.largest_file) // 2**20
            raise Refused(f"{change.name} is larger than the {limit} MB {self.profile.name} takes.")
        done = self.caller.run(change.kind, self._values(change), is_write=True)
        if not done.ran:
            raise Refused(f"{self.profile.name} has no way to say this with the visibility {change.visibility!r}.")
        return Pushed(key=done.key or self._key_of_mark(change))

    def _key_of_mark(self, change: Change) -> str:
        """They did not say which record they made: ours is the one with our mark."""
        try:
            item, answer = self._read(change.key)
            records: Iterable[RemoteNote | RemoteFile] = (
                self._notes(change.key, item, answer)
                if change.kind == "note"
                else self._files(change.key, item, answer)
            )
            return [record.key for record in records if record.mark == change.mark][-1]
        except (ConnectorError, IndexError) as error:
            raise ValueError("what was said is not found there") from error


LOOK_BACK = timedelta(days=7)
"""How far back a ticket is looked for in a list, where they cannot search."""


def _made_up(author: str, at: datetime, said: str) -> str:
    """A key for a note that has none: the same as long as author, time and text are."""
    return "made." + hashlib.sha256(f"{author}\n{at.isoformat()}\n{said}".encode()).hexdigest()[:24]


def _same(theirs: str, ours: str) -> bool:
    """Whether they kept what we wrote; line ends and spaces around it are theirs to tidy."""
    return theirs == ours or theirs.replace("\r\n", "\n").strip() == ours.replace("\r\n", "\n").strip()


def _zone(name: str) -> Any:
    try:
        return zone(name)
    except ValueError as error:
        raise Refused(str(error)) from error


@lru_cache(maxsize=64)
def _made(document: str) -> type[Connector]:
    found = profiles.read(document)
    limits = None
    if found.limits is not None:
        row = found.limits
        limits = Limits(requests=int(row.requests), seconds=int(row.seconds), share=row.share, threads=row.threads)
    made: dict[str, Any] = {
        "__module__": Rest.__module__,
        "__doc__": found.about,
        "slug": f"rest.{found.slug}",
        "label": found.name,
        "profile": found,
        "takes_profile": False,
        "signs_hooks": found.hook is None or found.hook.check != "secret_path",
        "settings": tuple(
            Setting(
                name=row.name, label=row.label, help=row.help, is_secret=row.secret, is_required=row.required,
                is_long=row.long, default=row.default, picklist=row.picklist, choices=tuple(row.choices.items()),
            )
            for row in found.settings
        ),
        "fields": tuple(found.ticket.fields),
        "insert_only": frozenset(found.insert_only),
        "limits": limits,
        "lengths": {name: int(value) for name, value in found.lengths.items()},
    }  # fmt: skip
    return type(f"Rest_{re.sub('[^A-Za-z0-9]', '_', found.slug)}", (Rest,), made)
