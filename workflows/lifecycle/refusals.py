"""The base of all exceptions that tell a person why something is not possible now."""

from __future__ import annotations

from hub.translation import localized


class Refused(Exception):
    """Not possible now. `str()` gives the reason in the active language, and it can be stored in a `SentenceField`."""

    def __str__(self) -> str:
        return localized(super().__str__())
