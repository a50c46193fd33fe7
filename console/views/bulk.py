"""Bulk actions: choosing values, a preview with the result for each ticket, and the progress of what was started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from connectors.engine.outbound.sensitive import SensitiveDataWarning
from console import undoing
from console.access import person, reader_of, workers_only
from console.forms.bulk import FORMS, BulkForm
from console.lists import filters_of
from console.views import before_sending
from hub.core.clock import now
from hub.core.ids import new_ulid
from hub.domain import undo
from hub.models import Ticket, User
from hub.queries import permissions
from hub.queries import tickets as questions
from hub.queries.tickets import with_relations
from hub.translation import localized
from workflows.bulk import running
from workflows.bulk.verbs import VERBS
from workflows.models import BulkAction, BulkItem
from workflows.rules.context import context
from workflows.rules.roles import roles_on
from workflows.rules.verbs import RESOLUTION, Verb, available

PREVIEWED = 50
"""For so many tickets the preview says what would happen; rehearsing more would keep the person waiting."""


@require_POST
@workers_only
def bulk(request: HttpRequest) -> HttpResponse:
    """The form of an action, its preview, or its start; the chosen tickets are part of each step."""
    user, asked = person(request), request.POST
    verb = VERBS.get(asked.get("verb", ""))
    found = _chosen(request, user)
    chosen = found[: running.MOST]
    if verb is None or not chosen:
        messages.error(request, _("Choose tickets and an action."))
        return redirect(f"/tickets/?{asked.get('back', '')}")
    is_filled = asked.get("step") in ("preview", "apply")
    form = _form(verb.slug, user, chosen, asked if is_filled else None)
    shown: dict[str, Any] = {
        "verb": verb,
        "once": asked.get("once") or new_ulid(),
        "is_cut": len(found) > running.MOST,
        "form": form,
        "chosen": chosen,
        "first": chosen[:PREVIEWED],
        "back": asked.get("back", ""),
        "page": "tickets",
    }
    if is_filled and form.is_valid():
        shown["warned"] = before_sending.in_bulk(verb.slug, form.cleaned_data, chosen[:PREVIEWED])
        shown["is_refused"] = any(warning.is_refused for warning, _labels in shown["warned"])
        shown["previewed"] = "" if shown["is_refused"] else _seal(form.given(), chosen, shown["warned"])
        is_previewed = shown["previewed"] and constant_time_compare(asked.get("previewed", ""), shown["previewed"])
        if asked["step"] == "apply" and is_previewed:
            return _started(request, verb.slug, form, chosen, once=shown["once"])
        results = running.rehearse(verb=verb.slug, given=form.given(), tickets=chosen[:PREVIEWED], user=user, at=now())
        shown["previews"] = [
            (ticket, results[ticket.pk].is_done, localized(results[ticket.pk].why)) for ticket in chosen[:PREVIEWED]
        ]
        shown["refused"] = sum(not result.is_done for result in results.values())
    return render(request, "console/bulk.html", shown)


def _chosen(request: HttpRequest, user: User) -> list[Ticket]:
    """The tickets with a tick, or all that the list shows, by number; of too many, one more than `running.MOST`."""
    tickets = permissions.visible_tickets(user)
    if request.POST.get("all"):
        tickets = questions.narrowed(tickets, filters_of(request.POST), reader_of(request))
    else:
        ids = [*request.POST.getlist("ticket"), *request.POST.get("tickets", "").split(",")]
        tickets = tickets.filter(public_id__in=ids[: running.MOST])
    return list(with_relations(tickets.filter(imported_from=None)).order_by("number")[: running.MOST + 1])


def _seal(given: dict[str, Any], chosen: list[Ticket], warned: Sequence[tuple[SensitiveDataWarning, list[str]]]) -> str:
    """A seal of what was previewed: other values, tickets or warnings need another preview."""
    warnings = [[each.organisation, sorted(map(str, each.what)), each.rule, labels] for each, labels in warned]
    text = json.dumps([given, [ticket.pk for ticket in chosen], warnings], sort_keys=True)
    return salted_hmac("console.bulk", text).hexdigest()


def _form(verb: str, user: User, chosen: list[Ticket], data: Any) -> BulkForm:
    if verb != "transition":
        return FORMS[verb](data)
    return FORMS[verb](data, transitions=_transitions(user, chosen))


def _transitions(user: User, chosen: list[Ticket]) -> dict[str, Verb]:
    """The transitions that need no other values than the form has, and that one of the first tickets offers now."""
    found: dict[str, Verb] = {}
    for ticket in chosen[:10]:
        for verb in available(context(ticket, at=now()), roles=roles_on(user, ticket)):
            if set(verb.needs) <= {"reason", *RESOLUTION} and not verb.why_not:
                found.setdefault(verb.slug, verb)
    return found


def _started(request: HttpRequest, verb: str, form: BulkForm, chosen: list[Ticket], *, once: str) -> HttpResponse:
    action = running.start(
        verb=verb,
        given=form.given(),
        tickets=chosen,
        user=person(request),
        at=now(),
        once=once[:26],
        session=undoing.session_of(request),
    )
    if len(chosen) <= running.AT_ONCE:
        running.run(action_id=action.pk, at=now(), seconds=5)
    return redirect("console:bulk_action", action.public_id)


@require_safe
@workers_only
def bulk_action(request: HttpRequest, public_id: str) -> HttpResponse:
    """The progress of a bulk action, with the result for each ticket; for colleagues, too."""
    action = BulkAction.objects.filter(public_id=public_id).select_related("user").first()
    if action is None:
        raise Http404("The bulk action does not exist.")
    items = action.items.select_related("ticket")
    states = [item.state for item in items]
    shown = {
        "action": action,
        "verb": VERBS.get(action.verb),
        "items": items.order_by("state", "ticket__number"),
        "count": len(states),
        "done": states.count(BulkItem.State.DONE),
        "refused": states.count(BulkItem.State.REFUSED),
        "waiting": states.count(BulkItem.State.WAITING),
        "page": "tickets",
    }
    if not shown["waiting"] and request.method == "GET":
        _offer_to_undo(request, action)
    response = render(request, "console/bulk_action.html", shown)
    if request.headers.get("HX-Request") and not shown["waiting"]:
        response["HX-Refresh"] = "true"  # the results, once
    return response


def _offer_to_undo(request: HttpRequest, action: BulkAction) -> None:
    """Offer whoever started the action to undo it, once it has been carried out on all tickets."""
    windows = undo.of(action=action.public_id, user=person(request), session=undoing.session_of(request))
    until = [window.until_at.timestamp() for window in windows]
    if until:
        what = ngettext("%(action)s: %(count)d ticket.", "%(action)s: %(count)d tickets.", len(until))
        named = {"action": VERBS[action.verb].label, "count": len(until)}
        undoing.offer(request, action.public_id, what % named, max(until))
