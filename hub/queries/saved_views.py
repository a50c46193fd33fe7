"""The saved views that a person may open, and how many tickets each shows."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.http import QueryDict

from hub.models import SavedView, User, ViewPreference
from hub.queries import permissions, sorting
from hub.queries import tickets as tickets_queries
from hub.queries.filter_fields import FIELDS, Reader
from hub.queries.filters import Filters, parsed

MOST_PINNED = 20
MOST_COUNTED = sorting.MOST_COUNTED
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
    """None for a search, whose results are not counted."""

    @property
    def is_capped(self) -> bool:
        return self.count is not None and self.count > MOST_COUNTED


def counts(user: User, reader: Reader) -> list[Pinned]:
    """The pinned views with their numbers, which may be half a minute old."""
    return [Pinned(view=view, count=_count(view, user, reader)) for view in pinned(user)[:MOST_PINNED]]


def _count(view: SavedView, user: User, reader: Reader) -> int | None:
    if QueryDict(view.query).get("q"):
        return None
    key = f"saved_view.{user.pk}.{view.pk}.{crc32(view.query.encode())}"
    known = cache.get(key)
    if known is None:
        found = tickets_queries.narrowed(permissions.visible_tickets(user), filters_of_view(view), reader)
        known = sorting.counted(found, most=MOST_COUNTED)
        cache.set(key, known, KEPT_SECONDS)
    return int(known)
