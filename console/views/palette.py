"""The palette: pages, views, tickets, organisations, services and people by what is typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access import person
from hub.core.planned import planned
from hub.models import Organisation, Person, Service, Ticket, User
from hub.queries import permissions, saved_views
from hub.queries.filters import Filters
from hub.search import finding

MOST = 8
"""The most entries of one kind."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that can be opened."""

    label: str
    url: str
    kind: Promise | str


@require_safe
@login_required
@planned()
def palette(request: HttpRequest) -> HttpResponse:
    """What matches the text, as far as this person may open it; without a text, pages and views."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    user = person(request)
    entries = [*_named(_pages(user), text), *_named(_views(user), text)]
    if text:
        entries = [*_tickets(user, text), *entries, *_organisations(user, text)]
        if permissions.sees_everything(user):
            entries += [*_services(text), *_people(text)]
    return render(request, "console/_palette.html", {"entries": entries, "text": text})


def _named(entries: Iterator[Entry], text: str) -> list[Entry]:
    return [entry for entry in entries if text.casefold() in entry.label.casefold()][:MOST]


def _pages(user: User) -> Iterator[Entry]:
    pages = [
        (_("Board"), "board", True),
        (_("My work"), "my_work", permissions.may_work(user)),
        (_("Tickets"), "tickets", True),
        (_("New ticket"), "open", permissions.may_work(user)),
        (_("Vendors"), "vendors", permissions.sees_everything(user)),
        (_("Synchronisation"), "sync", permissions.may_work(user)),
        (_("Notices"), "notices", True),
        (_("Your account"), "account", True),
    ]
    for label, name, is_allowed in pages:
        if is_allowed:
            yield Entry(label=str(label), url=reverse(f"console:{name}"), kind=_("page"))


def _views(user: User) -> Iterator[Entry]:
    for view in saved_views.visible_views(user):
        yield Entry(label=view.name, url=reverse("console:view", args=[view.public_id]), kind=_("view"))


def _tickets(user: User, text: str) -> list[Entry]:
    hits = finding.find(user, text, most=MOST).hits[:MOST]
    found = Ticket.objects.in_bulk([hit.ticket_id for hit in hits])
    tickets = [found[hit.ticket_id] for hit in hits if hit.ticket_id in found]
    return [Entry(label=str(ticket), url=ticket.get_absolute_url(), kind=_("ticket")) for ticket in tickets]


def _services(text: str) -> Iterator[Entry]:
    """Services with their open tickets."""
    for each in Service.objects.filter(name__icontains=text).order_by("name", "pk")[:MOST]:
        yield Entry(label=each.name, url=_list_of(service=each.public_id), kind=_("tickets of the service"))


def _people(text: str) -> Iterator[Entry]:
    """People with the open tickets they requested, by name or e-mail address."""
    rows = Person.objects.filter(Q(name__icontains=text) | Q(email__icontains=text))
    for each in rows.order_by("name", "pk")[:MOST]:
        yield Entry(label=each.name, url=_list_of(requester=each.public_id), kind=_("tickets requested"))


def _list_of(**values: str) -> str:
    return f"{reverse('console:tickets')}?{Filters().where(**values).query}"


def _organisations(user: User, text: str) -> list[Entry]:
    """Organisations with the tickets they hold."""
    rows = Organisation.objects.exclude(kind=Organisation.Kind.CUSTOMER).filter(name__icontains=text)
    known = permissions.known_organisations(user)
    rows = rows if known is None else rows.filter(pk__in=known)
    return [
        Entry(label=each.name, url=_list_of(holder=each.public_id), kind=_("tickets held"))
        for each in rows.order_by("name")[:MOST]
    ]
