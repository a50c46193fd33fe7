"""What their values probably mean: a first mapping for a person to look over. Pure.

Where a label says nothing clear there is no proposal, and where two readings are possible the one that
hides more and blames nobody else is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from connectors.kit.contract import Choice
from connectors.models import FieldRule, NoteRule, PackPlace, StatusRule

Verb, Says = StatusRule.Verb, StatusRule.Says


@dataclass(frozen=True, kw_only=True)
class StatusProposal:
    """What one status of theirs means, and what of ours is written so."""

    choice: Choice
    verb: str = ""
    waits_on: str = ""
    says: str = ""
    ground: str = ""
    """What the proposal goes by, in words."""
    is_doubtful: bool = False
    """The label can be read in two ways, or denies what it names: a person has to look."""


@dataclass(frozen=True, kw_only=True)
class NoteProposal:
    """Who sees a note of theirs, and for whom ours are written so."""

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
"""How fields travel unless an admin says otherwise: we own the ticket, they own how far they are."""

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
"""What stands behind such a word is not so: “not resolved in time” is no end."""
_OWN = ("vendor", "supplier", "third", "part", "material", "schedul", "lieferant")
_LEVELS = (
    ("P1", ("critical", "emergency", "urgent", "kritisch")),
    ("P2", ("high", "quick", "hoch")),
    ("P3", ("medium", "normal", "mittel", "standard")),
    ("P4", ("low", "maintenance", "niedrig", "minor")),
)


def statuses(choices: Iterable[Choice]) -> list[StatusProposal]:
    """A proposal per active status; each of our words is written as the first status of a queue that means it."""
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
    ground = "it closes the ticket there" if choice.is_closed else f"their system says {choice.hint}" if verb else ""
    found = [(meaning, word) for meaning, words in _WORDS for word in words if word in label][:MOST_READINGS]
    if found:
        meaning, word = found[0]
        # Closed with a word of refusal in its name is still a refusal.
        if not verb or meaning in (Verb.RETURN, Verb.DECLINE):
            verb, ground = meaning, f"“{word}” in its name"
    if not verb and choice.hint == "Responded":
        verb, ground = Verb.WORK, "their system says Responded"
    waits_on = ""
    if verb == Verb.WAIT:
        # "The customer" may be us or the requester: waiting on us pauses nobody's clock without need.
        waits_on = "own" if any(word in label for word in _OWN) else "us"
    readings = {meaning for meaning, _word in found} | ({verb} if verb else set())
    is_doubtful = is_denied or len(readings - {Verb.RETURN}) > 1
    if is_denied:
        ground = f"{ground}; part of it is denied" if ground else "part of it is denied"
    elif is_doubtful:
        ground = f"{ground}; it can be read otherwise, too"
    return StatusProposal(choice=choice, verb=verb, waits_on=waits_on, ground=ground, is_doubtful=is_doubtful)


MOST_READINGS = 20


def _asserted(label: str) -> tuple[str, bool]:
    """A label without what it denies, and whether it denies anything.

    >>> _asserted("escalated: not resolved in time"), _asserted("unassigned"), _asserted("done")
    (('escalated: ', True), ('', True), ('done', False))
    """
    found = _DENIED.search(label)
    return (label[: found.start()], True) if found else (label, False)


def priorities(choices: Iterable[Choice]) -> dict[str, str]:
    """Ours -> theirs, as far as labels or their own levels tell."""
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
    """Who sees what: internal stays here; what their customers see is for the requester."""
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
    """Where the hand-off pack goes: to their people alone where there is such a place, else into the description."""
    is_private = any(row.is_written_for_vendor for row in notes)
    return str(PackPlace.NOTE if is_private else PackPlace.DESCRIPTION)


def _is_public(choice: Choice) -> bool:
    label = choice.label.lower()
    if "internal" in label or "time entry" in label or "private" in label or "co-managed" in label:
        return False
    return any(word in label for word in ("all", "public", "customer", "discussion", "everyone", "external"))


def _is_private(choice: Choice) -> bool:
    """Read by their own people alone; a time entry is none that we could write."""
    label = choice.label.lower()
    return ("internal" in label or "private" in label) and "time entry" not in label and "co-managed" not in label


def complaints(
    statuses: Iterable[StatusProposal], priorities: Mapping[str, str], notes: Iterable[NoteProposal]
) -> list[str]:
    """What a mapping like this would leave unsaid, in words; empty where nothing would be held."""
    rows, shown = list(statuses), list(notes)
    found = []
    for word, what in (
        (Says.OFFERED, "a ticket that is offered to them"),
        (Says.RECALLED, "a ticket that is taken back"),
        (Says.CLOSED, "a ticket that is closed"),
    ):
        if not any(row.says == word for row in rows):
            found.append(f"No status of theirs is written for {what}: choose one under “is written for”.")
    unclear = [row.choice.label for row in rows if not row.verb]
    if unclear:
        found.append(f"Without a meaning, so held and shown to you when they occur: {', '.join(unclear)}.")
    if not any(row.verb == Verb.DONE for row in rows):
        found.append("No status of theirs means done: they could never finish.")
    missing = [ours for ours in ("P1", "P2", "P3", "P4") if not priorities.get(ours)]
    if missing:
        found.append(f"Priorities that cannot be said to them: {', '.join(missing)}. Such tickets would be parked.")
    if not any(row.is_written and row.audience == NoteRule.Audience.REQUESTER for row in shown):
        found.append("Messages for the requester cannot be said to them: no visibility is used for ours.")
    legs = NoteRule.Audience.LEGS
    if not any((row.is_written and row.audience == legs) or row.is_written_for_legs for row in shown):
        found.append("Messages for organisations only cannot be said to them: no visibility is used for ours.")
    return found
