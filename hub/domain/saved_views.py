"""Saving, changing and pinning views of the ticket list."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from hub.models import SavedView, User, ViewPreference
from hub.queries import permissions
from hub.queries import saved_views as questions
from hub.translation import Refusal

MOST = 200
"""The most views one person may save."""


class Refused(Refusal):
    """The view cannot be saved so; the message says why."""


def save_view(*, user: User, name: str, query: str, audience: str, at: datetime) -> SavedView:
    """Save a new view, which the navigation of this person shows from now on. Raises Refused."""
    name = _checked(user, name, audience)
    if SavedView.objects.filter(owner=user).count() >= MOST:
        raise Refused(_("You have %(most)s views. Delete some first.") % {"most": MOST})
    try:
        with transaction.atomic():
            view = SavedView.objects.create(owner=user, name=name, query=query, audience=audience)
            ViewPreference.objects.create(view=view, user=user, pinned_at=at)
    except IntegrityError as error:
        raise Refused(_("You have a view named “%(name)s” already.") % {"name": name}) from error
    return view


def change_view(*, user: User, view: SavedView, name: str, query: str, audience: str) -> SavedView:
    """Change one's own view. Raises Refused, and NotAllowed for somebody else's."""
    if view.owner_id != user.pk:
        raise permissions.NotAllowed
    view.name, view.query, view.audience = _checked(user, name, audience), query, audience
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "query", "audience"])
    except IntegrityError as error:
        raise Refused(_("You have a view named “%(name)s” already.") % {"name": name}) from error
    return view


def _checked(user: User, name: str, audience: str) -> str:
    """The name as it is stored."""
    name = " ".join(name.replace("\x00", "").split())[:80]
    if not name:
        raise Refused(_("Give the view a name."))
    if audience not in SavedView.Audience.values:
        raise Refused(_("Choose who sees the view."))
    if audience != SavedView.Audience.PERSONAL and not permissions.sees_everything(user):
        raise Refused(_("Only members of our organisation can share a view."))
    if audience == SavedView.Audience.TEAMS and not user.teams.exists():
        raise Refused(_("You belong to no team. Ask an admin to add you to one."))
    return name


def delete_view(*, user: User, view: SavedView) -> None:
    """Delete one's own view, for everyone. Raises NotAllowed for somebody else's, except to superusers."""
    if view.owner_id != user.pk and not user.is_superuser:
        raise permissions.NotAllowed
    view.delete()


def pin(*, user: User, view: SavedView, at: datetime) -> None:
    """Show the view in this person's navigation. Raises Refused if there is no room."""
    if questions.pinned(user).count() >= questions.MOST_PINNED:
        raise Refused(_("The navigation has room for %(most)s views.") % {"most": questions.MOST_PINNED})
    ViewPreference.objects.update_or_create(view=view, user=user, defaults={"pinned_at": at})


def unpin(*, user: User, view: SavedView) -> None:
    """Take the view out of this person's navigation."""
    ViewPreference.objects.filter(view=view, user=user).update(pinned_at=None)


def prefer(*, user: User, view: SavedView, sort: str, columns: str) -> None:
    """Remember the order and the columns that this person chose for the view; nobody else's list changes."""
    ViewPreference.objects.update_or_create(
        view=view, user=user, defaults={"sort": sort[:30], "columns": columns[:300]}
    )
