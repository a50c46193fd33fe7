"""The user's notices."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from console.access import person
from console.polling import live_cursor
from hub.core.clock import now
from workflows.models import Notice

MOST = 100


@require_safe
@login_required
def notices(request: HttpRequest) -> HttpResponse:
    """The user's newest notices."""
    rows = Notice.objects.filter(user=person(request), channel="console").select_related("ticket").order_by("-pk")
    context = {"notices": list(rows[:MOST]), "page": "notices", "cursor": live_cursor(person(request))}
    return render(request, "console/notices.html", context)


@require_POST
@login_required
def read_notices(request: HttpRequest) -> HttpResponse:
    """Mark all notices that were shown as read."""
    upto = request.POST.get("upto", "")
    rows = Notice.objects.filter(user=person(request), channel="console", read_at=None)
    if upto.isdecimal() and len(upto) < 18:
        rows.filter(pk__lte=int(upto)).update(read_at=now())
    return redirect("console:notices")
