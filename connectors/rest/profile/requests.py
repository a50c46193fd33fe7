"""The requests of an operation, how lists continue, and what refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import expr, flag, may, must, number, numbers, table, text, texts, tree, word
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .names import ANSWER, REQUESTED


@dataclass(frozen=True)
class Paging:
    """How a list continues (7)."""

    style: str = may(word("none", "page", "offset", "cursor", "link", "next_url", "keyset", "time"), "none")
    size: int = may(number(1, 10_000), 100)
    first: int = may(number(0, 1), 1)
    next: Expression = may(expr(*ANSWER, "items"))
    """For ``cursor`` and ``next_url``: what leads to the next page; empty on the last page."""
    more: Expression = may(expr(*ANSWER, "items"))
    """Whether there are more records, where the answer says so."""
    total: Expression = may(expr(*ANSWER, "items"))
    key: Expression = may(expr("item"))
    """For ``keyset``: the increasing value of a record."""
    export: bool = may(flag, False)
    """Whether the next poll continues from the cursor of the last page, as with incremental exports."""


@dataclass(frozen=True)
class Defaults:
    """What applies to every request that does not say otherwise (27); queries and headers are merged."""

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
    """The file's name there; it may contain the mark where nothing else carries one."""
    raw: bool = may(flag, False)
    """Whether the file's bytes are the body."""
    content_type: str = may(word(), "")
    name: str = may(word(), "")
    """The name under which later steps find the answer (``steps.NAME``) and its headers (``heads.NAME``)."""
    when: Expression = may(expr(*REQUESTED))
    require: Expression = may(expr(*REQUESTED))
    refuse: Text = may(text(*REQUESTED))
    """The message shown when `require` does not hold."""
    ok: Expression = may(expr(*ANSWER))
    """Whether a 2xx answer is really a success (20)."""
    message: Expression = may(expr(*ANSWER))
    empty: bool = may(flag, False)
    """Whether a successful answer may have no body."""
    is_read: bool = may(flag, False)
    """Whether it changes nothing, although it is not a GET."""
    items: Expression = may(expr(*ANSWER))
    null_is_empty: bool = may(flag, False)
    """Whether a list that is null or missing is empty; otherwise it is an error."""
    item: Expression = may(expr(*ANSWER))
    key: Expression = may(expr(*ANSWER))
    again: Expression = may(expr("item", "settings"))
    """For a list that contains too little: the id with which `get` reads each of its records."""
    content: Expression = may(expr(*ANSWER))
    """For a download whose answer is JSON: the file's bytes, for example with ``from_base64``."""
    paging: Paging = may(table(Paging))
    conflict_again: bool = may(flag, False)
    """Whether the operation is repeated once, from its reading, after 409 or 412 (22)."""


@dataclass(frozen=True)
class ErrorRow:
    """What one kind of refusal means (20)."""

    operation: str = may(word(), "")
    """Limits the row to this operation."""
    status: tuple[int, ...] = may(numbers, ())
    when: Expression = may(expr(*ANSWER))
    is_: str = must(word("later", "unclear", "locked_out", "refused", "forbidden", "missing", "conflict", "end"))
    """``end``: the list has no more entries."""
    message: Expression = may(expr(*ANSWER))
    after: Expression = may(expr(*ANSWER))
    field: str = may(word(), "")
