"""Tries every capability of a connector on the real system, before an admin relies on it.

Reading is always tried. Writing is tried only on request: it creates one ticket in the vendor's system, with a note
of each visibility and a file. Results are sentences, since they are stored and read in any language.
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
from hub.core.sentences import sentence, sentences

TITLE = "Ticket Hub connection test: please ignore and close"
TEXT = "A test: Größe ✓\nin two lines"
CONTENT = bytes(range(256)) * 8
"""Every byte value, in a file that is long enough to be compressed in transit."""
SHOWN = 5
CLOCKS_APART = timedelta(minutes=10)
"""Two clocks that are set by NTP never differ by this much."""
SINCE = "%Y-%m-%dT%H:%M:%SZ"


class NotAsItShould(Exception):
    """The call succeeded, but its result is wrong; the message says how."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The result of trying one capability."""

    what: str
    """The name of the capability."""
    outcome: str
    """``works``, ``fails`` or ``lacks``."""
    told: str
    """What was seen, or what is wrong."""
    milliseconds: int


class Bench:
    """Tries the capabilities of one connector."""

    def __init__(
        self, connector: TicketConnector, *, of: str = "", begins: Callable[[str], None] = lambda what: None
    ) -> None:
        """`of` is the public id of the connection: all trials with it write to the same ticket.

        `begins` is called with each capability before it is tried; an exception from it ends the trial.
        """
        self.connector = connector
        self.key = ""
        self.ticket: RemoteTicket | None = None
        self.begins = begins
        self.reference = correlation_marks.reference(of or new_ulid())

    def tries(self, *, writes: bool) -> Iterator[Tried]:
        """Try one capability after the other; `writes` includes those that change the vendor's system."""
        first = self._one(sentence("credentials and settings"), self._check)
        yield first
        if first.outcome == "fails":
            return  # many systems lock out a user after several attempts with a wrong key
        yield self._one(sentence("picklists"), self._picklists)
        yield self._one(sentence("changes of the last week"), self._changes)
        if writes:
            yield self._one(sentence("creating a ticket"), self._create)
            yield self._one(sentence("finding the ticket by our reference"), self._find)
            yield self._one(sentence("finding tickets by the beginning of our reference"), self._carrying)
        if self.key:
            yield self._one(sentence("reading a ticket with its notes and files"), self._fetch)
        if writes and self.key:
            yield from self._written()

    def _written(self) -> Iterator[Tried]:
        lists = self.connector.picklists()
        for choice in lists.get("visibility", ()):
            what = sentence("adding a note with the visibility “%(visibility)s”", visibility=choice.label)
            yield self._one(what, partial(self._note, choice.value))
        what = sentence("adding a file")
        yield self._one(what, lambda: self._file([c.value for c in lists.get("visibility", ())]))
        yield self._one(sentence("changing the title"), self._title)
        yield self._one(sentence("changing the priority"), lambda: self._field("priority", lists))
        yield self._one(sentence("changing the status"), lambda: self._field("status", lists))

    def _one(self, what: str, call: Callable[[], str]) -> Tried:
        self.begins(what)
        began = time.monotonic()
        try:
            told, outcome = call(), "works"
        except Unsupported as error:
            told, outcome = str(error), "lacks"
        except (ConnectorError, NotAsItShould) as error:
            told, outcome = str(error), "fails"
        except Exception as error:  # a draft may fail in any way, and its author needs the reason
            told, outcome = f"{type(error).__name__}: {error}"[:300], "fails"
        return Tried(what=what, outcome=outcome, told=told, milliseconds=int(1000 * (time.monotonic() - began)))

    # -- reading

    def _check(self) -> str:
        checked = self.connector.check()
        facts = ", ".join(f"{name}: {value}" for name, value in checked.facts.items() if value)
        return facts or sentence("Our user is %(user)s.", user=checked.own_user)

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
                sentence(
                    "%(count)s of %(all)s tickets could not be read. The first one: %(reason)s",
                    count=len(page.unread),
                    all=len(page.unread) + len(page.tickets),
                    reason=page.unread[0].why,
                )
            )
        if not page.tickets:
            return sentence("No tickets changed.")
        if page.more:
            return sentence("%(count)s or more: %(tickets)s.", count=len(page.tickets), tickets=told)
        return sentences("%(n)d ticket: %(tickets)s.", "%(n)d tickets: %(tickets)s.", len(page.tickets), tickets=told)

    def _fetch(self) -> str:
        ticket = self.connector.fetch(self.key)
        notes = ", ".join(f"“{note.text[:30]}” ({note.visibility})" for note in (ticket.notes or ())[:SHOWN])
        return sentence(
            "%(ticket)s, status: %(status)s, notes: %(notes)s, files: %(files)s.",
            ticket=ticket.number,
            status=ticket.fields.get("status") or "–",
            notes=notes or sentence("none"),
            files=len(ticket.files or ()),
        )

    # -- writing

    def _create(self) -> str:
        earlier = self._made_earlier()
        if earlier:
            self.key = earlier
            return sentence(
                "%(ticket)s was created by an earlier trial and is used again. To try creating one again, delete it or "
                "clear our reference on it.",
                ticket=earlier,
            )
        lists = self.connector.picklists()
        fields = {"title": TITLE, "description": "Created by the workbench of Ticket Hub."}
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
                sentence(
                    "%(ticket)s was created, but “%(found)s” was read back instead of our reference %(reference)s. "
                    "Without our reference, a ticket may be created twice.",
                    ticket=pushed.key,
                    found=ticket.reference,
                    reference=self.reference,
                )
            )
        self._mind_the_zone(ticket)
        return sentence("%(ticket)s, with our reference.", ticket=pushed.key)

    def _mind_the_zone(self, made: RemoteTicket) -> None:
        """NotAsItShould if the ticket that was created just now has another time: it is read in a wrong time zone."""
        said, at = made.created_at or made.changed_at, self.connector.ports.now()
        minutes = int(abs(at - said) / timedelta(minutes=1))
        if timedelta(minutes=minutes) < CLOCKS_APART:
            return
        labels = [each.label for each in self.connector.settings if "zone" in each.name]
        if labels:
            advice = sentence("Check the setting “%(setting)s” and the vendor's clock.", setting=labels[0])
        else:
            advice = sentence("Check the vendor's clock, and how the profile reads times.")
        values = {
            "ticket": made.number,
            "created": f"{at:%H:%M}",
            "read": f"{said:%Y-%m-%d %H:%M}",
            "hours": minutes // 60,
            "minutes": minutes % 60,
            "advice": advice,
        }
        if said > at:
            raise NotAsItShould(
                sentence(
                    "%(ticket)s was created at %(created)s UTC, but its time was read as %(read)s UTC, which is "
                    "%(hours)s h %(minutes)s min later. %(advice)s",
                    **values,
                )
            )
        raise NotAsItShould(
            sentence(
                "%(ticket)s was created at %(created)s UTC, but its time was read as %(read)s UTC, which is "
                "%(hours)s h %(minutes)s min earlier. %(advice)s",
                **values,
            )
        )

    def _made_earlier(self) -> str:
        """The key of the ticket of an earlier trial; empty if there is none, or the system cannot search."""
        try:
            found = self.connector.find(self.reference)
        except ConnectorError:
            return ""
        return found[0] if found else ""

    def _find(self) -> str:
        found = self.connector.find(self.reference)
        if self.key not in found:
            raise Unsupported(
                sentence("The ticket was not found by our reference. Some systems find new tickets only after a while.")
            )
        return sentence("Found: %(tickets)s.", tickets=", ".join(found))

    def _carrying(self) -> str:
        found = self.connector.carrying(self.reference[:-6], now() - timedelta(days=1))
        if self.key not in found.get(self.reference, ()):
            raise Unsupported(sentence("The ticket was not found by the beginning of our reference."))
        return sentences("%(n)d reference found.", "%(n)d references found.", len(found))

    def _note(self, visibility: str) -> str:
        mark = correlation_marks.sign(new_ulid())
        change = Change(id=new_ulid(), kind="note", key=self.key, text=TEXT, visibility=visibility, mark=mark)
        made = self.connector.push(change).key
        note = next((note for note in self.connector.fetch(self.key).notes or () if note.key == made), None)
        if note is None:
            raise NotAsItShould(
                sentence("Note %(note)s was added, but was not among the notes that were read back.", note=made)
            )
        if TEXT not in note.text:
            raise NotAsItShould(
                sentence("Note %(note)s was read back with another text: “%(text)s”.", note=made, text=note.text[:100])
            )
        if note.visibility != visibility:
            raise NotAsItShould(
                sentence(
                    "Note %(note)s was read back with another visibility: “%(visibility)s”.",
                    note=made,
                    visibility=note.visibility,
                )
            )
        if note.mark != mark:
            raise NotAsItShould(sentence("Note %(note)s was read back without our mark.", note=made))
        if not note.is_ours:
            raise NotAsItShould(sentence("Note %(note)s was read back as written by another user.", note=made))
        return sentence("%(note)s, read back with its text, mark and visibility.", note=made)

    def _file(self, visibilities: list[str]) -> str:
        mark = correlation_marks.sign(new_ulid())
        content = CONTENT
        change = Change(
            id=new_ulid(),
            kind="file",
            key=self.key,
            name="test-Größe.txt",
            content=content,
            mark=mark,
            visibility=next(iter(visibilities), ""),
        )
        made = self.connector.push(change).key
        file = next((each for each in self.connector.fetch(self.key).files or () if each.key == made), None)
        if file is None:
            raise NotAsItShould(sentence("File %(file)s was added, but is not listed.", file=made))
        if self.connector.content(self.key, file) != content:
            raise NotAsItShould(sentence("File %(file)s was read back with other content.", file=made))
        return sentence("%(file)s, read back byte for byte.", file=made)

    def _field(self, name: str, lists: Any) -> str:
        now_ = self.connector.glance(self.key).fields.get(name, "")
        others = [
            c for c in lists.get(name, ()) if c.is_active and not c.is_closed and not c.is_theirs and c.value != now_
        ]
        if name not in self.connector.fields or not others:
            raise Unsupported(sentence("There is no other value to change it to."))
        wanted = others[0].value
        values = {"before": now_, "label": others[0].label, "value": wanted}
        try:
            pushed = self.connector.push(Change(id=new_ulid(), kind="fields", key=self.key, fields={name: wanted}))
        except ConnectorError as error:
            raise NotAsItShould(
                sentence("Changing %(before)s to “%(label)s” (%(value)s) failed: %(error)s", error=str(error), **values)
            ) from error
        told = pushed.ticket.fields.get(name, "") if pushed.ticket else self.connector.glance(self.key).fields[name]
        if told != wanted:
            raise NotAsItShould(
                sentence(
                    "%(before)s was changed to “%(label)s” (%(value)s), but %(after)s was read back.",
                    after=told,
                    **values,
                )
            )
        return sentence("%(before)s was changed to “%(label)s” (%(value)s).", **values)

    def _title(self) -> str:
        if "title" not in self.connector.fields or "title" in self.connector.insert_only:
            raise Unsupported(sentence("The title cannot be changed."))
        wanted = f"{TITLE} – Größe ✓"
        self.connector.push(Change(id=new_ulid(), kind="fields", key=self.key, fields={"title": wanted}))
        told = self.connector.glance(self.key).fields["title"]
        if told != wanted:
            raise NotAsItShould(sentence("The title was read back as “%(title)s”.", title=told[:100]))
        return sentence("The title was read back unchanged.")


def _written(seconds: float) -> str:
    return time.strftime(SINCE, time.gmtime(seconds))
