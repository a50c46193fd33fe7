"""The values of a ticket's fields in the vendors' systems, as the vendors write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.models import Connection, Link
from hub.models import Ticket


@dataclass(frozen=True, kw_only=True)
class RawValue:
    """The value of one field in one vendor's record."""

    field: str
    organisation: str
    number: str
    value: str
    changed_at: datetime | None
    """When the vendor last changed the record, as far as it has been read; None if it has not been read."""


def raw_values(ticket: Ticket) -> list[RawValue]:
    """What the vendors' records contained when they were last read, per field and record. One query."""
    links = Link.objects.filter(leg__ticket=ticket).select_related("leg__organisation").order_by("leg__number")
    return [
        RawValue(
            field=field,
            organisation=link.leg.organisation.name,
            number=link.leg.remote_number or link.remote_key,
            value=str(value),
            changed_at=link.heard_at,
        )
        for link in links
        for field, value in link.heard.items()
        if value not in ("", None)
    ]


def names_of_systems() -> dict[str, str]:
    """The names of all connections by their public id."""
    return dict(Connection.objects.values_list("public_id", "name"))
