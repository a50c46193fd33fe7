"""The names that a profile can use for its operations, and for what a system lacks."""

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
    "changed_since": "The whole list is read with every poll; records that did not change have no effect.",
    "changed_at": "Records have no time of change: a record has changed if it differs from the last reading.",
    "created_at": "Records have no time of creation: the time of the first reading is used.",
    "find": "After a lost response, a new ticket is looked for in the list, by our reference in its record.",
    "reference": "No field can hold our reference: it is part of the description.",
    "note_key": "Notes have no IDs: a note is identified by its author, time and text.",
    "notes": "Notes are neither written nor read.",
    "files": "Attachments are skipped.",
    "hooks": "There are no webhooks; changes are found by polling.",
    "who": "The system does not identify our user: our own records are recognised by their marks.",
}
"""What a profile can declare as missing in a system, and the consequence."""
