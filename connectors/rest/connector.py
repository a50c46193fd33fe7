"""Any REST system, by a profile: no code of its own for any of them."""

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
from hub.expressions import text

from . import editing, making
from .profile import Paging, PicklistRow, Profile
from .writing import Writes

Json = dict[str, Any]
IGNORED_FILTER = timedelta(days=2)
"""So much older than asked for a record may be before we say that they ignored our filter."""


SOON = timedelta(days=2)
"""A clock of theirs that is further ahead says nothing of when a record changed."""


COUNTED = ("page", "offset", "time")
"""Lists whose pages are counted, so that one can be refused for its number alone."""


class Rest(Writes):
    """A REST system; `of_profile` makes the connector of one profile."""

    slug: ClassVar[str] = "rest"
    label: ClassVar[str] = "REST system by profile"
    profile: ClassVar[Profile]

    @classmethod
    def ways_in(cls, document: str) -> str:
        return making.ways_in(document)

    @classmethod
    def of_profile(cls, document: str) -> type[Rest]:
        """The connector of a profile's text; ValueError names every mistake in it."""
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
        """A page of what changed; the cursor says how far the sweep is, and with exports where they said to go on."""
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
            raise Refused(f"The pages of {self.profile.name} go in a circle.")
        return replace(page, cursor=state.on(token=token, newest=newest).text, more=True)

    def _past_their_limit(self, state: Sweep, paging: Paging, error: Refused) -> Page:
        """A list that refuses its n-th page although it showed those before: on, and what it left out is told.

        Sorted by change, only records of the one instant are missing that fills all they show; else nobody knows which.
        """
        count = int(state.token)
        read = count * int(paging.size) if paging.style == "page" else count
        left = 0 if state.total is None else state.total - read
        several = f"{left} records" if left > 0 else "Some records"
        missing, were = ("1 record", "was") if left == 1 else (several, "were")
        told = f"{self.profile.name} shows no more than {read:,} records of a list. {error}"
        if paging.style == "time":
            resolution = timedelta(seconds=self.profile.since.resolution_seconds)
            past = max(state.newest, state.at or state.since) + resolution
            why = f"{missing} that changed at {state.newest:%Y-%m-%d %H:%M:%S} UTC {were} not listed"
            cursor = replace(state, at=past, token="", seen=(), total=None).text
        else:
            why = f"{missing} that changed since {state.since:%Y-%m-%d %H:%M} UTC {were} not listed"
            cursor = state.end(timedelta(seconds=self.profile.since.lag_seconds))
        advice = "Linked tickets are read within the hour all the same; of others, look there which are missing."
        return Page(tickets=(), cursor=cursor, more=paging.style == "time", left_out=f"{why}: {told} {advice}")

    def _by_time(self, state: Sweep, items: list[Any], token: str, asked: datetime) -> Sweep:
        """On from the last change of this page: what changes meanwhile moves to the end, and shifts nothing.

        A record whose time cannot be read, or lies in the days to come, does not say where to go on.
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
        """Whether what is new can only be told by comparing the whole list with what it was."""
        return not self.dates_changes and "changed_since" in self.profile.lacks

    def _overlap(self) -> timedelta:
        row = self.profile.since
        return timedelta(seconds=row.overlap_seconds + row.resolution_seconds)

    def _heed(self, items: Sequence[Any], tickets: Sequence[RemoteTicket], since: datetime) -> None:
        """The trap of an ignored filter, also when it snaps shut later: everything listed is old.

        Of what was understood the time is known; `items` are the records to be asked themselves.
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
                f"{self.profile.name} ignores our filter: asked for changes after {since:%Y-%m-%d %H:%M} UTC, it lists "
                "records that are all older. Nothing of this page is used; look at operations.list.query."
            )

    def _understood(self, items: list[Any], since: datetime, *, is_first: bool) -> Page:
        """The tickets of a page, what of it makes no sense, and the keys of what is gone."""
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


@lru_cache(maxsize=64)
def _made(document: str) -> type[Rest]:
    return making.made(Rest, document)
