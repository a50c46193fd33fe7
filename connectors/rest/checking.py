"""What is asked before a system is relied on: are we let in, and do its lists keep to what they are asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.kit.contract import Checked, RemoteTicket, understood
from connectors.kit.errors import Missing, Refused, TryLater
from connectors.rest.schema import Filled
from hub.expressions import Expression, text
from hub.expressions.texts import Text

from .profile import Step
from .reading import LOOK_BACK, Reads

NOBODY = "TH-00000000-00000000000000000000000000"
"""Our reference of no ticket."""
FAR_AHEAD = timedelta(days=365)
IN_THE_FUTURE = timedelta(minutes=10)
"""Less is a clock that is not set by NTP."""
MOST_OFFSET = 26
"""Two zones are at most so many hours apart (UTC+14 and UTC-12)."""


class ChecksItself(Reads):
    """The part of a connector by profile that checks; the rest is in `connector`."""

    def check(self) -> Checked:
        """Are we let in, do all picklists answer, and does their list keep to our filter?"""
        self.ports.memory.pop("rest_until", None)
        found = self.picklists()
        facts: dict[str, str] = {}
        if self.caller.has("who"):
            facts["user"] = self.ports.memory.get("me_name") or self.ports.memory["me"]
        for setting in self.settings:
            chosen = self.values.get(setting.name, "")
            if setting.picklist and chosen and chosen not in {c.value for c in found.get(setting.picklist, ())}:
                raise Refused(f"There is no such {setting.picklist} there.", field=setting.name)
        if "changed_since" in self.profile.lacks:
            self._ask_for_some()
        else:
            self._ask_the_future()
            self._ask_for_one_we_know(facts)
        if self.caller.has("find"):
            self._ask_for_nobody()
        return Checked(own_user=self.ports.memory.get("me", "") or "known by our marks", facts=facts)

    def _greet(self) -> None:
        """Ask who we are first, and anew: some systems answer lists to strangers, so a wrong key would not be seen."""
        for name in ("me", "me_name", "discovered"):
            self.ports.memory.pop(name, None)
        try:
            self._me()
        except Missing as error:
            why = f"Nothing of {self.profile.name}'s answers at this address; look at its path."
            raise Refused(why, field=self.caller.field_of_base()) from error
        except TryLater as error:
            error.field = error.field or self.caller.field_of_base()
            raise

    def _ask_for_nobody(self) -> None:
        """No record has the reference of none: a search by a field that finds some does not look at that field."""
        field = self._field_of_search()
        if not field:
            return
        steps = self.profile.operations["find"]
        items, _token = self.caller.page(steps, {"reference": NOBODY}, "")
        if any(self.records.ticket(item, item).reference != NOBODY for item in self._whole(steps[-1], items[:1])):
            raise Refused(
                f"{self.profile.name} was asked for a reference that no record has, and told of some all the same: "
                "the field for our reference is not the right one.",
                field=field,
            )

    def _field_of_search(self) -> str:
        """The setting that says which field our reference stands in, where the search names one.

        It is part of a query's name, or a value beside the reference: then it is the one that reading it back names.
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
        """Nothing can have changed a year from now: who lists something all the same ignores the filter."""
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
                f"{self.profile.name} ignored our filter and listed everything: asked for changes after "
                f"{at:%Y-%m-%d}, it told of {len(old)} older ones. Look at operations.list.query: a field they do "
                "not know is often ignored in silence."
            )

    def _ask_for_one_we_know(self, facts: dict[str, str]) -> None:
        """Asked from its own time of change on, a record has to be listed: else they read our times in another zone."""
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
                f"{self.profile.name} does not list {seen[0].number}, which changed at "
                f"{seen[0].changed_at:%Y-%m-%d %H:%M:%S} UTC, when asked for changes from then on: it reads the times "
                "we send in another zone or form. Look at [since]: write, zone and resolution_seconds."
            )

    def _mind_the_zone(self, seen: Sequence[RemoteTicket], facts: dict[str, str]) -> None:
        """Nothing changed after they answered: who tells of it writes times in another zone than we read them in.

        A last change hours before their clock may be a quiet day or a wrong zone: a person can tell, so it is a fact.
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
            facts["last change"] = self._in_words(newest, -ahead)
            return
        raise Refused(
            f"{self.profile.name} tells of a change {ahead // timedelta(minutes=1)} minutes after its own clock "
            f"({answered:%H:%M} UTC): its times are in another zone than the one set here.",
            field=self._field_of_zone(),
        )

    def _in_words(self, newest: RemoteTicket, ago: timedelta) -> str:
        hours, minutes = divmod(max(ago, timedelta(0)) // timedelta(minutes=1), 60)
        said = f"{newest.number}, {hours} h {minutes} min before their clock"
        if not hours or hours > MOST_OFFSET:
            return said
        named = next((one.label for one in self.settings if one.name == self._field_of_zone()), "")
        where = f"the setting “{named}”" if named else "[times] of the profile"
        return f"{said} – if somebody changed it just now, the time zone is wrong: look at {where}"

    def _field_of_zone(self) -> str:
        """The setting that says in which zone times without one are read."""
        zone = self.profile.times.zone
        named = [part for part in (zone.parts if zone is not None else ()) if isinstance(part, Expression)]
        return next((str(part.steps[1]) for part in named if part.steps[:1] == ("settings",)), "")

    def _key_in(self, step: Step, item: Any) -> str:
        """The id of a listed record, also where the list tells nothing else."""
        told = self.records.about(item, None)
        return text(step.again(told)) if step.again is not None else text(self.profile.ticket.key(told))

    def _ask_for_some(self) -> None:
        """The list as it is, where it cannot be asked for changes: without `who` it is the first call there is."""
        steps = self.profile.operations["list"]
        items, _token = self.caller.page(steps, {"since": "", "cursor": None}, "")
        tickets, unread = understood(
            self._whole(steps[-1], items[:5]), lambda item: self.records.ticket(item, item, is_listed=True)
        )
        if unread and not tickets:
            raise Refused(f"None of the first {len(unread)} records can be understood: {unread[0].why}")
