"""Organisations by their public ids, as used in events."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from hub.core import statements
from hub.models import Organisation


def organisations_of(public_ids: Iterable[str]) -> dict[str, Organisation]:
    """The organisations with these public ids; unknown ids are left out."""
    wanted = sorted(set(public_ids))
    if 0 < len(wanted) <= _FEW:
        return {each.public_id: each for each in _few(*statements.padded(wanted, _FEW))}
    return dict(Organisation.objects.in_bulk(wanted, field_name="public_id"))


_FEW = 4


@statements.select
def _few(one: str, two: str, three: str, four: str) -> QuerySet[Organisation]:
    return Organisation.objects.filter(public_id__in=[one, two, three, four]).order_by()


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
