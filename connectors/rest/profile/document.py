"""A whole profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.rest.schema import flag, may, must, named, number, table, tables, word, words
from hub.core.sentences import sentence

from .connect import Connect, LimitsRow, SettingRow
from .hook import HookRow
from .records import FileRow, NoteRow, PeopleRow, PicklistRow, Since, TicketRow, Times, ValueRow, WhoRow
from .requests import Defaults, ErrorRow, Step


@dataclass(frozen=True)
class Profile:
    """One system, as its profile describes it."""

    slug: str = must(word())
    name: str = must(word())
    about: str = may(word(), "")
    documentation: str = may(word(), "")
    settings: tuple[SettingRow, ...] = must(tables(SettingRow))
    connect: Connect = must(table(Connect))
    limits: LimitsRow = may(table(LimitsRow))
    times: Times = may(table(Times), Times())
    since: Since = may(table(Since), Since())
    defaults: Defaults = may(table(Defaults))
    operations: Mapping[str, tuple[Step, ...]] = must(named(tables(Step)))
    who: WhoRow = may(table(WhoRow))
    people: PeopleRow = may(table(PeopleRow))
    ticket: TicketRow = must(table(TicketRow))
    notes: tuple[NoteRow, ...] = may(tables(NoteRow), ())
    files: tuple[FileRow, ...] = may(tables(FileRow), ())
    picklists: Mapping[str, PicklistRow] = may(named(table(PicklistRow)), {})
    errors: tuple[ErrorRow, ...] = may(tables(ErrorRow), ())
    hook: HookRow = may(table(HookRow))
    lengths: Mapping[str, float] = may(named(number(1, 1e7)), {})
    insert_only: tuple[str, ...] = may(words, ())
    verify: bool = may(
        flag, True, help=sentence("Whether a change is read back, to detect a success that changed nothing.")
    )
    largest_file: float = may(number(1, 100 * 2**20), 20 * 2**20)
    lacks: Mapping[str, str] = may(
        named(word()), {}, help=sentence("What the system cannot do, by name, with the reason.")
    )
    digest: str = may(word(), "")

    def parts_of(self, field: str) -> tuple[ValueRow, ...]:
        """The values of a field that are a part of one of the vendor's values, by a condition."""
        row = self.picklists.get(field)
        return tuple(each for each in row.values if each.of) if row is not None else ()
