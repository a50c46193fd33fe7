"""Who may open a page of the console."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from hub.models import User
from hub.queries import visibility

View = Callable[..., HttpResponse]


def person(request: HttpRequest) -> User:
    """Whoever is logged in; behind login_required."""
    return cast(User, request.user)


def workers_only(view: View) -> View:
    """For people who act for our organisation; others get 403."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not visibility.may_work(person(request)):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
