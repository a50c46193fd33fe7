"""Joins lines that a mail program broke only for transport (format=flowed).

https://www.rfc-editor.org/rfc/rfc3676
"""

from __future__ import annotations

import re

_QUOTES = re.compile(r">*")
SIGNATURE = "-- "


def unflowed(text: str, *, deletes_space: bool = False) -> str:
    r"""The text as it was written. A quotation keeps one ">" for each level.

    `deletes_space` (DelSp=yes): the space at the end of a broken line is not part of the text.

    >>> unflowed("The printer on \nfloor 2.\n> Which \n> one?\n  indented")
    'The printer on floor 2.\n> Which one?\n indented'
    >>> unflowed("プリンタ \nが", deletes_space=True)
    'プリンタが'
    """
    found: list[tuple[int, list[str]]] = []
    is_open = False
    for line in text.split("\n"):
        depth = len(_QUOTES.match(line)[0])  # type: ignore[index]  # it always matches, if only the empty text
        said = line[depth:].removeprefix(" ")
        is_sign = said == SIGNATURE
        if is_open and not is_sign and found[-1][0] == depth:
            found[-1][1].append(said)
        else:
            found.append((depth, [said]))
        is_open = said.endswith(" ") and not is_sign
        if is_open and deletes_space:
            found[-1][1][-1] = said[:-1]
    return "\n".join(f"{'>' * depth}{' ' if depth else ''}{''.join(pieces)}" for depth, pieces in found)
