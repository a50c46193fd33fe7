"""The check of a connection: whether our credentials work, and whether the system's lists respect our filters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.kit.contract import Checked, RemoteTicket, understood
from connectors.kit.errors import Missing, Refused, TryLater
from connectors.rest.schema import Filled
from hub.core.sentences import Sentence, sentence
from hub.expressions import Expression, text
from hub.expressions.texts import Text

from .profile import Step
from .reading import LOOK_BACK, Reads

NOBODY = "TH-00000000-00000000000000000000000000"
"""A reference that no ticket has."""
FAR_AHEAD = timedelta(days=365)
IN_THE_FUTURE = timedelta(minutes=10)
"""A smaller difference can be a clock that is not synchronised."""
MOST_OFFSET = 26
"""The largest difference between two time zones in hours (UTC+14 and UTC-12)."""


class ChecksItself(Reads):
    """The part of a profile's connector that checks the connection; the rest is in `connector`."""

    def check(self) -> Checked:
        """Check the credentials, the picklists and the filter of the list; errors name the setting at fault."""
        self.ports.memory.pop("rest_until", None)
        found = self.picklists()
        facts: dict[str, str] = {}
        if self.caller.has("who"):
            facts[sentence("user")] = self.ports.memory.get("me_name") or self.ports.memory["me"]
        for setting in self.settings:
            chosen = self.values.get(setting.name, "")
            if setting.picklist and chosen and chosen not in {c.value for c in found.get(setting.picklist, ())}:
                raise Refused(
                    sentence(
                        "%(system)s has no such value for “%(setting)s”. Choose another.",
                        system=self.profile.name,
                        setting=setting.label,
                    ),
                    field=setting.name,
                )
        if "changed_since" in self.profile.lacks:
            self._ask_for_some()
        else:
            self._ask_the_future()
            self._ask_for_one_we_know(facts)
        if self.caller.has("find"):
            self._ask_for_nobody()
        return Checked(own_user=self.ports.memory.get("me", "") or "known by our marks", facts=facts)

    def _greet(self) -> None:
        """Identify our user again: some systems return lists without credentials, which would hide a wrong key."""
        for name in ("me", "me_name", "discovered"):
            self.ports.memory.pop(name, None)
        try:
            self._me()
        except Missing as error:
            why = sentence("%(system)s does not answer at this address. Check its path.", system=self.profile.name)
            raise Refused(why, field=self.caller.field_of_base()) from error
        except TryLater as error:
            error.field = error.field or self.caller.field_of_base()
            raise

    def _ask_for_nobody(self) -> None:
        """Search for a reference that no record has: if records are found, the search uses the wrong field."""
        field = self._field_of_search()
        if not field:
            return
        steps = self.profile.operations["find"]
        items, _token = self.caller.page(steps, {"reference": NOBODY}, "")
        if any(self.records.ticket(item, item).reference != NOBODY for item in self._whole(steps[-1], items[:1])):
            raise Refused(
                sentence(
                    "%(system)s found records for a reference that no record has. The field for our reference is not "
                    "the right one.",
                    system=self.profile.name,
                ),
                field=field,
            )

    def _field_of_search(self) -> str:
        """The setting with the field of our reference, if the search uses one.

        It is part of a query's name, or a value next to the reference; in the latter case reading the reference back
        uses it as well.
        """
        query = self.profile.operations["find"][-1].query
        for name in query:
            for part in name.text.parts if isinstance(name, Filled) else ():
                if isinstance(part, Expression) and part.steps[:1] == ("settings",):
                    return str(part.steps[1])
        read_back = self.profile.ticket.reference
        named = read_back.parts.get("settings") or () if read_back is not None else ()
        values = [value.parts[0] for value in query.values() if isinstance(value, Text) and len(value.parts) == 1]
        steps = [part.steps for part in values if isinstance(part, Expression)]
        asked = {str(each[1]) for each in steps if each[:1] == ("settings",) and len(each) == 2}
        return next((name for name in sorted(asked) if name in named), "")

    def _ask_the_future(self) -> None:
        """Ask for changes from a year in the future on: a system that lists anything ignores the filter."""
        at = self.ports.now() + FAR_AHEAD
        steps = self.profile.operations["list"]
        export = steps[-1].paging is not None and steps[-1].paging.export
        if export:
            return
        items, _token = self.caller.page(steps, {"since": self._since(at), "cursor": None}, "")
        items = self._whole(steps[-1], items[:1])
        old = [item for item in items if not self.dates_changes or self.records.changed(item) < at - timedelta(days=1)]
        if old:
            raise Refused(
                sentence(
                    "%(system)s ignored our filter: asked for changes after %(date)s, it returned older ones. Check "
                    "operations.list.query: unknown fields are often ignored without an error.",
                    system=self.profile.name,
                    date=f"{at:%Y-%m-%d}",
                )
            )

    def _ask_for_one_we_know(self, facts: dict[str, str]) -> None:
        """Ask for changes from a known change on: if it is not listed, the system reads our times differently."""
        steps, now = self.profile.operations["list"], self.ports.now()
        if not self.dates_changes or (steps[-1].paging is not None and steps[-1].paging.export):
            return
        items, _token = self.caller.page(steps, {"since": self._since(now - LOOK_BACK), "cursor": None}, "")
        seen, _unread = understood(
            self._whole(steps[-1], items[-1:]), lambda item: self.records.ticket(item, item, is_listed=True)
        )
        row = self.profile.since
        self._mind_the_zone(seen, facts)
        if not seen or seen[0].changed_at > now - timedelta(seconds=row.lag_seconds):
            return
        since = seen[0].changed_at - timedelta(seconds=row.resolution_seconds)
        items, token = self.caller.page(steps, {"since": self._since(since), "cursor": None}, "")
        if seen[0].key not in {self._key_in(steps[-1], item) for item in items} and not token:
            raise Refused(
                sentence(
                    "%(system)s does not list %(number)s, which changed at %(time)s UTC, when asked for changes from "
                    "then on: it reads our times in another time zone or format. Check [since]: write, zone and "
                    "resolution_seconds.",
                    system=self.profile.name,
                    number=seen[0].number,
                    time=f"{seen[0].changed_at:%Y-%m-%d %H:%M:%S}",
                )
            )

    def _mind_the_zone(self, seen: Sequence[RemoteTicket], facts: dict[str, str]) -> None:
        """Refused for a change after the time of the response: we read the system's times in the wrong time zone.

        A last change hours earlier may mean a quiet day or a wrong time zone. A person can tell, so it becomes a fact.
        """
        try:
            answered = parsedate_to_datetime(self.caller.date)
        except (ValueError, TypeError):
            return
        newest = max(seen, key=lambda ticket: ticket.changed_at, default=None)
        if newest is None:
            return
        ahead = newest.changed_at - answered
        if ahead < IN_THE_FUTURE:
            facts[sentence("last change")] = self._last_change(newest, -ahead)
            return
        raise Refused(
            sentence(
                "%(system)s reports a change %(minutes)s minutes after its own clock (%(clock)s UTC): its times are in "
                "another time zone than the one set here.",
                system=self.profile.name,
                minutes=ahead // timedelta(minutes=1),
                clock=f"{answered:%H:%M}",
            ),
            field=self._field_of_zone(),
        )

    def _last_change(self, newest: RemoteTicket, ago: timedelta) -> Sentence:
        """How long ago the newest change was, with a hint if the time zone may be wrong."""
        hours, minutes = divmod(max(ago, timedelta(0)) // timedelta(minutes=1), 60)
        when = sentence(
            "%(number)s, %(hours)s h %(minutes)s min ago (vendor's clock)",
            number=newest.number,
            hours=hours,
            minutes=minutes,
        )
        if not hours or hours > MOST_OFFSET:
            return when
        named = next((one.label for one in self.settings if one.name == self._field_of_zone()), "")
        if not named:
            return sentence(
                "%(when)s – if it was changed just now, the time zone is wrong: check [times] in the profile", when=when
            )
        return sentence(
            "%(when)s – if it was changed just now, the time zone is wrong: check the setting “%(setting)s”",
            when=when,
            setting=named,
        )

    def _field_of_zone(self) -> str:
        """The setting with the time zone of times that have none."""
        zone = self.profile.times.zone
        named = [part for part in (zone.parts if zone is not None else ()) if isinstance(part, Expression)]
        return next((str(part.steps[1]) for part in named if part.steps[:1] == ("settings",)), "")

    def _key_in(self, step: Step, item: Any) -> str:
        """The ID of a listed record, even if the list contains nothing else."""
        told = self.records.about(item, None)
        return text(step.again(told)) if step.again is not None else text(self.profile.ticket.key(told))

    def _ask_for_some(self) -> None:
        """Read the whole list, if it cannot be filtered by change; without `who` it is the first request."""
        steps = self.profile.operations["list"]
        items, _token = self.caller.page(steps, {"since": "", "cursor": None}, "")
        tickets, unread = understood(
            self._whole(steps[-1], items[:5]), lambda item: self.records.ticket(item, item, is_listed=True)
        )
        if unread and not tickets:
            raise Refused(
                sentence(
                    "None of the first %(count)s records can be read: %(reason)s",
                    count=len(unread),
                    reason=unread[0].why,
                )
            )
