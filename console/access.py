"""Who may open a page of the console."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from hub.core.clock import now
from hub.models import User
from hub.queries import permissions
from hub.queries.filter_fields import Reader

View = Callable[..., HttpResponse]


def person(request: HttpRequest) -> User:
    """The user who is logged in. Only for views behind login_required."""
    return cast(User, request.user)


def reader_of(request: HttpRequest) -> Reader:
    """For whom a page with lists and numbers is made, and as of when. Only for views behind login_required."""
    user = person(request)
    return Reader(user_id=user.pk, at=now(), known=permissions.known_organisations(user))


def workers_only(view: View) -> View:
    """Restrict a view to people who act for our organisation; others get 403."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not permissions.may_work(person(request)):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def comment_refused_unread(request: HttpRequest) -> HttpResponse | None:
    """Refuse a message with files before its body is read, if the sender does not work for us (see hub.front)."""
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    is_ours = user.is_active and isinstance(user, User) and permissions.may_work(user)
    return None if is_ours else redirect_to_login(request.path)


def refused_unread(request: HttpRequest) -> HttpResponse | None:
    """Refuse a request body for the admin before it is read, if the sender may not use the admin (see hub.front)."""
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    return (
        None if user.is_active and getattr(user, "is_staff", False) else redirect_to_login(request.path, "admin:login")
    )
