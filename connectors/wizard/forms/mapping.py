"""What the vendor's statuses, priorities and visibilities mean in Ticket Hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connectors.engine.mapping import mapping_suggestions
from connectors.kit.contract import Choice
from connectors.models import NoteRule, PackPlace, StatusRule
from connectors.wizard.forms.settings import Picklists
from hub.models import Priority

NO_VERB = ("", _("— not synchronised until mapped —"))


class WordsForm(forms.Form):
    """The vendor's statuses, priorities and visibilities, each with its meaning in Ticket Hub."""

    def __init__(
        self,
        statuses: list[mapping_suggestions.StatusProposal],
        priorities: Mapping[str, str],
        choices: Picklists,
        notes: list[mapping_suggestions.NoteProposal],
        *args: Any,
        pack: str = PackPlace.DESCRIPTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._add("pack", PackPlace.choices, pack, _("The hand-off pack goes into"))
        self.statuses, self.notes, self.choices = statuses, notes, choices
        for index, row in enumerate(statuses):
            self._add(f"verb_{index}", [NO_VERB, *StatusRule.Verb.choices], row.verb, _("means"))
            waits = [("", "—"), ("requester", _("the requester")), ("us", _("us")), ("own", _("the vendor itself"))]
            self._add(f"waits_{index}", waits, row.waits_on, _("waiting for"))
            self._add(f"says_{index}", StatusRule.Says.choices, row.says, _("set by us for"))
        theirs = [("", "—"), *((c.value, c.label) for c in choices.get("priority", ()) if c.is_active)]
        for ours in Priority.values:
            self._add(f"priority_{ours}", theirs, priorities.get(ours, ""), _("vendor's priority"))
        for index, note in enumerate(notes):
            audiences = [("", _("— not synchronised —")), *NoteRule.Audience.choices]
            self._add(f"audience_{index}", audiences, note.audience, _("audience"))
            written = (
                ("written", note.is_written),
                ("legs", note.is_written_for_legs),
                ("vendor", note.is_written_for_vendor),
            )
            for name, value in written:
                self.fields[f"{name}_{index}"] = forms.BooleanField(required=False, initial=value)

    def _add(self, name: str, choices: Iterable[Any], initial: str, label: Any) -> None:
        self.fields[name] = forms.ChoiceField(choices=list(choices), required=False, initial=initial, label=label)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        written: dict[tuple[str, str], str] = {}
        for index, row in enumerate(self.statuses):
            self._clean_status(cleaned, index, row.choice, written)
        audiences: set[str] = set()
        for index, _note in enumerate(self.notes):
            self._clean_note(cleaned, index, audiences)
        for_vendor = [index for index, _note in enumerate(self.notes) if cleaned.get(f"vendor_{index}")]
        for index in for_vendor[1:]:
            self.add_error(f"vendor_{index}", _("Only one visibility can be used for this vendor only."))
        cleaned["pack"] = cleaned.get("pack") or PackPlace.DESCRIPTION
        if cleaned["pack"] == PackPlace.NOTE and not for_vendor:
            self.add_error(
                "pack",
                _(
                    "A note for this vendor only needs a visibility: choose one in the last column above, or choose "
                    "another place for the hand-off pack."
                ),
            )
        return cleaned

    def _clean_status(
        self, cleaned: Mapping[str, Any], index: int, choice: Choice, written: dict[tuple[str, str], str]
    ) -> None:
        """`written` is the label of the status that is set for each state of ours, by queue; this one is added."""
        verb, waits, says = (cleaned.get(f"{name}_{index}") or "" for name in ("verb", "waits", "says"))
        if verb == StatusRule.Verb.WAIT and not waits:
            self.add_error(f"waits_{index}", _("Choose who it waits for: this decides whose clock runs."))
        if verb != StatusRule.Verb.WAIT and waits:
            self.add_error(f"waits_{index}", _("“Waiting for” can only be set for a status that means waiting."))
        if says and not verb:
            self.add_error(
                f"verb_{index}", _("A status that we set also needs a meaning here, because we read it back.")
            )
        if says and choice.is_theirs:
            self.add_error(f"says_{index}", _("Only the vendor's system can set this status."))
        if says and (says, choice.place) in written:
            label = written[says, choice.place]
            self.add_error(f"says_{index}", _("“%(status)s” is already set for this.") % {"status": label})
        written[says, choice.place] = choice.label

    def _clean_note(self, cleaned: Mapping[str, Any], index: int, audiences: set[str]) -> None:
        """`audiences` are those that have a visibility already; the audience of this row is added."""
        audience = cleaned.get(f"audience_{index}") or ""
        is_for_us = audience in ("", NoteRule.Audience.US)
        if is_for_us and (cleaned.get(f"written_{index}") or cleaned.get(f"legs_{index}")):
            self.add_error(f"audience_{index}", _("Internal messages are never sent to the vendor."))
        if cleaned.get(f"written_{index}"):
            if audience in audiences:
                self.add_error(f"audience_{index}", _("Only one visibility can be used for this audience."))
            audiences.add(audience)
        if cleaned.get(f"vendor_{index}"):
            if audience == NoteRule.Audience.REQUESTER:
                self.add_error(f"vendor_{index}", _("The requester reads this, so it is not for this vendor only."))
            if not audience:
                self.add_error(
                    f"audience_{index}",
                    _("A visibility that we set also needs an audience here, because we read it back."),
                )

    def status_rows(self) -> list[dict[str, Any]]:
        """The rows of the table: the vendor's label and our three fields."""
        return [
            {
                "label": row.choice.label,
                "value": row.choice.value,
                "fields": self._fields(index, "verb", "waits", "says"),
                "means": dict(StatusRule.Verb.choices).get(row.verb, ""),
                "ground": row.ground,
                "is_doubtful": row.is_doubtful,
            }
            for index, row in enumerate(self.statuses)
        ]

    def open_rows(self) -> list[dict[str, Any]]:
        """Statuses that need a decision: without a suggestion, waiting (for whom is a guess), or with an error."""
        return [row for row in self.status_rows() if not self._is_clear(row)]

    def clear_rows(self) -> list[dict[str, Any]]:
        """Statuses whose meaning is clear from their label."""
        return [row for row in self.status_rows() if self._is_clear(row)]

    def _is_clear(self, row: dict[str, Any]) -> bool:
        verb = str(row["fields"][0].value() or "")
        if row["is_doubtful"]:
            return False
        return verb not in ("", StatusRule.Verb.WAIT) and not any(field.errors for field in row["fields"])

    def note_rows(self) -> list[dict[str, Any]]:
        names = ("audience", "written", "legs", "vendor")
        return [
            {"label": row.choice.label, "value": row.choice.value, "fields": self._fields(index, *names)}
            for index, row in enumerate(self.notes)
        ]

    def priority_rows(self) -> list[dict[str, Any]]:
        names = {choice.value: choice.label for choice in self.choices.get("priority", ())}
        rows = [(ours, self[f"priority_{ours}"]) for ours in Priority.values]
        return [
            {"label": ours, "fields": [field], "means": names.get(str(field.value() or ""), "")} for ours, field in rows
        ]

    def priorities_are_clear(self) -> bool:
        """Whether each of our priorities has a counterpart, and none has an error."""
        return all(row["means"] and not row["fields"][0].errors for row in self.priority_rows())

    def _fields(self, index: int, *names: str) -> list[Any]:
        return [self[f"{name}_{index}"] for name in names]
