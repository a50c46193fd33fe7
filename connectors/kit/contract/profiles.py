"""A connector that is described by a document, its profile, and the forms to edit a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .connector import Connector


@dataclass(frozen=True, kw_only=True)
class ProfileKey:
    """One key of a table of a profile, for a form."""

    name: str
    kind: str
    """``text``, ``number``, ``flag``, or ``toml`` for a list or an inline table."""
    value: str = ""
    help: str = ""
    """A sentence that can be translated; empty if the name says enough."""
    is_needed: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProfileSection:
    """One table of a profile. A table that does not exist yet has no values."""

    place: str
    """As in error messages: ``connect.token``, ``operations.list``, ``notes.0``."""
    keys: tuple[ProfileKey, ...]
    is_there: bool = True
    takes_more: bool = False
    """Whether keys with names of one's own can be added, as in ``ticket.fields``."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """One record of a sample response, as a table of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


class ProfileConnector(Connector):
    """A connector that follows a profile; `of_profile` makes the class for one profile."""

    @classmethod
    def of_profile(cls, document: str) -> type[ProfileConnector]:
        """The connector of one profile; ValueError lists every mistake in the document, one a line."""
        raise NotImplementedError

    @classmethod
    def shipped_profiles(cls) -> Mapping[str, str]:
        """The profiles that are shipped with it: documents by short name."""
        return {}

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        """A profile's document as forms, one per table; ValueError if it cannot be read at all."""
        raise NotImplementedError

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        """One table of the document, whether it exists or not; ValueError if no table can be at this place."""
        raise NotImplementedError

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        """The document with these values in one of its tables; everything else stays unchanged, including comments.

        An empty value removes the key; ValueError says what cannot be written.
        """
        raise NotImplementedError

    @classmethod
    def restarted(cls, cursor: str) -> str:
        """The cursor that repeats the sweep from its beginning, valid with any version of the profile."""
        raise NotImplementedError

    @classmethod
    def ways_in(cls, document: str) -> str:
        """A digest of where and how the profile sends credentials; if it changes, they have to be entered again."""
        raise NotImplementedError

    @classmethod
    def preview(cls, what: str, answer: str) -> Sequence[Previewed]:
        """How a sample response would be read; ValueError says what cannot be read."""
        raise NotImplementedError
