"""Any REST system, by a profile: no code of its own for any of them."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar

from connectors.kit.contract import (
    MERGED_SOMEWHERE,
    Change,
    Choice,
    Limits,
    Page,
    Ports,
    ProfileSection,
    Pushed,
    RemoteFile,
    RemoteNote,
    RemoteTicket,
    Setting,
    Unread,
    all_of,
    readable,
    understood,
)
from connectors.kit.errors import ConnectorError, Forbidden, Missing, Refused, Unsupported
from connectors.kit.http import sized, type_of
from connectors.rest.polling import Sweep
from hub.expressions import Expression, text
from hub.expressions.texts import Unsaid

from . import editing, judging
from .caller import Caller
from .checking import LOOK_BACK, ChecksItself
from .profile import Paging, PicklistRow, Profile, Step
from .records import Records, named_zone
from .times import written
from .webhooks import TakesCalls

Json = dict[str, Any]
IGNORED_FILTER = timedelta(days=2)
"""So much older than asked for a record may be before we say that they ignored our filter."""


SOON = timedelta(days=2)
"""A clock of theirs that is further ahead says nothing of when a record changed."""


COUNTED = ("page", "offset", "time")
"""Lists whose pages are counted, so that one can be refused for its number alone."""


class Rest(ChecksItself):
    """A REST system; `of_profile` makes the connector of one profile."""

    slug: ClassVar[str] = "rest"
    label: ClassVar[str] = "REST system by profile"
    profile: ClassVar[Profile]

    @classmethod
    def ways_in(cls, document: str) -> str:
        return _ways_in(document)

    @classmethod
    def of_profile(cls, document: str) -> type[Rest]:
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
    def restarted(cls, cursor: str) -> str:
        return Sweep.restarted(cursor)

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        return editing.sections(document)

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        return editing.section_at(document, place)

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        return editing.edited(document, place, values)

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        super().__init__(values, ports)
        self.caller = Caller(self.profile, values, ports)
        self.records = Records(self.caller)
        of_since = self.profile.since.zone
        self.since_zone = named_zone(of_since.text(self.caller.known) if of_since else "")

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        self._greet()
        return {name: self._choices(row) for name, row in self.profile.picklists.items()}

    def _choices(self, row: PicklistRow) -> tuple[Choice, ...]:
        fixed = [
            Choice(value=v.value, label=v.label, is_active=v.active, is_closed=v.closed, is_theirs=v.theirs)
            for v in row.values
        ]
        if not row.operation:
            return tuple(fixed)
        found = []
        for items in self.caller.pages(row.operation, {}):
            for item in items:
                told = self.records.about(item, None)
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
            return Page(tickets=(), cursor=Sweep.start(now, is_first=self._compares_lists))
        self.caller.rest_if_told()
        self._me()
        state = Sweep.read(cursor, now)
        since = state.at or (state.since if state.token and is_export else state.since - self._overlap())
        try:
            items, token = self.caller.page(steps, {"since": self._since(since)}, state.token)
        except Refused as error:
            if isinstance(error, Forbidden) or paging is None or not (state.token and paging.style in COUNTED):
                raise
            return self._past_their_limit(state, paging, error)
        if not state.token:
            state = replace(state, total=self.caller.total)
        items = self._whole(steps[-1], items)
        page = self._understood(items, since, is_first=state.is_first)
        newest = max((t.changed_at for t in (*page.tickets, *page.before)), default=None)
        if is_export:
            end = not token or token == state.token
            return replace(page, cursor=state.on(token=token or state.token, newest=newest).text, more=not end)
        if paging is not None and paging.style == "time" and token:
            return replace(page, cursor=self._by_time(state, items, token, since).text, more=True)
        if not token:
            lag = timedelta(seconds=self.profile.since.lag_seconds)
            return replace(page, cursor=state.on(newest=newest).end(lag))
        if state.has_seen(token):
            raise Refused(f"The pages of {self.profile.name} go in a circle.")
        return replace(page, cursor=state.on(token=token, newest=newest).text, more=True)

    def _past_their_limit(self, state: Sweep, paging: Paging, error: Refused) -> Page:
        """A list that refuses its n-th page although it showed those before: on, and what it left out is told.

        Sorted by change, only records of the one instant are missing that fills all they show; else nobody knows which.
        """
        count = int(state.token)
        read = count * int(paging.size) if paging.style == "page" else count
        left = 0 if state.total is None else state.total - read
        several = f"{left} records" if left > 0 else "Some records"
        missing, were = ("1 record", "was") if left == 1 else (several, "were")
        told = f"{self.profile.name} shows no more than {read:,} records of a list. {error}"
        if paging.style == "time":
            resolution = timedelta(seconds=self.profile.since.resolution_seconds)
            past = max(state.newest, state.at or state.since) + resolution
            why = f"{missing} that changed at {state.newest:%Y-%m-%d %H:%M:%S} UTC {were} not listed"
            cursor = replace(state, at=past, token="", seen=(), total=None).text
        else:
            why = f"{missing} that changed since {state.since:%Y-%m-%d %H:%M} UTC {were} not listed"
            cursor = state.end(timedelta(seconds=self.profile.since.lag_seconds))
        advice = "Linked tickets are read within the hour all the same; of others, look there which are missing."
        return Page(tickets=(), cursor=cursor, more=paging.style == "time", left_out=f"{why}: {told} {advice}")

    def _by_time(self, state: Sweep, items: list[Any], token: str, asked: datetime) -> Sweep:
        """On from the last change of this page: what changes meanwhile moves to the end, and shifts nothing.

        A record whose time cannot be read, or lies in the days to come, does not say where to go on.
        """
        latest = self.ports.now() + SOON
        times = (at for item in reversed(items) for at in readable([item], self.records.changed))
        last = next((at for at in times if at <= latest), None)
        resolution = timedelta(seconds=self.profile.since.resolution_seconds)
        if last is not None and last - resolution > asked:
            return replace(state.on(newest=last), at=last - resolution, token="")
        return state.on(token=token, newest=last)

    @property
    def _compares_lists(self) -> bool:
        """Whether what is new can only be told by comparing the whole list with what it was."""
        return not self.dates_changes and "changed_since" in self.profile.lacks

    def _overlap(self) -> timedelta:
        row = self.profile.since
        return timedelta(seconds=row.overlap_seconds + row.resolution_seconds)

    def _since(self, at: datetime) -> str:
        return written(at, form=self.profile.since.write, zone=self.since_zone)

    def _heed(self, items: Sequence[Any], tickets: Sequence[RemoteTicket], since: datetime) -> None:
        """The trap of an ignored filter, also when it snaps shut later: everything listed is old.

        Of what was understood the time is known; `items` are the records to be asked themselves.
        """
        if "changed_since" in self.profile.lacks or not self.dates_changes or not (tickets or items):
            return
        times = [*(ticket.changed_at for ticket in tickets), *readable(items, self.records.changed)]
        if not times:
            return
        newest = max(times)
        limit = since - IGNORED_FILTER - timedelta(seconds=self.profile.since.resolution_seconds)
        if newest < limit:
            raise Refused(
                f"{self.profile.name} ignores our filter: asked for changes after {since:%Y-%m-%d %H:%M} UTC, it lists "
                "records that are all older. Nothing of this page is used; look at operations.list.query."
            )

    def _understood(self, items: list[Any], since: datetime, *, is_first: bool) -> Page:
        """The tickets of a page, what of it makes no sense, and the keys of what is gone."""
        there, gone = self.records.sifted(items)
        tickets, unread = understood(there, lambda item: self.records.ticket(item, item, is_listed=True))
        self._heed(items if unread else gone, tickets, since)
        before: tuple[RemoteTicket, ...] = ()
        if is_first:
            before = tuple(one for one in tickets if one.created_at is None or one.created_at < since)
            tickets = tuple(one for one in tickets if one.created_at is not None and one.created_at >= since)
        elif "changed_since" in self.profile.lacks and self.dates_changes:
            tickets = tuple(one for one in tickets if one.changed_at >= since)
        keys = tuple(text(self.profile.ticket.key(self.records.about(item, None))) for item in gone)
        return Page(tickets=tickets, before=before, unread=unread, gone=keys, cursor="")

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
        """The ticket of this key; where another one answers to it, it was merged into that one."""
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
            raise Missing(f"{self.profile.name} answered, but with no such record.")
        if not isinstance(item, dict) or not item:
            raise Refused(f"{self.profile.name} answered without a ticket.")
        if self.records.sifted([item])[1]:
            raise Missing(f"{self.profile.name} says that it is gone.")
        return item, done.answer

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
        found = [ticket for items in pages for ticket in understood(items, lambda i: self.records.ticket(i, i))[0]]
        ours = {ticket.key: _age(ticket) for ticket in found if ticket.reference == reference}
        return tuple(sorted(ours, key=lambda key: ours[key]))

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        self._me()
        values = {"since": self._since(since), "prefix": prefix}
        name = "carrying" if self.caller.has("carrying") else "list"
        paging = self.profile.operations[name][-1].paging
        if paging is not None and paging.export:
            raise Unsupported(f"{self.profile.name} cannot search by the beginning of a reference.")
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
            raise Unsupported(f"{self.profile.name} has no notes.")
        return all_of(*self.records.notes(key, *self._read(key)))

    def content(self, key: str, file: RemoteFile) -> bytes:
        self._me()
        return self.caller.download({"key": self.records.key(key), "file": self._raw_file(key, file)})

    def _raw_file(self, key: str, file: RemoteFile) -> Json:
        """Their record of a file; read again, because a snapshot keeps only what the engine needs."""
        if not self._needs_file_record():
            return {"id": file.key, "name": file.name}
        item, answer = self._read(key)
        for row in self.profile.files:
            items = self.records.items_of(row.items, row.operation, key, item, answer)
            for raw, parent in self.records.nested(row, items, answer):
                told = {**self.records.about(raw, answer), "parent": parent}
                if isinstance(raw, dict) and text(row.key(told)) == file.key:
                    return {**raw, "id": file.key, "name": file.name, "parent": parent}
        raise Missing("They do not have this file any more.")

    def _needs_file_record(self) -> bool:
        steps = self.profile.operations.get("download", ())
        used = {part.steps for step in steps for part in step.path.parts if isinstance(part, Expression)}
        return not used <= {("file", "id"), ("file", "name"), ("key",), ("settings",)}

    # -- writing

    def push(self, change: Change) -> Pushed:
        self._me()
        if change.kind == "create":
            return self._create(change)
        self.records.key(change.key)
        if change.kind == "fields":
            return self._update(change)
        return self._say(change)

    def _values(self, change: Change) -> Json:
        told = f"{change.name}:\n{change.text}" if change.kind == "note" and change.name else change.text
        mark = f"[TH:{change.mark}]" if change.mark else ""
        return {
            "key": change.key,
            "fields": {**change.fields, **self._whole_values(change)},
            "change": {
                "id": change.id,
                "kind": change.kind,
                "key": change.key,
                "reference": change.reference or Unsaid(),
                "visibility": change.visibility,
                "text": told,
                "marked": f"{told}\n\n{mark}".strip(),
                "mark": mark,
                "ticket": change.label,
                "name": change.name,
                "content": change.content,
                "size": len(change.content),
                "type": type_of(change.name),
            },
        }

    def _whole_values(self, change: Change) -> dict[str, str]:
        """Of a field with parts: their own value of which the one that is written is a part, as `status_of`."""
        found = {}
        for name, value in change.fields.items():
            parts = {each.value: each.of for each in self.profile.parts_of(name)}
            if parts:
                found[f"{name}_of"] = parts.get(value, value)
        return found

    def _create(self, change: Change) -> Pushed:
        done = self.caller.run("create", self._values(change), is_write=True)
        if isinstance(done.item, dict) and done.item:
            ticket = self.records.ticket(done.item, done.answer)
            return Pushed(key=ticket.key, ticket=ticket)
        if not done.key:
            raise ValueError("the answer names no new record")
        return Pushed(key=done.key, ticket=self.glance(self.records.key(done.key)))

    def _update(self, change: Change) -> Pushed:
        done = self.caller.run("update", self._values(change), is_write=True)
        if not done.ran:
            raise Refused(f"Nothing in the profile writes {', '.join(change.fields) or 'our reference'}.")
        if isinstance(done.item, dict) and done.item and not self.profile.verify:
            return Pushed(key=change.key, ticket=self.records.ticket(done.item, done.answer))
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
            raise Refused(
                f"{change.name} has {sized(len(change.content))}, {self.profile.name} takes "
                f"{sized(self.profile.largest_file)} at most."
            )
        done = self.caller.run(change.kind, self._values(change), is_write=True)
        if not done.ran:
            raise Refused(f"{self.profile.name} has no way to say this with the visibility {change.visibility!r}.")
        return Pushed(key=done.key or self._key_of_mark(change))

    def _key_of_mark(self, change: Change) -> str:
        """They did not say which record they made: ours is the one with our mark."""
        try:
            item, answer = self._read(change.key)
            is_note = change.kind == "note"
            read: Callable[..., tuple[Sequence[RemoteNote | RemoteFile], Sequence[Unread]]]
            read = self.records.notes if is_note else self.records.files
            records, _unread = read(change.key, item, answer)
            return [record.key for record in records if record.mark == change.mark][-1]
        except (ConnectorError, IndexError) as error:
            raise ValueError("what was said is not found there") from error


def _same(theirs: str, ours: str) -> bool:
    """Whether they kept what we wrote; line ends and spaces around it are theirs to tidy."""
    return theirs == ours or theirs.replace("\r\n", "\n").strip() == ours.replace("\r\n", "\n").strip()


def _age(ticket: RemoteTicket) -> tuple[float, str]:
    """The older sorts first, as far as they tell; ids count up."""
    return (ticket.created_at.timestamp() if ticket.created_at else 0.0, ticket.key.zfill(20))


@lru_cache(maxsize=64)
def _made(document: str) -> type[Rest]:
    found = judging.read(document)
    limits = None
    if found.limits is not None and found.limits.requests:
        row = found.limits
        limits = Limits(requests=int(row.requests), seconds=int(row.seconds), share=row.share, threads=row.threads)
    addresses = _addresses(document)
    made: dict[str, Any] = {
        "__module__": Rest.__module__,
        "__doc__": found.about,
        "slug": f"rest.{found.slug}",
        "label": found.name,
        "profile": found,
        "settings": tuple(
            Setting(
                name=row.name,
                label=row.label,
                help=row.help,
                is_secret=row.secret,
                is_required=row.required,
                is_address=row.name in addresses,
                is_long=row.long,
                default=row.default,
                picklist=row.picklist,
                choices=tuple(row.choices.items()),
            )
            for row in found.settings
        ),
        "fields": tuple(found.ticket.fields),
        "insert_only": frozenset(found.insert_only),
        "limits": limits,
        "dates_changes": "changed_at" not in found.lacks,
        "lengths": {name: int(value) for name, value in found.lengths.items()},
    }
    bases: tuple[type, ...] = (Rest,)
    if found.hook is not None:
        bases = (TakesCalls, Rest)
        made |= {
            "signs_hooks": found.hook.check != "secret_path",
            "signature_headers": found.hook.signature_headers,
        }
    return type(f"Rest_{re.sub('[^A-Za-z0-9]', '_', found.slug)}", bases, made)


def _addresses(document: str) -> frozenset[str]:
    """Names of the settings that say where credentials are sent, and whom there we believe."""
    connect = tomllib.loads(document).get("connect", {})
    told = [connect.get(name, "") for name in ("base", "discover", "token", "authority")]
    return frozenset(re.findall(r"settings\.(\w+)", json.dumps(told)))


def _ways_in(document: str) -> str:
    """Where and how credentials are sent: the table of it, and what its settings are where nobody enters them."""
    told = tomllib.loads(document)
    defaults = {row["name"]: row.get("default", "") for row in told.get("settings", ())}
    text = json.dumps([told.get("connect", {}), defaults], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
