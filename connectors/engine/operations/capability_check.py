"""Every capability of a connector, tried on the real system: what an admin wants to know before relying on it.

Reading is always tried. Writing makes one ticket there, with a note of each visibility and a file, and
only on request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from connectors.engine import correlation_marks
from connectors.kit.contract import Change, RemoteTicket, TicketConnector
from connectors.kit.errors import ConnectorError, Unsupported
from hub.core.clock import now
from hub.core.ids import new_ulid

TITLE = "Ticket Hub tries the connection: please ignore and close"
TEXT = "A try: Größe ✓\nin two lines"
CONTENT = bytes(range(256)) * 8
"""Every byte there is, and long enough to be compressed on the way."""
SHOWN = 5
CLOCKS_APART = timedelta(minutes=10)
"""Two clocks that are set by NTP are never so far apart."""
SINCE = "%Y-%m-%dT%H:%M:%SZ"


class NotAsItShould(Exception):
    """It was done, and not as it should be; the message says how."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One capability: whether it works, and what was seen."""

    what: str
    outcome: str
    """``works``, ``fails`` or ``lacks``."""
    told: str
    milliseconds: int


class Bench:
    """One connector on the bench."""

    def __init__(
        self, connector: TicketConnector, *, of: str = "", begins: Callable[[str], None] = lambda what: None
    ) -> None:
        """`of` is the public id of the connection: every try with it writes on one and the same ticket there.

        `begins` is told of each capability before it is tried; what it raises ends the tries.
        """
        self.connector = connector
        self.key = ""
        self.ticket: RemoteTicket | None = None
        self.begins = begins
        self.reference = correlation_marks.reference(of or new_ulid())

    def tries(self, *, writes: bool) -> Iterator[Tried]:
        first = self._one("credentials and settings", self._check)
        yield first
        if first.outcome == "fails":
            return  # systems lock out whoever comes with the wrong key again and again
        yield self._one("picklists", self._picklists)
        yield self._one("what changed within a week", self._changes)
        if writes:
            yield self._one("making a ticket", self._create)
            yield self._one("finding it by our reference", self._find)
            yield self._one("finding those that begin alike", self._carrying)
        if self.key:
            yield self._one("one ticket with notes and files", self._fetch)
        if writes and self.key:
            yield from self._written()

    def _written(self) -> Iterator[Tried]:
        lists = self.connector.picklists()
        for choice in lists.get("visibility", ()):
            yield self._one(f"a note for “{choice.label}”", partial(self._note, choice.value))
        yield self._one("a file", lambda: self._file([c.value for c in lists.get("visibility", ())]))
        yield self._one("changing the title", self._title)
        yield self._one("changing the priority", lambda: self._field("priority", lists))
        yield self._one("changing the status", lambda: self._field("status", lists))

    def _one(self, what: str, call: Callable[[], str]) -> Tried:
        self.begins(what)
        began = time.monotonic()
        try:
            told, outcome = call(), "works"
        except Unsupported as error:
            told, outcome = str(error), "lacks"
        except (ConnectorError, NotAsItShould) as error:
            told, outcome = str(error), "fails"
        except Exception as error:  # on the bench anything may be wrong, and is told
            told, outcome = f"{type(error).__name__}: {error}"[:300], "fails"
        return Tried(what=what, outcome=outcome, told=told, milliseconds=int(1000 * (time.monotonic() - began)))

    # -- reading

    def _check(self) -> str:
        checked = self.connector.check()
        facts = ", ".join(f"{name}: {value}" for name, value in checked.facts.items() if value)
        return facts or f"We are {checked.own_user}."

    def _picklists(self) -> str:
        return "; ".join(
            f"{name}: {', '.join(choice.label for choice in values[:SHOWN])}{' …' if len(values) > SHOWN else ''}"
            for name, values in self.connector.picklists().items()
        )

    def _changes(self) -> str:
        from_ = f"{now().replace(microsecond=0).timestamp() - 7 * 86400:.0f}"
        page = self.connector.changes_since(_written(float(from_)))
        if page.tickets:
            self.ticket, self.key = page.tickets[-1], page.tickets[-1].key
        told = ", ".join(f"{ticket.number} {ticket.fields.get('title', '')[:40]}" for ticket in page.tickets[:SHOWN])
        if page.unread:
            raise NotAsItShould(
                f"{len(page.unread)} of {len(page.unread) + len(page.tickets)} cannot be read, the first because: "
                f"{page.unread[0].why}"
            )
        return f"{len(page.tickets)}{' and more' if page.more else ''}: {told}." if page.tickets else "None."

    def _fetch(self) -> str:
        ticket = self.connector.fetch(self.key)
        notes = ", ".join(f"“{note.text[:30]}” ({note.visibility})" for note in (ticket.notes or ())[:SHOWN])
        said = f"{ticket.number}, status {ticket.fields.get('status')}, notes: {notes or 'none'}"
        return f"{said}, files: {len(ticket.files or ())}."

    # -- writing

    def _create(self) -> str:
        earlier = self._made_earlier()
        if earlier:
            self.key = earlier
            return (
                f"{earlier} was made by an earlier try and is used again. To try making one once more, take our "
                "reference off it there, or delete it."
            )
        lists = self.connector.picklists()
        fields = {"title": TITLE, "description": "Made by Ticket Hub's workbench."}
        for name in ("status", "priority"):
            active = [c.value for c in lists.get(name, ()) if c.is_active and not c.is_closed and not c.is_theirs]
            if name in self.connector.fields and active:
                fields[name] = active[0]
        mark = correlation_marks.sign(new_ulid())
        change = Change(id=new_ulid(), kind="create", reference=self.reference, fields=fields, mark=mark)
        pushed = self.connector.push(change)
        self.key = pushed.key
        ticket = pushed.ticket or self.connector.glance(self.key)
        if ticket.reference != self.reference:
            raise NotAsItShould(
                f"{pushed.key} was made, but our reference {self.reference} was not read back, only "
                f"“{ticket.reference}”: without it a ticket may be made twice."
            )
        self._mind_the_zone(ticket)
        return f"{pushed.key}, with our reference."

    def _mind_the_zone(self, made: RemoteTicket) -> None:
        """A record that was made just now says so, or its times are read in another zone than they are written in."""
        said, at = made.created_at or made.changed_at, self.connector.ports.now()
        minutes = int(abs(at - said) / timedelta(minutes=1))
        if timedelta(minutes=minutes) < CLOCKS_APART:
            return
        names = [f"“{each.label}”" for each in self.connector.settings if "zone" in each.name]
        raise NotAsItShould(
            f"{made.number} was made at {at:%H:%M} UTC, and says {said:%Y-%m-%d %H:%M} UTC: {minutes // 60} h "
            f"{minutes % 60} min {'later' if said > at else 'earlier'}. The time zone or their clock is wrong: look at "
            f"{'the setting ' + names[0] if names else 'their clock, and at how their times are read'}."
        )

    def _made_earlier(self) -> str:
        """The ticket of an earlier try that is still there; empty where there is none, or they cannot search."""
        try:
            found = self.connector.find(self.reference)
        except ConnectorError:
            return ""
        return found[0] if found else ""

    def _find(self) -> str:
        found = self.connector.find(self.reference)
        if self.key not in found:
            raise Unsupported("It is not found (yet) by our reference: some search what was indexed a while ago.")
        return f"Found: {', '.join(found)}."

    def _carrying(self) -> str:
        found = self.connector.carrying(self.reference[:-6], now() - timedelta(days=1))
        if self.key not in found.get(self.reference, ()):
            raise Unsupported("It is not found (yet) by how our reference begins.")
        return f"Found: {len(found)}."

    def _note(self, visibility: str) -> str:
        mark = correlation_marks.sign(new_ulid())
        change = Change(id=new_ulid(), kind="note", key=self.key, text=TEXT, visibility=visibility, mark=mark)
        made = self.connector.push(change).key
        note = next((note for note in self.connector.fetch(self.key).notes or () if note.key == made), None)
        if note is None:
            raise NotAsItShould(f"Written as {made}, but not among the notes that were read back.")
        wrong = {
            f"its text came back as “{note.text[:100]}”": TEXT not in note.text,
            f"it came back for “{note.visibility}”": note.visibility != visibility,
            "it came back without its mark": note.mark != mark,
            "it came back as somebody else's": not note.is_ours,
        }
        if any(wrong.values()):
            raise NotAsItShould(f"Written as {made}, but {', '.join(what for what, is_so in wrong.items() if is_so)}.")
        return f"{made}, read back with its text, mark and visibility."

    def _file(self, visibilities: list[str]) -> str:
        mark = correlation_marks.sign(new_ulid())
        content = CONTENT
        change = Change(
            id=new_ulid(),
            kind="file",
            key=self.key,
            name="try-Größe.txt",
            content=content,
            mark=mark,
            visibility=next(iter(visibilities), ""),
        )
        made = self.connector.push(change).key
        file = next((each for each in self.connector.fetch(self.key).files or () if each.key == made), None)
        if file is None or self.connector.content(self.key, file) != content:
            raise NotAsItShould(f"Sent as {made}, but {'not read back as it was' if file else 'not listed'}.")
        return f"{made}, read back byte for byte."

    def _field(self, name: str, lists: Any) -> str:
        now_ = self.connector.glance(self.key).fields.get(name, "")
        others = [
            c for c in lists.get(name, ()) if c.is_active and not c.is_closed and not c.is_theirs and c.value != now_
        ]
        if name not in self.connector.fields or not others:
            raise Unsupported("There is nothing to change it to.")
        wanted, label = others[0].value, f"“{others[0].label}” ({others[0].value})"
        try:
            pushed = self.connector.push(Change(id=new_ulid(), kind="fields", key=self.key, fields={name: wanted}))
        except ConnectorError as error:
            raise NotAsItShould(f"From {now_} to {label} was tried. {error}") from error
        told = pushed.ticket.fields.get(name, "") if pushed.ticket else self.connector.glance(self.key).fields[name]
        if told != wanted:
            raise NotAsItShould(f"{now_} should have become {label}, and is {told}.")
        return f"{now_} became {label}."

    def _title(self) -> str:
        if "title" not in self.connector.fields or "title" in self.connector.insert_only:
            raise Unsupported("It cannot be changed.")
        wanted = f"{TITLE} – Größe ✓"
        self.connector.push(Change(id=new_ulid(), kind="fields", key=self.key, fields={"title": wanted}))
        told = self.connector.glance(self.key).fields["title"]
        if told != wanted:
            raise NotAsItShould(f"It came back as “{told[:100]}”.")
        return "Kept to the letter."


def _written(seconds: float) -> str:
    return time.strftime(SINCE, time.gmtime(seconds))
