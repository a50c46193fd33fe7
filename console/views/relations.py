"""Relating a ticket to another one, and taking a relation back."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from console.access import person, workers_only
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.domain.tickets import NotEditable
from hub.models import Relation, Ticket
from hub.queries import permissions
from hub.queries.tickets import our_number
from hub.translation import localized
from workflows.incidents import relations

BACKWARDS = "-"
"""Begins a kind that is seen from the other ticket: a child is a parent backwards."""


@require_POST
@workers_only
def relate(request: HttpRequest, public_id: str) -> HttpResponse:
    """Relate the ticket to the one whose number was entered, or take back one of its relations."""
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    actor, at = Actor.person(user), now()
    try:
        if row := request.POST.get("remove", ""):
            relation = _relation(ticket, row)
            if relation is not None:  # it may be gone already, as after a double click
                relations.remove(relation=relation, actor=actor, at=at)
            return redirect(ticket)
        text, kind = request.POST.get("other", "").replace("\x00", ""), request.POST.get("kind", "")
        number = our_number(text)
        rows = permissions.visible_tickets(user).filter(imported_from=None)
        other = rows.filter(number=number).first() if number is not None else None
        if other is None:
            messages.error(request, _("There is no ticket with the number %(number)s.") % {"number": text[:40]})
            return redirect(ticket)
        first, second = (other, ticket) if kind.startswith(BACKWARDS) else (ticket, other)
        relations.add(ticket=first, kind=kind.removeprefix(BACKWARDS), other=second, actor=actor, at=at)
    except NotEditable as refused:
        messages.error(request, localized(str(refused)))
    return redirect(ticket)


def _relation(ticket: Ticket, row: str) -> Relation | None:
    of_it = Relation.objects.filter(Q(from_ticket=ticket) | Q(to_ticket=ticket))
    return of_it.filter(pk=row).first() if row.isascii() and row.isdecimal() and len(row) < 18 else None
