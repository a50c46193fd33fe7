"""The ticket list with search and filters."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access import person
from console.rows.tickets import ticket_rows
from console.views.board import live_cursor
from hub.core.clock import now
from hub.models import Organisation, Priority
from hub.queries import permissions
from hub.queries import tickets as questions

PAGE = 50
SHOWS = [
    ("open", _("Open")),
    ("breached", _("Breached")),
    ("unassigned", _("To assign")),
    ("to_verify", _("To verify")),
    ("waiting", _("Waiting")),
    ("ended", _("Ended")),
    ("all", _("All")),
    ("history", _("Imported")),
    ("any", _("All and imported")),
]


@require_safe
@login_required
def ticket_list(request: HttpRequest) -> HttpResponse:
    """A page of the tickets that the user may see, most recently changed first."""
    filters, user, at = _filters(request.GET), person(request), now()
    known = permissions.known_organisations(user)
    holders = _holders(known)
    found = questions.listed(permissions.visible_tickets(user), filters, at=at, of=known)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    shown = {
        "tickets": page,
        "rows": ticket_rows(page, user=user, known=known, at=at),
        "filters": filters,
        "party": holders.filter(public_id=filters.party).first() if filters.party else None,
        "without_party": _without(request.GET, "page", "party"),
        "shows": SHOWS,
        "holders": holders,
        "priorities": Priority.values,
        "kept": _without(request.GET, "page"),
        "page": "tickets",
        "cursor": live_cursor(user),
    }
    return render(request, "console/tickets.html", shown)


def _filters(asked: QueryDict) -> questions.Filters:
    text = asked.get("q", "").replace("\x00", "").strip()[:100]
    return questions.Filters(
        # A search without a filter includes ended and imported tickets.
        show=asked.get("show", "any" if text else "open"),
        text=text,
        holder=asked.get("holder", ""),
        priority=asked.get("priority", ""),
        party=asked.get("party", ""),
    )


def _holders(known: Collection[int] | None) -> QuerySet[Organisation]:
    found = Organisation.objects.exclude(kind=Organisation.Kind.CUSTOMER).order_by("name")
    return found if known is None else found.filter(pk__in=known)


def _without(asked: QueryDict, *names: str) -> str:
    """The query string without these parameters."""
    kept = asked.copy()
    for name in names:
        kept.pop(name, None)
    return kept.urlencode()
