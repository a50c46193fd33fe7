"""Pages for what went wrong. They ask no database: it may be what does not answer."""

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
    """400: what was sent cannot be understood."""
    return _page(
        request,
        400,
        _("This cannot be understood"),
        _(
            "The address or the form holds something no page can mean, such as an unprintable character or a number "
            "that is too large. Check what you entered, or start again from the board."
        ),
        number=number,
    )


def not_found(request: HttpRequest) -> HttpResponse:
    """404 before it is known who asks."""
    return _page(request, 404, _("Not here"), _("There is no such page, or it is not yours to see."))


def wrong_method(request: HttpRequest, *, allowed: str) -> HttpResponse:
    """405: the address of a form that was opened as a page, or a page that was sent a form."""
    page = _page(
        request,
        405,
        _("This address only takes a form"),
        _("It is where a form is sent to, and has nothing to show. Go back to the page the form is on."),
    )
    page["Allow"] = allowed
    return page


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form without its token, or with one of another session."""
    return _page(
        request,
        403,
        _("This form is out of date"),
        _(
            "You logged in or out in another tab since it was opened, or your browser keeps no cookies for this site. "
            "Go back to the form and send it again. Nothing was changed."
        ),
    )


def broken(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database does not answer; the number stands in the log with what happened."""
    number, error = secrets.token_hex(4), sys.exc_info()[1]
    log.error("Error %s: %s %s", number, request.method, request.path)
    if isinstance(error, OperationalError | InterfaceError):
        page = _page(
            request,
            503,
            _("The database does not answer"),
            _(
                "Nothing was changed. Wait a few seconds, go back to the form and send it again, or load this page "
                "again. If it goes on, tell your administrator the number below."
            ),
            number=number,
        )
        page["Retry-After"] = str(TRY_AGAIN_SECONDS)
        return page
    return _page(
        request,
        500,
        _("Something went wrong here"),
        _(
            "This is a fault of Ticket Hub, not yours. Go back and try again; if it happens again, tell your "
            "administrator the number below: it leads to what happened in the log."
        ),
        number=number,
    )


def _page(request: HttpRequest, status: int, title: str, text: str, **more: Any) -> HttpResponse:
    return render(request, "console/error.html", {"title": title, "text": text} | more, status=status)
