"""The names a profile may use for its operations, and for what a system lacks."""

from __future__ import annotations

KNOWN_OPERATIONS = (
    "who",
    "list",
    "get",
    "find",
    "carrying",
    "create",
    "update",
    "notes",
    "note",
    "files",
    "file",
    "download",
    "hooks",
    "hook_create",
    "hook_enable",
    "hook_delete",
    "quota",
    "person",
)
LACKS = {
    "changed_since": "The list is read whole with every poll; what has not changed has no effect.",
    "changed_at": "Their records do not say when they changed: what differs from what was read last has changed.",
    "created_at": "Their records do not say when they were made: it is when we first see them.",
    "find": "A ticket whose making was not answered is looked for in the list, by our reference in its record.",
    "reference": "No field takes our reference: it stands in the description.",
    "note_key": "Notes have no ids: a note is known by its author, time and text.",
    "notes": "Nothing is said to them, and nothing read.",
    "files": "Attachments are skipped.",
    "hooks": "They do not call us; polls bring everything.",
    "who": "We are known by nothing but our marks.",
}
"""What a profile may declare that a system lacks, and what is done then."""
