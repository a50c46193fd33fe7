"""Undoing what one has just done, or sending it at once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from console import undoing
from console.access import person
from hub.core.clock import now
from hub.domain.undo import CannotUndo, send_now, undo
from hub.translation import localized


@require_POST
@login_required
def undo_action(request: HttpRequest, action: str) -> HttpResponse:
    """Undo an action of this person in this session; of a bulk action, on every ticket where that is still possible."""
    try:
        outcome = undo(action=action, user=person(request), session=undoing.session_of(request), at=now())
    except CannotUndo as refused:
        messages.error(request, localized(str(refused)))
    else:
        if len(outcome.done) == 1 and not outcome.refused:
            messages.success(request, _("Undone."))
        elif outcome.done:
            undone = ngettext("Undone on %(count)d ticket.", "Undone on %(count)d tickets.", len(outcome.done))
            messages.success(request, undone % {"count": len(outcome.done)})
        for _ticket, why in outcome.refused:
            messages.error(request, localized(why))
    undoing.withdraw(request, action)
    return redirect(_back(request))


@require_POST
@login_required
def send_action_now(request: HttpRequest, action: str) -> HttpResponse:
    """Send at once what the action holds back; it can no longer be undone then."""
    if send_now(action=action, user=person(request), session=undoing.session_of(request), at=now()):
        messages.success(request, _("It is being sent."))
    undoing.withdraw(request, action)
    return redirect(_back(request))


def _back(request: HttpRequest) -> str:
    """The page on which the button was pressed."""
    back = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return back if is_ours and back.startswith("/") else "/"
