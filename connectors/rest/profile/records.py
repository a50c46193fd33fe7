"""What the fields of the vendor's records mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import expr, flag, may, must, named, number, tables, text, word, words
from hub.core.sentences import sentence
from hub.expressions import Expression
from hub.expressions.texts import Text

from .names import ANSWER, RECORD


@dataclass(frozen=True)
class Times:
    """How times are written in records (25)."""

    read: tuple[str, ...] = may(words, ("iso",))
    zone: Text = may(text("settings"), help=sentence("The time zone of times that do not name one."))


@dataclass(frozen=True)
class Since:
    """How "changed since" is written, which may differ from how times are read (8)."""

    write: str = may(word(), "%Y-%m-%dT%H:%M:%SZ", help=sentence("A strftime format, “epoch” or “epoch_ms”."))
    zone: Text = may(text("settings"))
    resolution_seconds: float = may(number(1, 86400), 1)
    overlap_seconds: float = may(number(0, 7 * 86400), 900)
    lag_seconds: float = may(
        number(0, 3600), 0, help=sentence("The age in seconds below which the list leaves changes out, as exports do.")
    )


@dataclass(frozen=True)
class TicketRow:
    """How a record becomes a ticket (9, 14, 23)."""

    key: Expression = must(expr(*RECORD))
    key_form: str = may(word("number", "word", "hex", "any"), "word")
    number: Expression = may(expr(*RECORD))
    url: Text = may(text(*RECORD))
    created_at: Expression = may(expr(*RECORD))
    changed_at: Expression = may(expr(*RECORD))
    made_by: Expression = may(
        expr(*RECORD), help=sentence("The ID of the user who created it, as in who.id: it identifies our own records.")
    )
    author: Expression = may(expr(*RECORD), help=sentence("The name of the person who last changed or created it."))
    changed_by: Expression = may(
        expr(*RECORD),
        help=sentence("The ID of that person, as in who.id, so that our own changes are not shown as the vendor's."),
    )
    assignee: Expression = may(expr(*RECORD))
    queue: Expression = may(expr(*RECORD))
    merged_into: Expression = may(expr(*RECORD))
    resolution: Expression = may(expr(*RECORD), help=sentence("The resolution, if it has a field of its own."))
    requester: Expression = may(expr(*RECORD), help=sentence("The requester's e-mail address."))
    is_foreign: Expression = may(expr(*RECORD))
    is_gone: Expression = may(expr(*RECORD))
    reference: Expression = may(expr(*RECORD))
    fields: Mapping[str, Expression] = must(named(expr(*RECORD)))


@dataclass(frozen=True)
class NoteRow:
    """Where notes are, and how a record becomes a note (12, 13)."""

    items: Expression = may(
        expr(*RECORD),
        help=sentence("The notes within the ticket's own response; leave it empty if an operation lists them."),
    )
    operation: str = may(word(), "")
    detail: str = may(
        word(),
        "",
        help=sentence(
            "An operation that reads one note, if the list does not contain its text; its response is “detail”."
        ),
    )
    only: Expression = may(expr(*RECORD, "detail"))
    key: Expression = may(expr(*RECORD, "detail"))
    text: Expression = must(expr(*RECORD, "detail"))
    visibility: Expression = must(expr(*RECORD, "detail"))
    author: Expression = may(expr(*RECORD, "detail"))
    made_by: Expression = may(expr(*RECORD, "detail"))
    created_at: Expression = must(expr(*RECORD, "detail"))
    merged_into: Expression = may(
        expr(*RECORD, "detail"),
        help=sentence(
            "The key of the ticket this one was merged into, if only a note contains it and the ticket's own is '?'."
        ),
    )


@dataclass(frozen=True)
class FileRow:
    """Where attachments are, and how a record becomes a file (15)."""

    items: Expression = may(expr(*RECORD))
    operation: str = may(word(), "")
    within: Expression = may(
        expr(*RECORD), help=sentence("The files within each item, such as those of a note; the item is then “parent”.")
    )
    detail: str = may(
        word(),
        "",
        help=sentence("An operation that reads one file, if the list contains too little; its response is “detail”."),
    )
    only: Expression = may(expr(*RECORD, "parent", "detail"))
    key: Expression = must(expr(*RECORD, "parent", "detail"))
    name: Expression = must(expr(*RECORD, "parent", "detail"))
    size: Expression = may(expr(*RECORD, "parent", "detail"))
    visibility: Expression = may(expr(*RECORD, "parent", "detail"))
    author: Expression = may(expr(*RECORD, "parent", "detail"))
    made_by: Expression = may(expr(*RECORD, "parent", "detail"))
    created_at: Expression = may(
        expr(*RECORD, "parent", "detail"), help=sentence("If empty, the ticket's own time is used.")
    )
    mark: Expression = may(
        expr(*RECORD, "parent", "detail"), help=sentence("Our mark, if the record has a place for it.")
    )


@dataclass(frozen=True)
class ValueRow:
    value: str = must(word())
    label: str = must(word())
    closed: bool = may(flag, False)
    active: bool = may(flag, True)
    theirs: bool = may(flag, False, help=sentence("For a status: only the vendor's system sets it."))
    of: str = may(
        word(),
        "",
        help=sentence("The vendor's value that this one is a part of: the records for which “when” is true."),
    )
    when: Expression = may(expr(*RECORD))


@dataclass(frozen=True)
class PicklistRow:
    """The values of a field: fixed, or read from the vendor's system (10)."""

    values: tuple[ValueRow, ...] = may(tables(ValueRow), ())
    operation: str = may(word(), "")
    value: Expression = may(expr(*RECORD))
    label: Expression = may(expr(*RECORD))
    active: Expression = may(expr(*RECORD))
    closed: Expression = may(expr(*RECORD))
    hint: Expression = may(expr(*RECORD))


@dataclass(frozen=True)
class WhoRow:
    """Our own user in the vendor's system (18)."""

    id: Expression = must(expr(*ANSWER))
    name: Expression = may(expr(*ANSWER))


@dataclass(frozen=True)
class PeopleRow:
    """For records that contain only the IDs of people (26): the names for `author` and `assignee` are looked up."""

    name: Expression = must(
        expr(*ANSWER), help=sentence("The name, from the response to operations.person, which receives {key}.")
    )
