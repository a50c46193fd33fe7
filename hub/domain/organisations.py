"""Organisations by their public ids, as used in events."""

from __future__ import annotations

from collections.abc import Iterable

from hub.models import Organisation


def organisations_of(public_ids: Iterable[str]) -> dict[str, Organisation]:
    """The organisations with these public ids; unknown ids are left out."""
    found = Organisation.objects.in_bulk(list(set(public_ids)), field_name="public_id")
    return dict(found)
