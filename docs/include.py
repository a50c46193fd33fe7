"""Put the code that pages show into them from where it runs: python docs/include.py

A page names a piece as ``<!-- code: FILE NAME -->``; the piece begins in the file at ``# how-to: NAME``
and ends before the next such line. Without a name it is the whole file.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"<!-- code: (\S+?)(?: (\S+))? -->\n```(\w+)\n.*?```\n", re.DOTALL)


def included(page: str) -> str:
    """The page with every piece as it is in its file now."""
    return PLACE.sub(_piece, page)


def _piece(found: re.Match[str]) -> str:
    file, name, kind = found[1], found[2], found[3]
    text = (ROOT / file).read_text()
    if name:
        _, _, text = text.partition(f"# how-to: {name}\n")
        text = re.split(r"^ *# how-to: ", text, maxsplit=1, flags=re.MULTILINE)[0]
    title = f"<!-- code: {file}{f' {name}' if name else ''} -->"
    return f"{title}\n```{kind}\n{dedent(text).strip()}\n```\n"


def main() -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        text = path.read_text()
        path.write_text(included(text))


if __name__ == "__main__":
    main()
