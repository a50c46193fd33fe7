"""Related tickets: major incidents, child tickets, messages to all of them, and merging."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from console.access import person, workers_only
from hub.core.clock import now
from hub.domain import messages as conversation
from hub.domain import tickets as record
from hub.domain.actors import Actor
from hub.models import Ticket
from hub.queries import permissions
from hub.translation import localized
from workflows.incidents import major_incidents, merging

MOST_CHILDREN = 200


@require_POST
@workers_only
def major(request: HttpRequest, public_id: str) -> HttpResponse:
    """Perform one of the actions below, chosen by the button."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    act = _ACTIONS.get(request.POST.get("do", ""), _end)
    try:
        done = act(request, ticket, Actor.person(person(request)))
    except (record.NotEditable, conversation.NotSaid, merging.MergeRefused) as refused:
        messages.error(request, localized(str(refused)))
    else:
        if done:
            messages.success(request, done)
    return redirect(ticket)


def _declare(_request: HttpRequest, ticket: Ticket, actor: Actor) -> str:
    major_incidents.declare(ticket=ticket, is_major=True, actor=actor, at=now())
    return ""


def _end(_request: HttpRequest, ticket: Ticket, actor: Actor) -> str:
    major_incidents.declare(ticket=ticket, is_major=False, actor=actor, at=now())
    return ""


def _gather(request: HttpRequest, parent: Ticket, actor: Actor) -> str:
    text = request.POST.get("tickets", "")
    labels = text.upper().replace(",", " ").replace("TH-", "").split()[:MOST_CHILDREN]
    numbers = [int(label) for label in labels if label.isdecimal() and len(label) < 18]
    found = list(Ticket.objects.filter(number__in=numbers, imported_from=None))
    if not numbers or len(found) != len(set(numbers)):
        missing = ", ".join(f"TH-{n}" for n in sorted(set(numbers) - {ticket.number for ticket in found}))
        raise record.NotEditable(_no_ticket(missing or text))
    made = major_incidents.gather(parent=parent, children=found, actor=actor, at=now())
    return ngettext("%(count)s child ticket added.", "%(count)s child tickets added.", made) % {"count": made}


def _merge(request: HttpRequest, ticket: Ticket, actor: Actor) -> str:
    into = _one(request.POST.get("into", ""))
    reason = request.POST.get("reason", "").strip()[:400]
    merging.merge(ticket=ticket, into=into, reason=reason, actor=actor, at=now())
    return _("%(label)s was merged into %(into)s.") % {"label": ticket.label, "into": into.label}


def _broadcast(request: HttpRequest, ticket: Ticket, actor: Actor) -> str:
    count = major_incidents.broadcast(
        ticket=ticket,
        body=request.POST.get("body", "").strip(),
        actor=actor,
        at=now(),
        is_for_requesters=bool(request.POST.get("requesters")),
    )
    return ngettext("Message sent on %(count)s ticket.", "Message sent on %(count)s tickets.", count) % {"count": count}


_ACTIONS: dict[str, Callable[[HttpRequest, Ticket, Actor], str]] = {
    "declare": _declare,
    "gather": _gather,
    "merge": _merge,
    "broadcast": _broadcast,
}
"""Each returns a message for the user; empty if the page itself shows the result."""


def _one(text: str) -> Ticket:
    number = text.upper().replace("TH-", "").strip()
    found = Ticket.objects.filter(number=int(number)).first() if number.isdecimal() and len(number) < 18 else None
    if found is None:
        raise merging.MergeRefused(_no_ticket(text))
    return found


def _no_ticket(text: str) -> str:
    return _("There is no ticket %(number)s.") % {"number": text[:200] or "–"}
