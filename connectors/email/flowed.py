"""Lines that a mail program broke only to send them are made whole again (RFC 3676, format=flowed)."""

from __future__ import annotations

import re

_QUOTES = re.compile(r">*")
SIGNATURE = "-- "


def unflowed(text: str, *, deletes_space: bool = False) -> str:
    r"""The text as it was written. A quotation keeps one ">" for each time it was quoted.

    `deletes_space`: DelSp=yes, the blank that marks a broken line is no part of the text.

    >>> unflowed("The printer on \nfloor 2.\n> Which \n> one?\n  indented")
    'The printer on floor 2.\n> Which one?\n indented'
    >>> unflowed("プリンタ \nが", deletes_space=True)
    'プリンタが'
    """
    found: list[tuple[int, list[str]]] = []
    is_open = False
    for line in text.split("\n"):
        depth = len(_QUOTES.match(line)[0])  # type: ignore[index]  # it matches nothing, too
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
