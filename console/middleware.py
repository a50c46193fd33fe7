"""Middleware for requests from people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME, SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme

from hub.models import Organisation, User
from hub.sla.calendars import BadCalendar, load_zone

Handler = Callable[[HttpRequest], HttpResponse]


class PrivatePagesMiddleware:
    """Forbids browsers and proxies to cache pages, and behind TLS tells browsers to always use HTTPS (HSTS).

    Static files are served before this middleware and have their own rules.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store, private"
        if settings.IS_BEHIND_TLS:
            # A TLS proxy sends us plain HTTP, so the scheme of the request does not matter.
            response["Strict-Transport-Security"] = f"max-age={settings.HSTS_SECONDS}; includeSubDomains"
        return response


class SessionLimitMiddleware:
    """Ends sessions that have been idle for too long or have reached their maximum age.

    Automatic polling by pages (htmx) does not count as use and keeps no session alive.
    """

    WRITTEN_EVERY = timedelta(minutes=5)

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            at = timezone.now()
            if not request.user.is_authenticated or self._is_over(request, at):
                # Also ends the session of a deactivated user, so that reactivation does not revive it.
                logout(request)
            elif not self._is_polling(request):
                self._used(request, at)
        return _said_on_the_page(request, _back_to_the_form(request, self.get_response(request)))

    def _is_over(self, request: HttpRequest, at: datetime) -> bool:
        began, used = (self._instant(request, name, at) for name in ("began_at", "used_at"))
        return at - began > settings.SESSION_LONGEST or at - used > settings.SESSION_IDLE

    def _used(self, request: HttpRequest, at: datetime) -> None:
        request.session.setdefault("began_at", at.timestamp())
        if "used_at" not in request.session or at - self._instant(request, "used_at", at) > self.WRITTEN_EVERY:
            request.session["used_at"] = at.timestamp()

    @staticmethod
    def _instant(request: HttpRequest, name: str, default: datetime) -> datetime:
        seconds = request.session.get(name)
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else default

    @staticmethod
    def _is_polling(request: HttpRequest) -> bool:
        return request.method == "GET" and request.headers.get("HX-Request") == "true"


def _back_to_the_form(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """After a log-in forced by a form, lead back to the page with the form, because its target accepts only POST."""
    place, _mark, query = response.get("Location", "").partition("?")
    asked = QueryDict(query, mutable=True)
    if request.method != "POST" or REDIRECT_FIELD_NAME not in asked:
        return response
    came_from = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    parts = urlsplit(came_from)
    asked[REDIRECT_FIELD_NAME] = urlunsplit(("", "", parts.path, parts.query, "")) if is_ours else "/"
    response["Location"] = f"{place}?{asked.urlencode(safe='/')}"
    return response


def _said_on_the_page(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """To a part of an open page, no log-in page in its place, but an event on which the page says so (live.js)."""
    place, _mark, query = response.get("Location", "").partition("?")
    is_forced = place == reverse(settings.LOGIN_URL) and REDIRECT_FIELD_NAME in QueryDict(query)
    if not is_forced or request.headers.get("HX-Request") != "true":
        return response
    return HttpResponse(status=204, headers={"HX-Trigger": "logged-out"})


class TimeZoneMiddleware:
    """Shows times in the user's time zone."""

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


class LanguageMiddleware:
    """Shows pages in the user's language; without one, LocaleMiddleware's choice applies."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", "")
        if language not in dict(settings.LANGUAGES):
            return self.get_response(request)
        with translation.override(language):
            response = self.get_response(request)
        # Otherwise LocaleMiddleware would add the header with the language that is active outside this block.
        response["Content-Language"] = language
        return response


class FirstRunMiddleware:
    """Redirects every page to the first-run page until the installation has its own organisation."""

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
