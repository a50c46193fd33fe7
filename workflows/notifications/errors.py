"""Why a notice could not be sent."""

from __future__ import annotations


class NotSent(Exception):
    """The notice could not be sent; with `is_final`, another attempt would not help."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
