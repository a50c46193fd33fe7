"""HTML from outside: cleaned for display, or converted to plain text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3

TAGS = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "code",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "ins",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
}
_BLOCKS = TAGS - {"a", "abbr", "b", "code", "del", "em", "i", "ins", "s", "span", "strong", "sub", "sup", "u", "br"}
_SILENT = {"script", "style", "head", "title", "template", "noscript", "svg", "math"}
LONGEST = 500_000
LEFT_OUT = f"[The rest is not shown: the text is longer than {LONGEST:,} characters.]"


def cleaned(html: str) -> str:
    """The HTML that may be shown: text, its structure and links; no pictures, styles, forms or scripts.

    Text beyond `LONGEST` characters is replaced by a line that says so.

    >>> cleaned('<p onclick="x()">Hi <img src="http://spy.test/x"><a href="javascript:x()">there</a></p>')
    '<p>Hi <a rel="noopener noreferrer">there</a></p>'
    """
    kept = nh3.clean(
        _shallow(html[:LONGEST]),
        tags=TAGS,
        attributes={"a": {"href", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        url_schemes={"http", "https", "mailto", "tel"},
        clean_content_tags={"script", "style", "title", "template", "noscript"},
    )
    return f"{kept}<p>{LEFT_OUT}</p>" if len(html) > LONGEST else kept


_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]{0,40})[^<>]{0,4000}>?")
_CLOSED_BY_OTHERS = frozenset(
    {
        "p",
        "li",
        "dd",
        "dt",
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "option",
        "optgroup",
        "br",
        "hr",
        "img",
        "input",
        "meta",
        "link",
        "wbr",
        "col",
        "area",
        "base",
        "embed",
        "source",
        "track",
        "param",
        "html",
        "head",
        "body",
    }
)
"""Elements without a mandatory end tag."""
DEEPEST = 400


def _shallow(html: str) -> str:
    """The HTML, without its tags if they are nested too deeply: cleaning would take quadratic time.

    nh3 0.3 (html5ever) walks all open elements for each tag. An end tag closes only an element of its own name.
    """
    open_now: dict[str, int] = {}
    depth = 0
    for found in _TAG.finditer(html):
        name = found[2].lower()
        if name in _CLOSED_BY_OTHERS or (found[1] and not open_now.get(name)):
            continue
        change = -1 if found[1] else 1
        open_now[name] = open_now.get(name, 0) + change
        depth += change
        if depth > DEEPEST:
            return _TAG.sub(" ", html)
    return html


def text_of(html: str) -> str:
    r"""The plain text of cleaned HTML. Quotations get a ">"; a link's URL is appended unless the text contains it.

    The HTML has to be cleaned first: the standard library's parser takes quadratic time for tags that do not end.

    >>> text_of("<p>Hello<br>you</p><blockquote>Hi</blockquote>")
    'Hello\nyou\n\n> Hi'
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.line = ""
        self.depth = 0
        self.silent = 0
        self.preformatted = 0
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        elif tag == "br":
            self._end_line()
        elif tag == "blockquote":
            self._gap()
            self.depth += 1
        elif tag == "li":
            self._end_line(only_if_begun=True)
            self.line = "* "
        elif tag == "pre":
            self._gap()
            self.preformatted += 1
        elif tag in ("td", "th") and self.line.strip():
            self.line += " "
        elif tag == "hr":
            self._gap()
            self.lines.append("________________________________")
        elif tag in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"):
            self._gap()
        elif tag in _BLOCKS and tag not in ("td", "th"):
            self._end_line(only_if_begun=True)
        if tag == "a":
            self.links.append((dict(attrs).get("href") or "", len(self.line)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(self.silent - 1, 0)
        elif tag == "blockquote":
            self._gap()
            self.depth = max(self.depth - 1, 0)
        elif tag == "pre":
            self.preformatted = max(self.preformatted - 1, 0)
            self._gap()
        elif tag in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"):
            self._gap()
        elif tag == "a" and self.links:
            self._link(*self.links.pop())
        elif tag in _BLOCKS and tag not in ("td", "th"):
            self._end_line(only_if_begun=True)

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        if self.preformatted:
            first, *more = data.split("\n")
            self.line += first
            for line in more:
                self._end_line()
                self.line = line
            return
        said = re.sub(r"[ \t\r\n\f]+", " ", data)
        self.line += said.lstrip() if not self.line else said

    def _link(self, address: str, since: int) -> None:
        said = self.line[since:].strip()
        is_plain = address.startswith(("http://", "https://"))
        if is_plain and said and said.rstrip("/") not in address and address.rstrip("/") not in said:
            self.line = f"{self.line.rstrip()} <{address[:500]}>"

    def _end_line(self, *, only_if_begun: bool = False) -> None:
        if only_if_begun and not self.line.strip():
            self.line = ""
            return
        self.lines.append("> " * min(self.depth, 8) + self.line.strip(" \t"))
        self.line = ""

    def _gap(self) -> None:
        """A new paragraph."""
        self._end_line(only_if_begun=True)
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(("> " * min(self.depth, 8)).rstrip())

    def text(self) -> str:
        self._end_line(only_if_begun=True)
        while self.lines and not self.lines[-1].strip("> "):
            self.lines.pop()
        return "\n".join(line.rstrip() for line in self.lines).replace("\xa0", " ").strip()
