"""Rows that are chosen by typing: people, users, teams, services, assets and sites.

A form shows one text field instead of a list of all rows. Each row has a label that starts with its name; the label is
what a person chooses and what the form sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from hub.models import Asset, Person, Service, Site, Team, User
from hub.queries import roles

MOST = 20
"""How many rows are suggested at a time."""
LONGEST = 600
"""No label is longer than this."""
SEPARATOR = " · "


class NotChosen(Exception):
    """The text names no row, or several; the message tells a person which."""


@dataclass(frozen=True, kw_only=True)
class Picker:
    """One kind of row, with what is searched and how a row is shown."""

    rows: Callable[[], QuerySet[Any]]
    label: Callable[[Any], str]
    name: str
    """The field that the label starts with."""
    searched: tuple[str, ...]

    def suggestions(self, text: str) -> list[str]:
        """Labels of the rows in which every word of the text occurs, those whose name begins with the text first."""
        found = self._matching(text)
        begins = list(found.filter(**{f"{self.name}__istartswith": text.strip()}).order_by(self.name, "pk")[:MOST])
        if len(begins) < MOST:
            known = [row.pk for row in begins]
            begins += found.exclude(pk__in=known).order_by(self.name, "pk")[: MOST - len(begins)]
        return [self.label(row) for row in begins]

    def chosen(self, text: str) -> Any:
        """The row with this label or public id, or the only one that begins with the text; NotChosen otherwise."""
        text = text.strip()
        parts = text.split(SEPARATOR)
        names = [SEPARATOR.join(parts[:count]) for count in range(1, len(parts) + 1)]
        likely = self.rows().filter(Q(public_id=text) | Q(**{f"{self.name}__in": names})).order_by("pk")[: MOST * 5]
        exact = [row for row in likely if text in (self.label(row), row.public_id)]
        if len(exact) == 1:
            return exact[0]
        found = exact or list(self._matching(text).order_by(self.name, "pk")[: MOST + 1])
        if len(found) == 1 and (exact or self._begins(found[0], text)):
            return found[0]
        if not found:
            raise NotChosen(_("Nothing matches “%(text)s”.") % {"text": text[:80]})
        some = "; ".join(self.label(row) for row in found[:3])
        if len(found) == 1:
            raise NotChosen(_("Did you mean %(some)s? Choose the entry from the list.") % {"some": some})
        raise NotChosen(
            _("Several entries match “%(text)s”: %(some)s. Choose one.") % {"text": text[:80], "some": some}
        )

    def _begins(self, row: Any, text: str) -> bool:
        """Whether one of the texts that are searched begins with what was entered: *Ann* is not *Hannah*."""
        values = [str(getattr(row, field, "") or "") for field in self.searched if "__" not in field]
        return any(value.casefold().startswith(text.casefold()) for value in values)

    def _matching(self, text: str) -> QuerySet[Any]:
        rows = self.rows()
        for word in text.replace(SEPARATOR, " ").split()[:8]:
            anywhere = Q()
            for field in self.searched:
                anywhere |= Q(**{f"{field}__icontains": word})
            rows = rows.filter(anywhere)
        return rows


def _joined(*parts: object) -> str:
    return SEPARATOR.join(str(part) for part in parts if part)


def _workers() -> QuerySet[User]:
    """Everybody who works on tickets for our organisation."""
    ours = User.objects.filter(
        is_active=True, memberships__organisation__is_us=True, memberships__role__in=roles.WORKING
    )
    return ours.distinct()


PICKERS: dict[str, Picker] = {
    "person": Picker(
        rows=lambda: Person.objects.select_related("organisation"),
        label=lambda row: _joined(row.name, row.organisation, row.email),
        name="name",
        searched=("name", "email", "organisation__name"),
    ),
    "user": Picker(
        rows=_workers,
        label=lambda row: _joined(row.name or row.email, row.email),
        name="name",
        searched=("name", "email"),
    ),
    "team": Picker(
        rows=lambda: Team.objects.filter(organisation__is_us=True),
        label=lambda row: str(row.name),
        name="name",
        searched=("name",),
    ),
    "service": Picker(rows=Service.objects.all, label=lambda row: str(row.name), name="name", searched=("name",)),
    "asset": Picker(
        rows=lambda: Asset.objects.select_related("owner"),
        label=lambda row: _joined(row.tag, row.name, row.owner),
        name="tag",
        searched=("tag", "name", "owner__name"),
    ),
    "site": Picker(
        rows=lambda: Site.objects.select_related("organisation"),
        label=lambda row: _joined(row.name, row.organisation),
        name="name",
        searched=("name", "organisation__name"),
    ),
}
