"""Any REST system, by a profile: there is no code for a particular system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar

from connectors.kit.contract import (
    Choice,
    Page,
    ProfileSection,
    RemoteTicket,
    readable,
    understood,
)
from connectors.kit.errors import Forbidden, Refused
from connectors.rest.polling import Sweep
from hub.core.sentences import Sentence, sentence, sentences
from hub.expressions import text

from . import editing, profile_class
from .caller import circular
from .profile import Paging, PicklistRow, Profile
from .writing import Writes

Json = dict[str, Any]
IGNORED_FILTER = timedelta(days=2)
"""The system ignored our filter if all records are older than requested by more than this."""


SOON = timedelta(days=2)
"""A time of change that is further in the future is not used."""


COUNTED = ("page", "offset", "time")
"""Lists with numbered pages, of which one can be refused for its number alone."""


class Rest(Writes):
    """A REST system; `of_profile` makes the connector of one profile."""

    slug: ClassVar[str] = "rest"
    label: ClassVar[str] = "REST system by profile"
    profile: ClassVar[Profile]

    @classmethod
    def ways_in(cls, document: str) -> str:
        return profile_class.ways_in(document)

    @classmethod
    def of_profile(cls, document: str) -> type[Rest]:
        """The connector of a profile's text; ValueError lists every mistake in it."""
        return _made(document)

    @classmethod
    def shipped_profiles(cls) -> Mapping[str, str]:
        folder = files(__package__) / "profiles"
        return {
            each.name: (each / "profile.toml").read_text(encoding="utf-8")
            for each in sorted(folder.iterdir(), key=lambda each: each.name)
            if each.is_dir() and (each / "profile.toml").is_file()
        }

    @classmethod
    def restarted(cls, cursor: str) -> str:
        return Sweep.restarted(cursor)

    @classmethod
    def sections(cls, document: str) -> Sequence[ProfileSection]:
        return editing.sections(document)

    @classmethod
    def section_at(cls, document: str, place: str) -> ProfileSection:
        return editing.section_at(document, place)

    @classmethod
    def edited(cls, document: str, place: str, values: Mapping[str, str]) -> str:
        return editing.edited(document, place, values)

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        self._greet()
        return {name: self._choices(row) for name, row in self.profile.picklists.items()}

    def _choices(self, row: PicklistRow) -> tuple[Choice, ...]:
        fixed = [
            Choice(value=v.value, label=v.label, is_active=v.active, is_closed=v.closed, is_theirs=v.theirs)
            for v in row.values
        ]
        if not row.operation:
            return tuple(fixed)
        found = []
        for items in self.caller.pages(row.operation, {}):
            for item in items:
                told = self.records.about(item, None)
                value = text(row.value(told)) if row.value else ""
                if not value:
                    continue
                found.append(
                    Choice(
                        value=value,
                        label=text(row.label(told)) if row.label else value,
                        is_active=row.active is None or row.active(told) is True,
                        is_closed=row.closed is not None and row.closed(told) is True,
                        hint=text(row.hint(told)) if row.hint is not None else "",
                    )
                )
        return (*fixed, *found)

    # -- reading

    def changes_since(self, cursor: str) -> Page:
        """A page of what changed; the cursor contains the progress of the sweep, or the position in an export."""
        now = self.ports.now()
        steps = self.profile.operations["list"]
        paging = steps[-1].paging
        is_export = paging is not None and paging.export
        if not cursor:
            return Page(tickets=(), cursor=Sweep.start(now, is_first=self._compares_lists))
        self.caller.rest_if_told()
        self._me()
        state = Sweep.read(cursor, now)
        since = state.at or (state.since if state.token and is_export else state.since - self._overlap())
        try:
            items, token = self.caller.page(steps, {"since": self._since(since)}, state.token)
        except Refused as error:
            if isinstance(error, Forbidden) or paging is None or not (state.token and paging.style in COUNTED):
                raise
            return self._past_their_limit(state, paging, error)
        if not state.token:
            state = replace(state, total=self.caller.total)
        items = self._whole(steps[-1], items)
        page = self._understood(items, since, is_first=state.is_first)
        newest = max((t.changed_at for t in (*page.tickets, *page.before)), default=None)
        if is_export:
            end = not token or token == state.token
            return replace(page, cursor=state.on(token=token or state.token, newest=newest).text, more=not end)
        if paging is not None and paging.style == "time" and token:
            return replace(page, cursor=self._by_time(state, items, token, since).text, more=True)
        if not token:
            lag = timedelta(seconds=self.profile.since.lag_seconds)
            return replace(page, cursor=state.on(newest=newest).end(lag))
        if state.has_seen(token):
            raise Refused(circular(self.profile.name))
        return replace(page, cursor=state.on(token=token, newest=newest).text, more=True)

    def _past_their_limit(self, state: Sweep, paging: Paging, error: Refused) -> Page:
        """Continue after a list refused its n-th page although it returned those before, and report what is missing.

        If the list is sorted by change, only records of the one instant that fills all pages are missing; otherwise it
        is unknown which ones are.
        """
        count = int(state.token)
        read = count * int(paging.size) if paging.style == "page" else count
        left = 0 if state.total is None else state.total - read
        if paging.style == "time":
            resolution = timedelta(seconds=self.profile.since.resolution_seconds)
            past = max(state.newest, state.at or state.since) + resolution
            missing = _not_listed_at(left, f"{state.newest:%Y-%m-%d %H:%M:%S}")
            cursor = replace(state, at=past, token="", seen=(), total=None).text
        else:
            missing = _not_listed_since(left, f"{state.since:%Y-%m-%d %H:%M}")
            cursor = state.end(timedelta(seconds=self.profile.since.lag_seconds))
        why = sentence(
            "%(missing)s %(system)s returns no more than %(most)s records of a list: %(reason)s Linked tickets are "
            "still read within the hour. Check in %(system)s which other records are missing.",
            missing=missing,
            system=self.profile.name,
            most=f"{read:,}",
            reason=str(error),
        )
        return Page(tickets=(), cursor=cursor, more=paging.style == "time", left_out=why)

    def _by_time(self, state: Sweep, items: list[Any], token: str, asked: datetime) -> Sweep:
        """Continue from the last change of this page: what changes meanwhile moves to the end and shifts nothing.

        A record whose time cannot be read, or is days in the future, does not show where to continue.
        """
        latest = self.ports.now() + SOON
        times = (at for item in reversed(items) for at in readable([item], self.records.changed))
        last = next((at for at in times if at <= latest), None)
        resolution = timedelta(seconds=self.profile.since.resolution_seconds)
        if last is not None and last - resolution > asked:
            return replace(state.on(newest=last), at=last - resolution, token="")
        return state.on(token=token, newest=last)

    @property
    def _compares_lists(self) -> bool:
        """Whether new records can be found only by comparing the whole list with the last one."""
        return not self.dates_changes and "changed_since" in self.profile.lacks

    def _overlap(self) -> timedelta:
        row = self.profile.since
        return timedelta(seconds=row.overlap_seconds + row.resolution_seconds)

    def _heed(self, items: Sequence[Any], tickets: Sequence[RemoteTicket], since: datetime) -> None:
        """Refused if the system ignores our filter, even if it starts to do so later: everything listed is old.

        The times of `tickets` are known; those of `items` are read from the records.
        """
        if "changed_since" in self.profile.lacks or not self.dates_changes or not (tickets or items):
            return
        times = [*(ticket.changed_at for ticket in tickets), *readable(items, self.records.changed)]
        if not times:
            return
        newest = max(times)
        limit = since - IGNORED_FILTER - timedelta(seconds=self.profile.since.resolution_seconds)
        if newest < limit:
            raise Refused(
                sentence(
                    "%(system)s ignores our filter: asked for changes after %(time)s UTC, it returned only older "
                    "records. The page was not used. Check operations.list.query.",
                    system=self.profile.name,
                    time=f"{since:%Y-%m-%d %H:%M}",
                )
            )

    def _understood(self, items: list[Any], since: datetime, *, is_first: bool) -> Page:
        """The tickets of a page, the records that cannot be read, and the keys of deleted tickets."""
        there, gone = self.records.sifted(items)
        tickets, unread = understood(there, lambda item: self.records.ticket(item, item, is_listed=True))
        self._heed(items if unread else gone, tickets, since)
        before: tuple[RemoteTicket, ...] = ()
        if is_first:
            before = tuple(one for one in tickets if one.created_at is None or one.created_at < since)
            tickets = tuple(one for one in tickets if one.created_at is not None and one.created_at >= since)
        elif "changed_since" in self.profile.lacks and self.dates_changes:
            tickets = tuple(one for one in tickets if one.changed_at >= since)
        keys = tuple(text(self.profile.ticket.key(self.records.about(item, None))) for item in gone)
        return Page(tickets=tickets, before=before, unread=unread, gone=keys, cursor="")


def _not_listed_at(count: int, time: str) -> Sentence:
    if count < 1:
        return sentence("Some records that changed at %(time)s UTC were not listed.", time=time)
    return sentences(
        "%(n)d record that changed at %(time)s UTC was not listed.",
        "%(n)d records that changed at %(time)s UTC were not listed.",
        count,
        time=time,
    )


def _not_listed_since(count: int, time: str) -> Sentence:
    if count < 1:
        return sentence("Some records that changed since %(time)s UTC were not listed.", time=time)
    return sentences(
        "%(n)d record that changed since %(time)s UTC was not listed.",
        "%(n)d records that changed since %(time)s UTC were not listed.",
        count,
        time=time,
    )


@lru_cache(maxsize=64)
def _made(document: str) -> type[Rest]:
    return profile_class.made(Rest, document)
