"""What changed on our side since both sides of a link last agreed."""

from __future__ import annotations

from connectors.engine import mapping
from connectors.models import Link
from hub.models import Leg, Ticket


def changed_here(
    link: Link, mapped: mapping.Mapped, ticket: Ticket, leg: Leg, *, is_insert: bool = False
) -> dict[str, str]:
    """Our value of every field that is sent to the vendor and differs from the agreed one, or was never agreed."""
    return {
        field: ours
        for field in mapped.fields
        if mapped.goes_out(field, is_insert=is_insert)
        and (ours := mapping.ours(ticket, leg, field)) != link.agreed.get(field, {}).get("ours")
    }
