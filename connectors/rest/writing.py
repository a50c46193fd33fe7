"""Writes to a system according to its profile: new tickets, changed fields, notes and files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connectors.kit.contract import Change, Pushed, RemoteFile, RemoteNote, RemoteTicket, Unread
from connectors.kit.errors import ConnectorError, Refused
from connectors.kit.http import sized, type_of
from hub.core.sentences import sentence
from hub.expressions.texts import Unsaid

from .checking import ChecksItself

Json = dict[str, Any]


class Writes(ChecksItself):
    """The part of a profile's connector that writes; the rest is in `connector`."""

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
        """For a field with parts: the vendor's own value that includes the written one, as `status_of`."""
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
            raise ValueError("the response does not contain the ID of the new record")
        return Pushed(key=done.key, ticket=self.glance(self.records.key(done.key)))

    def _update(self, change: Change) -> Pushed:
        done = self.caller.run("update", self._values(change), is_write=True)
        if not done.ran:
            written = ", ".join(change.fields) or sentence("our reference")
            raise Refused(sentence("No request in the profile writes this: %(fields)s.", fields=written))
        if isinstance(done.item, dict) and done.item and not self.profile.verify:
            return Pushed(key=change.key, ticket=self.records.ticket(done.item, done.answer))
        ticket = self.glance(change.key)
        if self.profile.verify:
            self._verify(change, ticket)
        return Pushed(key=change.key, ticket=ticket)

    def _verify(self, change: Change, ticket: RemoteTicket) -> None:
        """Compare what was read back: some systems report success and change nothing (21)."""
        kept = [name for name, value in change.fields.items() if not _same(ticket.fields.get(name, ""), value)]
        if change.reference and ticket.reference != change.reference:
            kept.append("our reference")
        if kept:
            raise Refused(
                sentence(
                    "%(system)s reported success but did not change: %(fields)s.",
                    system=self.profile.name,
                    fields=", ".join(kept),
                )
            )

    def _say(self, change: Change) -> Pushed:
        known = self.profile.picklists.get("visibility")
        if known is not None and known.values and change.visibility not in {v.value for v in known.values}:
            raise Refused(
                sentence(
                    "%(system)s has no visibility %(visibility)s.",
                    system=self.profile.name,
                    visibility=repr(change.visibility),
                )
            )
        if change.kind == "file" and len(change.content) > self.profile.largest_file:
            raise Refused(
                sentence(
                    "%(file)s has %(size)s; %(system)s accepts at most %(limit)s.",
                    file=change.name,
                    size=sized(len(change.content)),
                    system=self.profile.name,
                    limit=sized(self.profile.largest_file),
                )
            )
        done = self.caller.run(change.kind, self._values(change), is_write=True)
        if not done.ran:
            raise Refused(
                sentence(
                    "The profile of %(system)s has no request for the visibility %(visibility)s.",
                    system=self.profile.name,
                    visibility=repr(change.visibility),
                )
            )
        return Pushed(key=done.key or self._key_of_mark(change))

    def _key_of_mark(self, change: Change) -> str:
        """The key of a new record that the response does not name: the record with our mark."""
        try:
            item, answer = self._read(change.key)
            is_note = change.kind == "note"
            read: Callable[..., tuple[Sequence[RemoteNote | RemoteFile], Sequence[Unread]]]
            read = self.records.notes if is_note else self.records.files
            records, _unread = read(change.key, item, answer)
            return [record.key for record in records if record.mark == change.mark][-1]
        except (ConnectorError, IndexError) as error:
            raise ValueError("the new record was not found by its mark") from error


def _same(theirs: str, ours: str) -> bool:
    """Whether the vendor's value is what we wrote, apart from line ends and surrounding spaces."""
    return theirs == ours or theirs.replace("\r\n", "\n").strip() == ours.replace("\r\n", "\n").strip()
