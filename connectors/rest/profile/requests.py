"""The requests of an operation, how lists continue, and what errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import expr, flag, may, must, number, numbers, table, text, texts, tree, word
from hub.core.sentences import sentence
from hub.expressions import Expression
from hub.expressions.texts import Text, Tree

from .names import ANSWER, REQUESTED


@dataclass(frozen=True)
class Paging:
    """How a list continues (7)."""

    style: str = may(word("none", "page", "offset", "cursor", "link", "next_url", "keyset", "time"), "none")
    size: int = may(number(1, 10_000), 100)
    first: int = may(number(0, 1), 1)
    next: Expression = may(
        expr(*ANSWER, "items"),
        help=sentence("For “cursor” and “next_url”: what leads to the next page; empty on the last page."),
    )
    more: Expression = may(
        expr(*ANSWER, "items"), help=sentence("Whether there are more records, if the response says so.")
    )
    total: Expression = may(expr(*ANSWER, "items"))
    key: Expression = may(expr("item"), help=sentence("For “keyset”: the increasing value of a record."))
    export: bool = may(
        flag,
        False,
        help=sentence("Whether the next poll continues from the cursor of the last page, as with incremental exports."),
    )


@dataclass(frozen=True)
class Defaults:
    """What applies to every request that does not define it itself (27); queries and headers are merged."""

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
    file_name: Text = may(
        text(*REQUESTED), help=sentence("The name of the uploaded file; it may contain our mark if nothing else can.")
    )
    raw: bool = may(flag, False, help=sentence("Whether the file's bytes are the body."))
    content_type: str = may(word(), "")
    name: str = may(
        word(),
        "",
        help=sentence("The name under which later steps find the response (steps.NAME) and its headers (heads.NAME)."),
    )
    when: Expression = may(expr(*REQUESTED))
    require: Expression = may(expr(*REQUESTED))
    refuse: Text = may(text(*REQUESTED), help=sentence("The message shown if “require” is not true."))
    ok: Expression = may(expr(*ANSWER), help=sentence("Whether a 2xx response is really a success."))
    message: Expression = may(expr(*ANSWER))
    empty: bool = may(flag, False, help=sentence("Whether a successful response may have no body."))
    is_read: bool = may(flag, False, help=sentence("Whether it changes nothing, although it is not a GET."))
    items: Expression = may(expr(*ANSWER))
    null_is_empty: bool = may(
        flag, False, help=sentence("Whether a list that is null or missing is empty; otherwise it is an error.")
    )
    item: Expression = may(expr(*ANSWER))
    key: Expression = may(expr(*ANSWER))
    again: Expression = may(
        expr("item", "settings"),
        help=sentence("For a list that contains too little: the ID with which “get” reads each of its records."),
    )
    content: Expression = may(
        expr(*ANSWER),
        help=sentence("For a download whose response is JSON: the file's bytes, for example with from_base64."),
    )
    paging: Paging = may(table(Paging))
    conflict_again: bool = may(
        flag,
        False,
        help=sentence("Whether the operation is repeated once, from its read request on, after 409 or 412."),
    )


@dataclass(frozen=True)
class ErrorRow:
    """What one kind of error means (20)."""

    operation: str = may(word(), "", help=sentence("Limits the row to this operation."))
    status: tuple[int, ...] = may(numbers, ())
    when: Expression = may(expr(*ANSWER))
    is_: str = must(
        word("later", "unclear", "locked_out", "refused", "forbidden", "missing", "conflict", "end"),
        help=sentence("“end”: the list has no more entries."),
    )
    message: Expression = may(expr(*ANSWER))
    after: Expression = may(expr(*ANSWER))
    field: str = may(word(), "")
