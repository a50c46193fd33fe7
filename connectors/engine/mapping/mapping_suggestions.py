"""Suggests what the vendor's values mean: a first mapping, for an admin to review.

A label without a clear meaning gets no suggestion. Where two readings are possible, the suggestion is the one that
shows less to others and charges time to nobody else. Texts are in the active language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from connectors.kit.contract import Choice
from connectors.models import FieldRule, NoteRule, PackPlace, StatusRule

Verb, Says = StatusRule.Verb, StatusRule.Says


@dataclass(frozen=True, kw_only=True)
class StatusProposal:
    """The suggested meaning of one of the vendor's statuses, and the state of ours for which we set it."""

    choice: Choice
    verb: str = ""
    waits_on: str = ""
    says: str = ""
    ground: str = ""
    """What the suggestion is based on."""
    is_doubtful: bool = False
    """Whether the label has two possible meanings or negates a word, so that a person has to decide."""


@dataclass(frozen=True, kw_only=True)
class NoteProposal:
    """The suggested audience of one of the vendor's visibilities, and for which of our messages it is used."""

    choice: Choice
    audience: str = ""
    is_written: bool = False
    is_written_for_legs: bool = False
    is_written_for_vendor: bool = False


FIELDS = (
    ("title", FieldRule.Direction.OUT, FieldRule.Authority.OURS, FieldRule.SyncWhen.UPDATE),
    ("description", FieldRule.Direction.OUT, FieldRule.Authority.OURS, FieldRule.SyncWhen.INSERT),
    ("priority", FieldRule.Direction.OUT, FieldRule.Authority.OURS, FieldRule.SyncWhen.UPDATE),
    ("status", FieldRule.Direction.BOTH, FieldRule.Authority.THEIRS, FieldRule.SyncWhen.UPDATE),
)
"""The field rules of a new mapping: the ticket is ours, and the progress is the vendor's."""

_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (Verb.RETURN, ("return", "back to", "not ours", "reassign", "zurück")),
    (Verb.DECLINE, ("declin", "reject", "refus", "abgelehnt")),
    (Verb.WAIT, ("wait", "await", "hold", "pending", "parts", "material", "warte", "blocked")),
    (Verb.DONE, ("complete", "closed", "resolved", "done", "solved", "fixed", "erledigt", "geschlossen")),
    (Verb.RETURN, ("cancel",)),
    (Verb.WORK, ("progress", "working", "assigned", "scheduled", "escalat", "bearbeit", "re-opened", "reopened")),
    (Verb.ACKNOWLEDGE, ("new", "received", "logged", "open", "triage", "neu", "queued")),
)
_DENIED = re.compile(
    r"\b(?:(?:not|never|no|nicht|kein\w*|sans|pas|non)\s+\w|un(?:resolved|solved|assigned|finished|done)|incomplete)"
)
"""A negation: what follows does not count, so “not resolved in time” does not mean done."""
_OWN = ("vendor", "supplier", "third", "part", "material", "schedul", "lieferant")
_LEVELS = (
    ("P1", ("critical", "emergency", "urgent", "kritisch")),
    ("P2", ("high", "quick", "hoch")),
    ("P3", ("medium", "normal", "mittel", "standard")),
    ("P4", ("low", "maintenance", "niedrig", "minor")),
)


def statuses(choices: Iterable[Choice]) -> list[StatusProposal]:
    """A suggestion for each active status. Each state of ours is set as the first status of a queue that means it."""
    rows = [_status(choice) for choice in choices if choice.is_active]
    said = {Verb.ACKNOWLEDGE: Says.OFFERED, Verb.WORK: Says.WORKING, Verb.RETURN: Says.RECALLED}
    found: list[StatusProposal] = []
    taken: set[tuple[str, str]] = set()
    for row in rows:
        word = Says.CLOSED if row.choice.is_closed else said.get(Verb(row.verb), "") if row.verb else ""
        is_free = not row.choice.is_theirs and (word, row.choice.place) not in taken
        says = word if word and is_free else ""
        taken |= {(says, row.choice.place)}
        found.append(replace(row, says=says))
    return found


def _status(choice: Choice) -> StatusProposal:
    label, is_denied = _asserted(choice.label.lower())
    verb: str = Verb.DONE if choice.is_closed or choice.hint == "Resolved" else ""
    ground = _("it closes the ticket") if choice.is_closed else _hinted(choice) if verb else ""
    found = [(meaning, word) for meaning, words in _WORDS for word in words if word in label][:MOST_READINGS]
    if found:
        meaning, word = found[0]
        # A closed status whose name contains a refusal is still a refusal.
        if not verb or meaning in (Verb.RETURN, Verb.DECLINE):
            verb, ground = meaning, _("its name contains “%(word)s”") % {"word": word}
    if not verb and choice.hint == "Responded":
        verb, ground = Verb.WORK, _hinted(choice)
    waits_on = ""
    if verb == Verb.WAIT:
        # "The customer" may be us or the requester; waiting for us pauses no clock unnecessarily.
        waits_on = "own" if any(word in label for word in _OWN) else "us"
    readings = {meaning for meaning, _word in found} | ({verb} if verb else set())
    is_doubtful = is_denied or len(readings - {Verb.RETURN}) > 1
    if is_denied:
        text = _("%(reason)s, but the name also contains a negation") if ground else _("its name contains a negation")
        ground = text % {"reason": ground}
    elif is_doubtful:
        ground = _("%(reason)s, but it has other possible meanings") % {"reason": ground}
    return StatusProposal(choice=choice, verb=verb, waits_on=waits_on, ground=ground, is_doubtful=is_doubtful)


def _hinted(choice: Choice) -> str:
    return _("the vendor's system marks it as “%(hint)s”") % {"hint": choice.hint}


MOST_READINGS = 20


def _asserted(label: str) -> tuple[str, bool]:
    """A label without the part that it negates, and whether it negates anything.

    >>> _asserted("escalated: not resolved in time"), _asserted("unassigned"), _asserted("done")
    (('escalated: ', True), ('', True), ('done', False))
    """
    found = _DENIED.search(label)
    return (label[: found.start()], True) if found else (label, False)


def priorities(choices: Iterable[Choice]) -> dict[str, str]:
    """The vendor's priority for each of ours, as far as its label or level is clear."""
    found: dict[str, str] = {}
    rows = [choice for choice in choices if choice.is_active]
    for ours, words in _LEVELS:
        for choice in rows:
            text = f"{choice.label} {choice.hint}".lower()
            if choice.value not in found.values() and any(word in text for word in words):
                found[ours] = choice.value
                break
    return found


def notes(choices: Iterable[Choice]) -> list[NoteProposal]:
    """Suggested audiences: internal notes are for us only; what the vendor's customers see is for the requester."""
    rows = [choice for choice in choices if choice.is_active]
    shared = next((c.value for c in rows if "co-managed" in c.label.lower()), None)
    public = next((c.value for c in rows if _is_public(c)), None)
    private = next((c.value for c in rows if _is_private(c)), None)
    found = []
    for choice in rows:
        audience: str = NoteRule.Audience.US
        if choice.value == shared:
            audience = NoteRule.Audience.LEGS
        elif _is_public(choice):
            audience = NoteRule.Audience.REQUESTER
        found.append(
            NoteProposal(
                choice=choice,
                audience=audience,
                is_written=choice.value in (shared, public),
                is_written_for_legs=shared is None and choice.value == public,
                is_written_for_vendor=choice.value == private,
            )
        )
    return found


def pack(notes: Iterable[NoteProposal]) -> str:
    """Where the hand-off pack goes: in a note that only the vendor's people read, if possible; or the description."""
    is_private = any(row.is_written_for_vendor for row in notes)
    return str(PackPlace.NOTE if is_private else PackPlace.DESCRIPTION)


def _is_public(choice: Choice) -> bool:
    label = choice.label.lower()
    if "internal" in label or "time entry" in label or "private" in label or "co-managed" in label:
        return False
    return any(word in label for word in ("all", "public", "customer", "discussion", "everyone", "external"))


def _is_private(choice: Choice) -> bool:
    """Whether only the vendor's own people read it, and we can write it: time entries cannot be written."""
    label = choice.label.lower()
    return ("internal" in label or "private" in label) and "time entry" not in label and "co-managed" not in label


def complaints(
    statuses: Iterable[StatusProposal], priorities: Mapping[str, str], notes: Iterable[NoteProposal]
) -> list[str]:
    """What could not be synchronised with this mapping, one sentence each; empty if everything could be."""
    rows, shown = list(statuses), list(notes)
    found = [
        _("No vendor status is set for “%(state)s”. Choose one under “set by us for”.") % {"state": state.label}
        for state in (Says.OFFERED, Says.RECALLED, Says.CLOSED)
        if not any(row.says == state for row in rows)
    ]
    unclear = [row.choice.label for row in rows if not row.verb]
    if unclear:
        text = _("Not synchronised until mapped, and shown to you when they occur: %(statuses)s.")
        found.append(text % {"statuses": ", ".join(unclear)})
    if not any(row.verb == Verb.DONE for row in rows):
        found.append(_("No vendor status means done, so the vendor could never finish a ticket."))
    missing = [ours for ours in ("P1", "P2", "P3", "P4") if not priorities.get(ours)]
    if missing:
        text = _(
            "These priorities have no counterpart, so changes to tickets with them would be parked: %(priorities)s."
        )
        found.append(text % {"priorities": ", ".join(missing)})
    if not any(row.is_written and row.audience == NoteRule.Audience.REQUESTER for row in shown):
        found.append(_("Messages for the requester cannot be sent, because no visibility is used for them."))
    legs = NoteRule.Audience.LEGS
    if not any((row.is_written and row.audience == legs) or row.is_written_for_legs for row in shown):
        found.append(_("Messages for organisations only cannot be sent, because no visibility is used for them."))
    return found
