"""What every request of a person passes through."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from hub.models import Organisation, User
from hub.sla.calendars import BadCalendar, load_zone

Handler = Callable[[HttpRequest], HttpResponse]


class TimeZoneMiddleware:
    """Shows times in the zone of whoever looks."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = ZoneInfo("UTC")
        if isinstance(request.user, User):
            try:
                zone = load_zone(request.user.time_zone)
            except BadCalendar:
                zone = ZoneInfo("UTC")
        with timezone.override(zone):
            return self.get_response(request)


class FirstRunMiddleware:
    """Leads everybody to the first-run page until the installation has its own organisation."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.is_set_up = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        first_run = reverse("console:first_run")
        if (
            not self.is_set_up
            and request.path != first_run
            and not request.path.startswith(("/static/", "/hooks/", "/favicon.ico"))
        ):
            self.is_set_up = Organisation.objects.filter(is_us=True).exists()
            if not self.is_set_up:
                return redirect(first_run)
        return self.get_response(request)
