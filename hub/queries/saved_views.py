"""The saved views that a person may open, and how many tickets each shows."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.http import QueryDict

from hub.core.planned import TooSlow, planned
from hub.models import SavedView, User, ViewPreference
from hub.queries import permissions, sorting
from hub.queries import tickets as tickets_queries
from hub.queries.filter_fields import FIELDS, Reader
from hub.queries.filters import Filters, parsed

MOST_PINNED = 20
MOST_COUNTED = sorting.MOST_COUNTED
PATIENCE, UNKNOWN = 2.0, -1
"""Seconds for counting the tickets of one view, and what is kept where that is not enough."""
KEPT_SECONDS = 30
"""For how long the number of tickets of a view is kept for a reader."""


def visible_views(user: User) -> QuerySet[SavedView]:
    """One's own views and, for members of our organisation, those shared with everyone or with a team of theirs."""
    mine = Q(owner=user)
    if permissions.sees_everything(user):
        mine |= Q(audience=SavedView.Audience.EVERYONE)
        colleagues = User.objects.filter(teams__in=user.teams.all())
        mine |= Q(audience=SavedView.Audience.TEAMS, owner__in=colleagues)
    return SavedView.objects.filter(mine).select_related("owner").order_by("name", "pk")


def pinned(user: User) -> QuerySet[SavedView]:
    """The views in this person's navigation, those pinned first at the front."""
    mine = ViewPreference.objects.filter(user=user, pinned_at__isnull=False)
    views = visible_views(user).filter(pk__in=mine.values("view"))
    return views.order_by("preferences__pinned_at", "pk").filter(preferences__user=user)


def filters_of_view(view: SavedView) -> Filters:
    """The filters of a saved view; those of fields that no longer exist are left out."""
    asked = {name: ",".join(values) for name, values in QueryDict(view.query).lists()}
    return parsed(asked, fields=list(FIELDS), show="open")


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A view in the navigation, with the number of its tickets."""

    view: SavedView
    count: int | None
    """None for a search, whose results are not counted, and where counting takes too long."""

    @property
    def is_capped(self) -> bool:
        return self.count is not None and self.count > MOST_COUNTED


def counts(user: User, reader: Reader) -> list[Pinned]:
    """The pinned views with their numbers, which may be half a minute old."""
    views = list(pinned(user)[:MOST_PINNED])
    keys = {view.pk: f"saved_view.{user.pk}.{view.pk}.{crc32(view.query.encode())}" for view in views}
    known: dict[str, int] = cache.get_many(keys.values())
    new = [view for view in views if keys[view.pk] not in known and not QueryDict(view.query).get("q")]
    counting = ""
    try:
        with planned(seconds=PATIENCE):
            for view in new:
                counting = keys[view.pk]
                found = tickets_queries.narrowed(permissions.visible_tickets(user), filters_of_view(view), reader)
                known[counting] = sorting.counted(found, most=MOST_COUNTED)
    except TooSlow:
        known[counting] = UNKNOWN  # the next request goes on behind it
    cache.set_many({keys[view.pk]: known[keys[view.pk]] for view in new if keys[view.pk] in known}, KEPT_SECONDS)
    numbers = {pk: known.get(key, UNKNOWN) for pk, key in keys.items()}
    return [Pinned(view=view, count=None if numbers[view.pk] == UNKNOWN else numbers[view.pk]) for view in views]
