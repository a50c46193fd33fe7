"""Where the values of a ticket's fields come from."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from connectors.queries.agreed_values import RawValue, names_of_systems, raw_values
from console.access import person
from hub.queries import permissions, provenance
from hub.queries.provenance import FieldChange


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One change of a field, with the system that it came through and what vendors' records contain."""

    change: FieldChange
    system: str
    raw: list[RawValue]


@require_safe
@login_required
def field_history(request: HttpRequest, public_id: str) -> HttpResponse:
    """The current value of each field with its source and the vendors' own values, then every change."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    if not permissions.sees_everything(user):
        raise PermissionDenied
    systems, raw = names_of_systems(), raw_values(ticket)

    def row(change: FieldChange) -> ChangeRow:
        own = [each for each in raw if each.field == change.field]
        return ChangeRow(change=change, system=systems.get(change.origin, ""), raw=own)

    found = provenance.changes(ticket)
    shown = {
        "ticket": ticket,
        "current": [row(change) for change in provenance.latest(found) if change.after],
        "changes": [row(change) for change in reversed(found)],
        "page": "tickets",
    }
    return render(request, "console/field_history.html", shown)
