"""A profile: how one REST system is spoken to, as a TOML document an admin can write from its documentation.

Requests hold texts with {expressions}; what is picked from answers are expressions.
docs/how-to/connect-a-rest-vendor.md explains each table; the numbers are those of the table of
capabilities there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import (
    expr,
    flag,
    may,
    must,
    named,
    number,
    numbers,
    table,
    tables,
    text,
    texts,
    tree,
    word,
    words,
)
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

LONGEST = 100_000
REQUEST = ("settings", "secrets", "memory", "me", "steps", "heads", "now")
"""What the texts of every request may name."""
ANSWER = ("settings", "me", "answer", "status", "headers", "steps")
RECORD = ("settings", "me", "item", "answer")
CHANGE = ("change", "fields")
REQUESTED = (
    *REQUEST,
    *CHANGE,
    "key",
    "item",
    "file",
    "hook",
    "since",
    "page",
    "offset",
    "limit",
    "cursor",
    "after",
    "reference",
    "prefix",
    "note",
)
"""What any part of a request may name; which of them is set in which operation stands in `given`."""


@dataclass(frozen=True)
class SettingRow:
    """One thing an admin enters."""

    name: str = must(word())
    label: str = must(word())
    help: str = may(word(), "")
    secret: bool = may(flag, False)
    required: bool = may(flag, True)
    default: str = may(word(), "")
    picklist: str = may(word(), "")
    long: bool = may(flag, False)
    """Whether it has several lines, as a certificate has."""
    choices: Mapping[str, str] = may(named(word()), {})


@dataclass(frozen=True)
class Token:
    """OAuth 2: how a token is asked for (RFC 6749 sections 4.4 and 6)."""

    grant: str = may(word("client_credentials", "refresh_token", "none"), "client_credentials")
    """``none`` is a log-in of their own making: what is sent is told by method, headers, form and body."""
    method: str = may(word("GET", "POST"), "POST")
    headers: Mapping[str, Text] = may(texts("settings", "secrets"), {})
    body: Tree = may(tree("settings", "secrets"))
    header: str = may(word(), "Authorization")
    """In which header the token is sent."""
    url: Text = must(text(*REQUEST))
    form: Mapping[str, Text] = may(texts(*REQUEST), {})
    query: Mapping[str, Text] = may(texts(*REQUEST), {})
    client_id: Text = may(text(*REQUEST))
    client_secret: Text = may(text(*REQUEST))
    client: str = may(word("body", "basic"), "body")
    refresh: str = may(word(), "")
    """The secret setting that holds the refresh token; a new one takes its place."""
    pick: Expression = may(expr("answer"))
    expires: Expression = may(expr("answer"))
    skew_seconds: float = may(number(0, 3600), 60)
    prefix: str = may(word(), "Bearer ")


@dataclass(frozen=True)
class Signed:
    """Requests signed with HMAC."""

    header: str = must(word())
    key: Text = must(text(*REQUEST))
    content: Text = must(text(*REQUEST, "method", "path", "query", "body", "headers", "host"))
    algorithm: str = may(word("sha1", "sha256", "sha384", "sha512"), "sha256")
    encoding: str = may(word("hex", "base64"), "hex")
    prefix: Text = may(text(*REQUEST, "headers"))


@dataclass(frozen=True)
class Discover:
    """Where the address itself has to be asked for (1)."""

    url: Text = must(text("settings", "secrets"))
    pick: Expression = must(expr("answer", "settings"))
    keep_seconds: float = may(number(60, 30 * 86400), 86400)
    again_on: tuple[int, ...] = may(numbers, ())


@dataclass(frozen=True)
class Connect:
    """Where they answer and how we are let in (1, 2, 3)."""

    base: Text = must(text("settings", "discovered"))
    headers: Mapping[str, Text] = may(texts(*REQUEST), {})
    query: Mapping[str, Text] = may(texts(*REQUEST), {})
    user: Text = may(text("settings", "secrets"))
    password: Text = may(text("settings", "secrets"))
    bearer: Text = may(text("settings", "secrets"))
    token: Token = may(table(Token))
    signed: Signed = may(table(Signed))
    discover: Discover = may(table(Discover))
    certificate: Text = may(text("settings", "secrets"))
    """Our certificate with its key, in PEM, for those who ask for one (mutual TLS)."""
    authority: Text = may(text("settings", "secrets"))
    """The authority that signed theirs, in PEM, where no public one did."""
    wrong: str = may(word(), "")
    """The setting that is probably wrong where they do not let us in."""


@dataclass(frozen=True)
class LimitsRow:
    """What they let one integration do (19)."""

    requests: float = may(number(1, 1e7), 0)
    seconds: float = may(number(1, 86400), 0)
    share: float = may(number(0.01, 1), 0.5)
    threads: int = may(number(1, 100))
    remaining: str = may(word(), "")
    """The header that tells how many calls are left."""
    floor: float = may(number(0, 1e6), 5)
    reset: str = may(word(), "")
    """The header with seconds to wait, or the time in seconds of 1970."""
    left: Expression = may(expr(*ANSWER))
    """Where they have an end point for it: the calls that are left, from the answer of `operations.quota`."""
    again_in: Expression = may(expr(*ANSWER))
    """And the seconds until there are more, or the time in seconds of 1970."""


@dataclass(frozen=True)
class Times:
    """How times are written in their records (25)."""

    read: tuple[str, ...] = may(words, ("iso",))
    zone: Text = may(text("settings"))
    """Of times without one."""


@dataclass(frozen=True)
class Since:
    """How "changed since" is written, which need not be how times are read (8)."""

    write: str = may(word(), "%Y-%m-%dT%H:%M:%SZ")
    """A format of strftime, or epoch, epoch_ms."""
    zone: Text = may(text("settings"))
    resolution_seconds: float = may(number(1, 86400), 1)
    overlap_seconds: float = may(number(0, 7 * 86400), 900)
    lag_seconds: float = may(number(0, 3600), 0)
    """The newest changes they leave out of the list, as exports do."""


@dataclass(frozen=True)
class Paging:
    """How a list goes on (7)."""

    style: str = may(word("none", "page", "offset", "cursor", "link", "next_url", "keyset", "time"), "none")
    size: int = may(number(1, 10_000), 100)
    first: int = may(number(0, 1), 1)
    next: Expression = may(expr(*ANSWER, "items"))
    """Of cursor and next_url: what leads to the next page; nothing where this was the last."""
    more: Expression = may(expr(*ANSWER, "items"))
    """Whether there is more, where they say so."""
    total: Expression = may(expr(*ANSWER, "items"))
    key: Expression = may(expr("item"))
    """Of keyset: what in a record is counted up."""
    export: bool = may(flag, False)
    """Whether the cursor of the last page is where the next poll goes on, as with incremental exports."""


@dataclass(frozen=True)
class Defaults:
    """What every request says that does not say otherwise (27); queries and headers are joined."""

    method: str = may(word("GET", "POST", "PUT", "PATCH", "DELETE"), "")
    path: Text = may(text(*REQUESTED))
    query: Mapping[str, Text] = may(texts(*REQUESTED, names_too=True), {})
    headers: Mapping[str, Text] = may(texts(*REQUESTED), {})
    is_read: bool = may(flag, False)


@dataclass(frozen=True)
class Step:
    """One request of an operation (4, 5, 6)."""

    method: str = may(word("GET", "POST", "PUT", "PATCH", "DELETE"), "GET")
    path: Text = must(text(*REQUESTED))
    query: Mapping[str, Text] = may(texts(*REQUESTED, names_too=True), {})
    headers: Mapping[str, Text] = may(texts(*REQUESTED), {})
    body: Tree = may(tree(*REQUESTED))
    form: Mapping[str, Text] = may(texts(*REQUESTED, names_too=True))
    multipart: Mapping[str, Text] = may(texts(*REQUESTED, names_too=True))
    file_field: str = may(word(), "file")
    file_name: Text = may(text(*REQUESTED))
    """What the file is called there; the mark may stand in it where nothing else carries one."""
    raw: bool = may(flag, False)
    """Whether the file's bytes are the body."""
    content_type: str = may(word(), "")
    name: str = may(word(), "")
    """By which later steps find the answer: steps.NAME, and its headers: heads.NAME."""
    when: Expression = may(expr(*REQUESTED))
    require: Expression = may(expr(*REQUESTED))
    refuse: Text = may(text(*REQUESTED))
    """What a person is told where `require` does not hold."""
    ok: Expression = may(expr(*ANSWER))
    """Whether a 2xx is really a yes (20)."""
    message: Expression = may(expr(*ANSWER))
    empty: bool = may(flag, False)
    """Whether a yes may come without a body."""
    is_read: bool = may(flag, False)
    """Whether it changes nothing there, though it is no GET."""
    items: Expression = may(expr(*ANSWER))
    null_is_empty: bool = may(flag, False)
    """Whether a list that is null, or not there, has no entries; else that is a fault of theirs."""
    item: Expression = may(expr(*ANSWER))
    key: Expression = may(expr(*ANSWER))
    again: Expression = may(expr("item", "settings"))
    """Of a list that tells too little: the id by which each of its records is read by `get`."""
    content: Expression = may(expr(*ANSWER))
    """Of a download whose answer is JSON: where the file's bytes are, as with from_base64."""
    paging: Paging = may(table(Paging))
    conflict_again: bool = may(flag, False)
    """Whether 409 and 412 mean: read again, then try once more (22)."""


@dataclass(frozen=True)
class TicketRow:
    """What of a record is what of a ticket (9, 14, 23)."""

    key: Expression = must(expr(*RECORD))
    key_form: str = may(word("number", "word", "hex", "any"), "word")
    number: Expression = may(expr(*RECORD))
    url: Text = may(text(*RECORD))
    created_at: Expression = may(expr(*RECORD))
    changed_at: Expression = may(expr(*RECORD))
    made_by: Expression = may(expr(*RECORD))
    """Who made it, as in who.id: so we know ours."""
    author: Expression = may(expr(*RECORD))
    """Who changed it last, or made it, as people call them."""
    changed_by: Expression = may(expr(*RECORD))
    """Who that is, as in who.id: what we did ourselves is not told as theirs."""
    assignee: Expression = may(expr(*RECORD))
    queue: Expression = may(expr(*RECORD))
    merged_into: Expression = may(expr(*RECORD))
    resolution: Expression = may(expr(*RECORD))
    """How it was solved, where a field of its own says so."""
    requester: Expression = may(expr(*RECORD))
    """The e-mail address of whom it is for."""
    is_foreign: Expression = may(expr(*RECORD))
    is_gone: Expression = may(expr(*RECORD))
    reference: Expression = may(expr(*RECORD))
    fields: Mapping[str, Expression] = must(named(expr(*RECORD)))


@dataclass(frozen=True)
class NoteRow:
    """Where notes are found, and what of them is what (12, 13)."""

    items: Expression = may(expr(*RECORD))
    """Within the ticket's own answer; else the operation is asked."""
    operation: str = may(word(), "")
    detail: str = may(word(), "")
    """An operation that reads one note, where the list leaves its text out; its answer is `detail`."""
    only: Expression = may(expr(*RECORD, "detail"))
    key: Expression = may(expr(*RECORD, "detail"))
    text: Expression = must(expr(*RECORD, "detail"))
    visibility: Expression = must(expr(*RECORD, "detail"))
    author: Expression = may(expr(*RECORD, "detail"))
    made_by: Expression = may(expr(*RECORD, "detail"))
    created_at: Expression = must(expr(*RECORD, "detail"))
    merged_into: Expression = may(expr(*RECORD, "detail"))
    """The key of the ticket this one was merged into, where only a note names it; the ticket's own says ``'?'``."""


@dataclass(frozen=True)
class FileRow:
    """Where attachments are found, and what of them is what (15)."""

    items: Expression = may(expr(*RECORD))
    operation: str = may(word(), "")
    within: Expression = may(expr(*RECORD))
    """Of each item, where its files are, as with files of notes; the item is `parent` then."""
    detail: str = may(word(), "")
    """An operation that reads one file, where the list tells too little of it; its answer is `detail`."""
    only: Expression = may(expr(*RECORD, "parent", "detail"))
    key: Expression = must(expr(*RECORD, "parent", "detail"))
    name: Expression = must(expr(*RECORD, "parent", "detail"))
    size: Expression = may(expr(*RECORD, "parent", "detail"))
    visibility: Expression = may(expr(*RECORD, "parent", "detail"))
    author: Expression = may(expr(*RECORD, "parent", "detail"))
    made_by: Expression = may(expr(*RECORD, "parent", "detail"))
    created_at: Expression = may(expr(*RECORD, "parent", "detail"))
    """Where they do not say it, the ticket's own time stands for it."""
    mark: Expression = may(expr(*RECORD, "parent", "detail"))
    """Our mark on it, where it has a place for one."""


@dataclass(frozen=True)
class ValueRow:
    value: str = must(word())
    label: str = must(word())
    closed: bool = may(flag, False)
    active: bool = may(flag, True)
    theirs: bool = may(flag, False)
    """Of a status: only their own system sets it."""
    of: str = may(word(), "")
    """Their own value, of which this one is a part: the records for which `when` is true."""
    when: Expression = may(expr(*RECORD))


@dataclass(frozen=True)
class PicklistRow:
    """The values of a field: fixed, or asked for (10)."""

    values: tuple[ValueRow, ...] = may(tables(ValueRow), ())
    operation: str = may(word(), "")
    value: Expression = may(expr(*RECORD))
    label: Expression = may(expr(*RECORD))
    active: Expression = may(expr(*RECORD))
    closed: Expression = may(expr(*RECORD))
    hint: Expression = may(expr(*RECORD))


@dataclass(frozen=True)
class WhoRow:
    """Who we are there (18)."""

    id: Expression = must(expr(*ANSWER))
    name: Expression = may(expr(*ANSWER))


@dataclass(frozen=True)
class PeopleRow:
    """Where a record names people by id alone (26): `author` and `assignee` are ids, and names are asked for."""

    name: Expression = must(expr(*ANSWER))
    """From the answer of `operations.person`, which is asked with {key}."""


@dataclass(frozen=True)
class ErrorRow:
    """What one kind of no means (20)."""

    operation: str = may(word(), "")
    """Of this operation only."""
    status: tuple[int, ...] = may(numbers, ())
    when: Expression = may(expr(*ANSWER))
    is_: str = must(word("later", "unclear", "locked_out", "refused", "forbidden", "missing", "conflict", "end"))
    """``end``: of a list, that there is nothing more."""
    message: Expression = may(expr(*ANSWER))
    after: Expression = may(expr(*ANSWER))
    field: str = may(word(), "")


@dataclass(frozen=True)
class HookRow:
    """How their calls to us are signed and read (16)."""

    check: str = may(word("secret_path", "hmac", "header", "basic"), "secret_path")
    header: str = may(word(), "")
    prefix: str = may(word(), "")
    algorithm: str = may(word("sha1", "sha256", "sha384", "sha512"), "sha256")
    encoding: str = may(word("hex", "base64"), "hex")
    secret: Text = may(text("settings", "secrets"))
    key_form: str = may(word("raw", "sha256", "base64"), "raw")
    content: Text = may(text("body", "headers", "settings"))
    """What is signed, where it is not the body alone."""
    timestamp: Expression = may(expr("headers", "answer"))
    tolerance_seconds: float = may(number(10, 86400), 300)
    key: Expression = may(expr("answer", "headers", "settings"))
    keys: Expression = may(expr("answer", "headers", "settings"))
    """Of a batch: all of them."""
    delivery: Expression = may(expr("answer", "headers"))
    url: Expression = may(expr("item"))
    id: Expression = may(expr("item"))
    is_active: Expression = may(expr("item"))

    @property
    def signature_headers(self) -> tuple[str, ...]:
        """The header without which no call of theirs is signed."""
        if self.check == "secret_path":
            return ()
        return ("authorization",) if self.check == "basic" else (self.header.lower(),)


@dataclass(frozen=True)
class Profile:
    """One system, as its profile tells it."""

    slug: str = must(word())
    name: str = must(word())
    about: str = may(word(), "")
    documentation: str = may(word(), "")
    settings: tuple[SettingRow, ...] = must(tables(SettingRow))
    connect: Connect = must(table(Connect))
    limits: LimitsRow = may(table(LimitsRow))
    times: Times = may(table(Times), Times())
    since: Since = may(table(Since), Since())
    defaults: Defaults = may(table(Defaults))
    operations: Mapping[str, tuple[Step, ...]] = must(named(tables(Step)))
    who: WhoRow = may(table(WhoRow))
    people: PeopleRow = may(table(PeopleRow))
    ticket: TicketRow = must(table(TicketRow))
    notes: tuple[NoteRow, ...] = may(tables(NoteRow), ())
    files: tuple[FileRow, ...] = may(tables(FileRow), ())
    picklists: Mapping[str, PicklistRow] = may(named(table(PicklistRow)), {})
    errors: tuple[ErrorRow, ...] = may(tables(ErrorRow), ())
    hook: HookRow = may(table(HookRow))
    lengths: Mapping[str, float] = may(named(number(1, 1e7)), {})
    insert_only: tuple[str, ...] = may(words, ())
    verify: bool = may(flag, True)
    """Whether a change is read back: a yes that changed nothing is a no (21)."""
    largest_file: float = may(number(1, 100 * 2**20), 20 * 2**20)
    lacks: Mapping[str, str] = may(named(word()), {})
    """What they have no way for, by its name, and why: see LACKS."""
    digest: str = may(word(), "")

    def parts_of(self, field: str) -> tuple[ValueRow, ...]:
        """The values of a field that are a part of one of theirs, by a condition."""
        row = self.picklists.get(field)
        return tuple(each for each in row.values if each.of) if row is not None else ()
