"""Rejects input that no page can process, before the session is read and before the database is queried."""

from __future__ import annotations

import codecs
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import FieldDoesNotExist
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.cookie import parse_cookie

from console.views import errors

if TYPE_CHECKING:
    from django.http.request import _ImmutableQueryDict

log = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]
LARGEST = 2**63 - 1
"""The largest primary key that both databases support."""


class SoundInputMiddleware:
    """Answers 404 for a NUL character in a path, and 400 for one in a cookie, a header or a form.

    PostgreSQL cannot store NUL characters. Database errors caused by other input (a number or a text that is too
    large) are also answered with 400, and logged. Hooks are exempt: they are stored as received, and a 4xx response
    would lose them.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_hook(request):
            if "\x00" in request.path_info:
                return errors.not_found(request)
            if not _is_sound(request):
                return errors.bad_request(request)
            _clean_query(request)
        response = self.get_response(request)
        if response.status_code == 405 and not response.content and not _is_hook(request):
            return errors.wrong_method(request, allowed=response.get("Allow", ""))
        return response

    def process_view(
        self, request: HttpRequest, view: Any, _args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if any(isinstance(value, int) and value > LARGEST for value in kwargs.values()):
            raise Http404
        if request.method == "POST" and not getattr(view, "csrf_exempt", False) and _has_nul(_entered(request)):
            return errors.bad_request(request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if _is_hook(request) or not _comes_from_what_was_sent(error, request):
            return None
        number = secrets.token_hex(4)
        log.warning("Refused as %s: %s %s", number, request.method, request.path, exc_info=error)
        return errors.bad_request(request, number=number)


def _comes_from_what_was_sent(error: Exception, request: HttpRequest) -> bool:
    if isinstance(error, ValueError) and "expected a number but got" in str(error):
        # Django's admin looks up the choices of an invalid form without validating them (5.2, AutocompleteMixin).
        return True
    if isinstance(error, FieldDoesNotExist):
        return "_to_field" in request.GET or "_to_field" in request.POST  # the admin accepts any name
    return isinstance(error, DataError | OverflowError | UnicodeEncodeError)


def _is_hook(request: HttpRequest) -> bool:
    return request.path_info.startswith("/hooks/")


def _is_sound(request: HttpRequest) -> bool:
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    try:
        if not codecs.lookup(charset)._is_text_encoding:
            return False
    except (LookupError, ValueError):
        return False
    cookies = parse_cookie(request.META.get("HTTP_COOKIE", "")).values()
    headers = (value for name, value in request.META.items() if name.startswith("HTTP_"))
    return not any(_has_nul(texts) for texts in (cookies, headers))


def _clean_query(request: HttpRequest) -> None:
    """Remove NUL characters from the query string; they make no difference to a search."""
    if any(_has_nul((name, *values)) for name, values in request.GET.lists()):
        clean = QueryDict(mutable=True, encoding=request.encoding)
        for name, values in request.GET.lists():
            clean.setlist(name.replace("\x00", ""), [value.replace("\x00", "") for value in values])
        request.GET = cast("_ImmutableQueryDict", clean)


def _entered(request: HttpRequest) -> Iterable[str]:
    for name, values in request.POST.lists():
        yield name
        yield from (value for value in values if isinstance(value, str))
    for name, files in request.FILES.lists():
        yield name
        yield from (file.name or "" for file in files)


def _has_nul(texts: Iterable[object]) -> bool:
    return any("\x00" in str(text) for text in texts)
