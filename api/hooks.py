"""Webhooks called by vendors' systems. A call is answered with 2xx only after it has been committed.

Once a process knows a connection, `hub.front` hands its calls to `stored` without passing through Django's middleware,
which serves people. Any other call takes the way through the view, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection as database
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from connectors.engine import hook_calls, registry
from connectors.engine.inbound import inbox
from connectors.engine.vault import CannotUnseal
from connectors.kit.errors import BadSignature, TryLater
from connectors.models import Connection
from hub.core.ids import new_ulid

NOT_NOW = (CannotUnseal, registry.UnknownConnector, DatabaseError)
"""Errors on our side that may be temporary: the caller should try again later."""


def refused_unread(request: HttpRequest) -> HttpResponse | None:
    """The refusal of a call before its body is read; None if the body is to be read (see hub.front)."""
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return HttpResponse("There is no such connection.", status=404)
    if found.func is not hook:
        return None
    try:
        hook_calls.called(found.kwargs["connection_id"], found.kwargs.get("token", ""), request.headers)
    except hook_calls.NotLetIn as refused:
        return HttpResponse(str(refused), status=refused.status)
    except NOT_NOW:
        return _try_again()
    return None


@csrf_exempt
@require_POST
def hook(request: HttpRequest, connection_id: str, token: str = "") -> HttpResponse:
    """Store a call: 202 stored, 401 invalid signature, 404 unknown connection, 413 body too large, 503 try again."""
    body = request.read(settings.HOOK_BODY_LIMIT + 1)
    if len(body) > settings.HOOK_BODY_LIMIT:
        return HttpResponse("The body is too large.", status=413)
    return _stored(connection_id, token, dict(request.headers), body, call_id=new_ulid())


def is_known(path: str, header_names: Iterable[str]) -> bool:
    """Whether a call to this path is read and passed to `stored`: the connection is known here, the call is signed."""
    return hook_calls.is_known(*_named(path), header_names)


def stored(path: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
    """Store a call outside of Django's middleware, with its answers.

    The thread keeps its database session. If the database has closed the session, the call is stored over a new one.
    """
    response = _stored_directly(*_named(path), headers, body)
    response["Cache-Control"] = "no-store, private"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _stored_directly(connection_id: str, token: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
    call_id = new_ulid()
    use = hook_calls.known(connection_id, token, headers)
    try:
        if use is not None and inbox.accept_known(use, headers, body, call_id=call_id):
            return HttpResponse(status=202)
    except BadSignature:
        return _unsigned()
    except TryLater as error:
        return _try_again(seconds=int(error.after or 30))
    except DatabaseError:
        database.close()
    return _stored(connection_id, token, headers, body, call_id=call_id)


def _named(path: str) -> tuple[str, str]:
    """The connection's id and the token in a path; the id is empty if the path has another shape."""
    match path.split("/"):
        case ["", "hooks", connection_id, ""]:
            return connection_id, ""
        case ["", "hooks", connection_id, token, ""]:
            return connection_id, token
    return "", ""


def _stored(connection_id: str, token: str, headers: Mapping[str, str], body: bytes, *, call_id: str) -> HttpResponse:
    try:
        call = hook_calls.called(connection_id, token, headers)
        inbox.accept_hook(call=call, headers=headers, body=body, call_id=call_id)
    except hook_calls.NotLetIn as refused:
        return HttpResponse(str(refused), status=refused.status)
    except BadSignature:
        return _unsigned()
    except TryLater as error:
        return _try_again(seconds=int(error.after or 30))
    except NOT_NOW:
        return _try_again()
    return HttpResponse(status=202)


def _unsigned() -> HttpResponse:
    return HttpResponse("The signature is invalid.", status=401)


def _try_again(*, seconds: int = 30) -> HttpResponse:
    return HttpResponse(
        "The call could not be stored. Try again later.", status=503, headers={"Retry-After": str(seconds)}
    )


@csrf_exempt
@require_POST
def deactivated(request: HttpRequest, connection_id: str) -> HttpResponse:
    """A vendor reports that it deactivated its webhook. The call is not signed, so it only triggers a check."""
    if "\x00" in connection_id:
        return HttpResponse("There is no such connection.", status=404)
    try:
        connection = get_object_or_404(Connection.objects.exclude(hook_id=""), public_id=connection_id)
        hook_calls.switched_off(connection)
    except DatabaseError:
        return _try_again()
    return HttpResponse(status=202)
