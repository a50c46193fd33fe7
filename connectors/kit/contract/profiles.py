"""A connector that is described by a document, a profile, and the forms to edit one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .connector import Connector


@dataclass(frozen=True, kw_only=True)
class ProfileKey:
    """One key of a table of a profile, as a form shows it."""

    name: str
    kind: str
    """``text``, ``number``, ``flag``, or ``toml`` for a list or a table within the line."""
    value: str = ""
    help: str = ""
    is_needed: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProfileSection:
    """One table of a profile. A table that does not exist yet has no values."""

    place: str
    """As error messages name it: ``connect.token``, ``operations.list``, ``notes.0``."""
    keys: tuple[ProfileKey, ...]
    is_there: bool = True
    takes_more: bool = False
    """Whether keys with free names can be added, as to ``ticket.fields``."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """One record of a sample answer, as a table of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


class ProfileConnector(Connector):
    """A connector that speaks to a system as a profile says; `of_profile` makes the class for one profile."""

    @classmethod
    def of_profile(cls, document: str) -> type[ProfileConnector]:
        """The connector of one profile; ValueError names every mistake in the document."""
        raise NotImplementedError

    @classmethod
    def shipped_profiles(cls) -> Mapping[str, str]:
        """The profiles that come with it: documents by short name."""
        return {}

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        """A profile's document as forms, one per table; ValueError where it cannot be read at all."""
        raise NotImplementedError

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        """One table of the document, whether it exists or not; ValueError where there can be none."""
        raise NotImplementedError

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        """The document with these values in one of its tables; everything else stays, including comments.

        An empty value removes the key; ValueError names what cannot be written.
        """
        raise NotImplementedError

    @classmethod
    def restarted(cls, cursor: str) -> str:
        """The cursor that repeats the sweep of this one from its beginning, with any version of the profile."""
        raise NotImplementedError

    @classmethod
    def ways_in(cls, document: str) -> str:
        """A digest of where and how the profile sends credentials; when it changes, they have to be entered again."""
        raise NotImplementedError

    @classmethod
    def preview(cls, what: str, answer: str) -> Sequence[Previewed]:
        """How a sample answer would be understood; ValueError says what cannot be."""
        raise NotImplementedError
