"""Error pages. They make no query, because the database may be down."""

from __future__ import annotations

import logging
import secrets
import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 5


def bad_request(request: HttpRequest, exception: Exception | None = None, *, number: str = "") -> HttpResponse:
    """400: the request is malformed."""
    return _page(
        request,
        400,
        _("Invalid request"),
        _(
            "The address or the form contains an unprintable character or a number that is too large. Check your "
            "entries, or start again from the board."
        ),
        number=number,
    )


def not_found(request: HttpRequest) -> HttpResponse:
    """404, answered before the session is read."""
    return _page(request, 404, _("Page not found"), _("This page does not exist, or you may not see it."))


def wrong_method(request: HttpRequest, *, allowed: str) -> HttpResponse:
    """405: a form's address opened as a page, or a form sent to a page."""
    page = _page(
        request,
        405,
        _("This address only accepts a form"),
        _("There is no page at this address. Go back to the page with the form."),
    )
    page["Allow"] = allowed
    return page


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without a valid CSRF token."""
    return _page(
        request,
        403,
        _("This form is out of date"),
        _(
            "You logged in or out in another tab after opening it, or your browser blocks cookies for this site. "
            "Nothing was changed. Go back to the form and send it again."
        ),
    )


def broken(request: HttpRequest) -> HttpResponse:
    """500, or 503 while the database is down. The page shows the number under which the error is logged."""
    number, error = secrets.token_hex(4), sys.exc_info()[1]
    log.error("Error %s: %s %s", number, request.method, request.path)
    if isinstance(error, OperationalError | InterfaceError):
        page = _page(
            request,
            503,
            _("The database is not available"),
            _(
                "Nothing was changed. Wait a few seconds, then send the form again or reload this page. If the problem "
                "persists, give your administrator the number below."
            ),
            number=number,
        )
        page["Retry-After"] = str(TRY_AGAIN_SECONDS)
        return page
    return _page(
        request,
        500,
        _("Something went wrong"),
        _(
            "An unexpected error occurred in Ticket Hub. Go back and try again. If it happens again, give your "
            "administrator the number below, which identifies the error in the log."
        ),
        number=number,
    )


def _page(request: HttpRequest, status: int, title: str, text: str, **more: Any) -> HttpResponse:
    return render(request, "console/error.html", {"title": title, "text": text} | more, status=status)
