"""How long a person takes, without a watch: what is read is counted, and what is done.

The keystroke-level model (Card, Moran, Newell 1980) with its usual times, and silent reading of 238 words a minute
(Brysbaert 2019). Counts are the same on every machine; a test may rely on them.
"""

from __future__ import annotations

import re
from collections import Counter

THINK, POINT, CLICK, KEY = 1.35, 1.1, 0.2, 0.28
WORDS_A_SECOND = 238 / 60
SWITCH = POINT + CLICK
"""To another window and its field, or back."""
RESPONSE = 2.0
"""Until a page that asked the vendor is there."""


SHOWN = """() => {
  const content = document.querySelector('#content') || document.querySelector('main');
  content.querySelectorAll('.visually-hidden').forEach(each => each.setAttribute('hidden', ''));
  const lists = [...content.querySelectorAll('select')].map(list => [list, list.innerHTML]);
  lists.forEach(([list]) => list.replaceChildren(...[...list.selectedOptions].map(chosen => chosen.cloneNode(true))));
  const shown = content.innerText;
  lists.forEach(([list, all]) => { const at = list.value; list.innerHTML = all; list.value = at; });
  content.querySelectorAll('.visually-hidden').forEach(each => each.removeAttribute('hidden'));
  return shown;
}"""
"""What stands on a page as a person sees it: of a list the one that is chosen, of what is folded its first line."""


class Effort:
    """One person at one task."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.known: set[str] = set()

    def reads(self, text: str) -> None:
        """Every line that was not on a page before; what is the same need not be read again."""
        for line in text.splitlines():
            plain = line.strip()
            if plain and plain not in self.known:
                self.known.add(plain)
                self.seconds["reading"] += len(re.findall(r"\w[\w'-]*", plain)) / WORDS_A_SECOND

    def copies(self) -> None:
        """A value from another window: there, marked, copied, back, pasted."""
        self.seconds["copying"] += THINK + SWITCH + 2 * POINT + 2 * CLICK + 2 * KEY + SWITCH + 2 * KEY

    def types(self, text: str) -> None:
        self.seconds["typing"] += THINK + POINT + CLICK + len(text) * KEY

    def chooses(self) -> None:
        self.seconds["choosing"] += THINK + 2 * (POINT + CLICK)

    def presses(self) -> None:
        self.seconds["pressing"] += THINK + POINT + CLICK
        self.seconds["waiting"] += RESPONSE

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def __str__(self) -> str:
        parts = ", ".join(f"{what} {seconds:.0f}" for what, seconds in self.seconds.most_common())
        return f"{self.total:.0f} s: {parts}"
