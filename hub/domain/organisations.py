"""Organisations by their public ids, as used in events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from hub.core import statements
from hub.models import Organisation


def organisations_of(public_ids: Iterable[str]) -> dict[str, Organisation]:
    """The organisations with these public ids; unknown ids are left out."""
    wanted = sorted(set(public_ids))
    if statements.is_few(wanted):
        return {each.public_id: each for each in _few(wanted)}
    return dict(Organisation.objects.in_bulk(wanted, field_name="public_id"))


@statements.select
def _few(public_ids: Sequence[str]) -> QuerySet[Organisation]:
    return Organisation.objects.filter(public_id__in=public_ids).order_by()


class Organisations:
    """The organisations that one piece of work needs, each read once."""

    def __init__(self) -> None:
        self.known: dict[str, Organisation] = {}

    def of(self, public_ids: Iterable[str]) -> dict[str, Organisation]:
        """Like `organisations_of`; only those that were not needed before are read."""
        wanted = set(public_ids)
        if missing := wanted - set(self.known):
            self.known |= organisations_of(missing)
        return {name: self.known[name] for name in wanted if name in self.known}

    def by_pk(self, pk: int) -> Organisation | None:
        """One of those that were read already."""
        return next((each for each in self.known.values() if each.pk == pk), None)
