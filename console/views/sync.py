"""Sync issues, and the actions that resolve them."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from connectors.engine.inbound import alert_acknowledgements, awaited_files, identity, intake_limits, parked
from connectors.engine.inbound.inbound_preview import as_read_now
from connectors.engine.operations import differences, publishing
from connectors.engine.outbound import parked_items
from connectors.models import AwaitedFile, Connection, Difference, Inbound, Link, Outbound
from connectors.queries import sync_issues
from console.access import person, workers_only
from console.polling import live_cursor
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain.actors import Actor
from hub.domain.messages import NotSaid
from hub.domain.signals import retry_failed_receiver
from hub.models import FailedReceiver
from hub.queries import permissions
from hub.queries.backlog import backlogs
from hub.translation import localized
from workflows.models import FailedAction, Notice, Pending
from workflows.notifications import delivery
from workflows.rules import retries
from workflows.rules.execution import ActionRefused

LONGEST_MESSAGE = 20_000


@require_safe
@workers_only
def sync(request: HttpRequest) -> HttpResponse:
    connections = list(Connection.objects.select_related("organisation").order_by("name"))
    by_pk = {connection.pk: connection for connection in connections}
    waiting = [(backlog, by_pk.get(backlog.connection_id or 0)) for backlog in backlogs()]
    context = {
        "waiting": waiting,
        "stuck": sync_issues.stuck(),
        "may_force": differences.may_force(person(request)),
        "held_back": intake_limits.held_back(),
        "connections": connections,
        "page": "sync",
        "cursor": live_cursor(person(request)),
    }
    return render(request, "console/sync.html", context)


@require_POST
@workers_only
def retry(request: HttpRequest, kind: str, row_id: int) -> HttpResponse:
    """Try a parked row again."""
    if kind == "outbound":
        parked_items.retry(get_object_or_404(Outbound, pk=row_id))
    elif kind == "inbound":
        parked.retry(get_object_or_404(Inbound, pk=row_id))
    elif kind == "notice":
        delivery.retry(get_object_or_404(Notice, pk=row_id))
    elif kind == "rule":
        retries.again(get_object_or_404(Pending, pk=row_id), at=now())
    elif kind == "action":
        return _try_action(request, get_object_or_404(FailedAction, pk=row_id))
    elif kind == "file":
        awaited_files.retry(get_object_or_404(AwaitedFile, pk=row_id))
    elif kind == "receiver":
        retry_failed_receiver(get_object_or_404(FailedReceiver, pk=row_id))
    elif kind == "link":
        identity.release(get_object_or_404(Link, pk=row_id))
    elif kind == "acknowledgement":
        alert_acknowledgements.retry(get_object_or_404(Connection, pk=row_id))
    elif kind == "left_out":
        publishing.seen_to(get_object_or_404(Connection, pk=row_id))
        return redirect("console:sync")
    else:
        raise Http404
    messages.success(request, _("Queued again."))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """To the ticket on whose page the button is, otherwise to the list of sync issues."""
    asked = request.POST.get("ticket", "")
    ticket = permissions.visible_tickets(person(request)).filter(public_id=asked).first() if asked else None
    return redirect(ticket or "console:sync")


@require_POST
@workers_only
def send_edited(request: HttpRequest, row_id: int) -> HttpResponse:
    """Replace a message that the vendor has refused by an edited one, and send it."""
    item = get_object_or_404(Outbound, pk=row_id)
    body = request.POST.get("body", "").strip()
    if len(body) > LONGEST_MESSAGE:
        messages.error(request, _("A message has at most %(most)s characters.") % {"most": LONGEST_MESSAGE})
        return _back(request)
    try:
        parked_items.send_edited(item, body=body, actor=Actor.person(person(request)))
    except (ValueError, NotSaid) as refused:
        messages.error(request, localized(str(refused)))
    return _back(request)


def _try_action(request: HttpRequest, row: FailedAction) -> HttpResponse:
    try:
        done = retries.retry(row, actor=Actor.person(person(request)), at=now())
    except ActionRefused as refused:
        messages.error(request, localized(str(refused)))
    else:
        messages.success(request, localized(done))
    return redirect("console:sync")


@require_POST
@workers_only
def vouch(request: HttpRequest, row_id: int) -> HttpResponse:
    """Accept a message whose sender is not verified, with a reason."""
    row = get_object_or_404(Inbound, pk=row_id)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Enter why you believe the sender is genuine."))
    else:
        try:
            parked.vouch(row, user=person(request), reason=reason)
        except ValueError as refused:
            messages.error(request, localized(str(refused)))
        else:
            messages.success(request, _("Accepted. The ticket shows your name and the reason."))
    return redirect("console:sync")


@require_safe
@workers_only
def inbound(request: HttpRequest, row_id: int) -> HttpResponse:
    """One received item, and how it would be processed now."""
    row = get_object_or_404(Inbound.objects.select_related("connection__organisation"), pk=row_id)
    found = as_read_now(row)
    found.why_not = localized(found.why_not)
    context = {
        "row": row,
        "title": _inbound_title(row),
        "now": found,
        "waits": row.state == Inbound.State.PARKED,
        "alike": parked.alike(row).count(),
        "page": "sync",
    }
    return render(request, "console/inbound.html", context)


def _inbound_title(row: Inbound) -> str:
    if row.kind == Inbound.Kind.MAIL:
        title = _("E-mail from %(connection)s")
    elif row.kind == Inbound.Kind.HOOK:
        title = _("Webhook call from %(connection)s")
    else:
        title = _("Record polled from %(connection)s")
    return title % {"connection": row.connection}


@require_POST
@workers_only
def retry_alike(request: HttpRequest, row_id: int) -> HttpResponse:
    """Try all items again that are held for the same reason."""
    count = parked.retry_alike(get_object_or_404(Inbound, pk=row_id))
    messages.success(
        request, ngettext("%(count)s item queued again.", "%(count)s items queued again.", count) % {"count": count}
    )
    return redirect("console:sync")


@require_POST
@workers_only
def leave_inbound(request: HttpRequest, row_id: int) -> HttpResponse:
    """Skip a received item, with a reason."""
    row = get_object_or_404(Inbound, pk=row_id)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Enter a reason for skipping."))
        return redirect("console:inbound", row_id)
    parked.leave_out(row, user=person(request), reason=reason)
    messages.success(request, _("Skipped."))
    return redirect("console:sync")


@require_POST
@workers_only
def skip(request: HttpRequest, row_id: int) -> HttpResponse:
    """Skip a parked change, with a reason."""
    item = get_object_or_404(Outbound, pk=row_id)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Enter a reason for skipping."))
    else:
        parked_items.skip(
            item, why=sentence("Skipped by %(person)s: %(reason)s", person=str(person(request)), reason=reason[:900])
        )
        messages.success(request, _("Skipped. Later changes continue."))
    return _back(request)


@require_POST
@workers_only
def fetch_file(request: HttpRequest, row_id: int) -> HttpResponse:
    """Download a file that was too large to be downloaded automatically."""
    row = get_object_or_404(AwaitedFile.objects.select_related("link__leg__ticket"), pk=row_id)
    awaited_files.retry(row)
    done = _("“%(name)s” is being downloaded and will appear with its message.")
    messages.success(request, done % {"name": row.name})
    return redirect(row.link.leg.ticket)


@require_POST
@workers_only
def leave_acknowledgements(request: HttpRequest, row_id: int) -> HttpResponse:
    """Skip the acknowledgements that the monitoring tool refused."""
    alert_acknowledgements.leave_out(get_object_or_404(Connection, pk=row_id))
    messages.success(request, _("Skipped."))
    return redirect("console:sync")


@require_POST
@workers_only
def leave_file(request: HttpRequest, row_id: int) -> HttpResponse:
    """Skip a file that could not be downloaded, with a reason."""
    row = get_object_or_404(AwaitedFile, pk=row_id)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Enter a reason for skipping."))
    else:
        awaited_files.leave_out(row, user=person(request), reason=reason)
        messages.success(request, _("Skipped."))
    return redirect("console:sync")


@require_POST
@workers_only
def settle(request: HttpRequest, row_id: int) -> HttpResponse:
    """Mark a difference as handled: it is no longer shown."""
    differences.settle(get_object_or_404(Difference, pk=row_id), at=now())
    messages.success(request, _("Marked as handled. It reappears only if the vendor's value changes."))
    return redirect("console:sync")


@require_POST
@workers_only
def difference(request: HttpRequest, row_id: int) -> HttpResponse:
    """Add the vendor's value to the ticket as a note, or accept it against the workflow's rules."""
    row = get_object_or_404(Difference.objects.select_related("link__connection", "link__leg__ticket"), pk=row_id)
    try:
        if request.POST.get("do") == "force":
            differences.force(row, user=person(request), reason=request.POST.get("reason", ""), at=now())
            messages.success(request, _("Accepted. The ticket shows your name and the reason."))
        else:
            differences.as_comment(row, user=person(request), at=now())
            messages.success(request, _("Added to the ticket as an internal note."))
    except (differences.NotForced, NotSaid) as refused:
        messages.error(request, localized(str(refused)))
    return redirect("console:sync")


@require_POST
@workers_only
def dismiss(request: HttpRequest, row_id: int) -> HttpResponse:
    """Skip an action that failed, with a reason."""
    row = get_object_or_404(FailedAction, pk=row_id)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Enter a reason for skipping."))
    else:
        retries.dismiss(row, user=person(request), reason=reason, at=now())
        messages.success(request, _("Skipped."))
    return redirect("console:sync")
