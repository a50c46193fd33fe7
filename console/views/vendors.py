"""Vendor performance: how fast vendors answer, and why they do not accept tickets."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access import person
from hub.core.clock import now
from hub.core.planned import planned
from hub.queries import permissions, scorecard

PERIODS = ((7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("1 year")))


@require_safe
@login_required
@planned()
def vendors(request: HttpRequest) -> HttpResponse:
    """The vendors page, for users who see everything; others get 403."""
    if not permissions.sees_everything(person(request)):
        raise PermissionDenied
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(number) for number, _label in PERIODS} else 30
    at = now()
    shown = {
        "cards": scorecard.cards(since=at - timedelta(days=days), until=at),
        "days": days,
        "periods": PERIODS,
        "page": "vendors",
    }
    return render(request, "console/vendors.html", shown)
