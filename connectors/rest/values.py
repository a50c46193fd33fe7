"""Functions for a profile's expressions in addition to the hub's own: rich text and our marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.kit import markup
from connectors.kit.contract import mark_in
from hub.expressions import text
from hub.expressions.limits import MOST_IN_A_LIST

_CODE = re.compile(r"\[code\](.*?)\[/code\]", re.DOTALL | re.IGNORECASE)
_REFERENCE = re.compile(r"TH-[0-9A-HJKMNP-TV-Z]{8}-[0-9A-HJKMNP-TV-Z]{26}")


def reference_in(value: Any) -> str:
    """Our reference in a text; empty if there is none."""
    found = _REFERENCE.search(text(value))
    return found[0] if found else ""


def plain(value: Any) -> str:
    """The plain text of HTML; text without tags is returned unchanged."""
    told = text(value)
    if "<" not in told and "&" not in told:
        return told
    return markup.text_of(markup.cleaned(told))


def journal(value: Any) -> str:
    """The text of a ServiceNow journal entry, in which the text between [code] and [/code] is HTML.

    >>> journal("Done. [code]<p>See <a href='x'>KB 7</a></p>[/code]"), journal("plain <b>"), journal("[code]open")
    ('Done. See KB 7', 'plain <b>', '[code]open')
    """
    return _CODE.sub(lambda found: plain(found[1]).strip(), text(value))


def adf(value: Any) -> dict[str, Any]:
    """A text in the Atlassian Document Format, one paragraph a line; the 10,001st paragraph contains the rest.

    https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
    """
    lines = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}
        for line in text(value).split("\n", MOST_IN_A_LIST)
    ]
    return {"type": "doc", "version": 1, "content": lines}


def adf_text(value: Any) -> str:
    """The plain text of a document in the Atlassian Document Format.

    >>> adf_text(adf("one\\ntwo"))
    'one\\ntwo'
    """
    if not isinstance(value, Mapping):
        return text(value)
    return "\n".join(_adf_lines(value)).strip("\n")


_BLOCKS = {"paragraph", "heading", "codeBlock", "listItem", "blockquote", "tableRow"}


def _adf_lines(node: Mapping[str, Any], depth: int = 0) -> list[str]:
    inner = [each for each in node.get("content") or () if isinstance(each, Mapping)]
    if depth > 40:
        return []
    if node.get("type") in ("paragraph", "heading", "codeBlock"):
        return "".join(_adf_inline(each) for each in inner).split("\n")
    return [line for each in inner for line in _adf_lines(each, depth + 1)]


def _adf_inline(node: Mapping[str, Any]) -> str:
    if node.get("type") == "hardBreak":
        return "\n"
    if node.get("type") in ("mention", "emoji"):
        return text((node.get("attrs") or {}).get("text"))
    return text(node.get("text"))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "mark_in": lambda value: mark_in(text(value)),
    "reference_in": reference_in,
    "plain": plain,
    "journal": journal,
    "adf": adf,
    "adf_text": adf_text,
}
