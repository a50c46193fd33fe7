"""Where vendors' systems call us. A hook is answered with 2xx only after it is committed."""

from __future__ import annotations

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from connectors.engine import hooks, registry
from connectors.engine.inbound import inbox
from connectors.engine.vault import CannotUnseal
from connectors.kit.errors import BadSignature, TryLater
from connectors.models import Connection

NOT_NOW = (CannotUnseal, registry.UnknownConnector, DatabaseError)
"""What is wrong with us, and may be right again later."""


def refused_unread(request: HttpRequest) -> HttpResponse | None:
    """The no to a call of whose body nothing was read yet; None where it is to be read (see hub.front)."""
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return HttpResponse("There is no such connection.", status=404)
    if found.func is not hook:
        return None
    try:
        hooks.called(found.kwargs["connection_id"], found.kwargs.get("token", ""), request.headers)
    except hooks.NotLetIn as refused:
        return HttpResponse(str(refused), status=refused.status)
    except NOT_NOW:
        return _try_again()
    return None


@csrf_exempt
@require_POST
def hook(request: HttpRequest, connection_id: str, token: str = "") -> HttpResponse:
    """202 stored, 401 not signed by them, 404 nobody is called so, 413 too large, 503 try again."""
    try:
        connection = hooks.called(connection_id, token, request.headers)
        body = request.read(settings.HOOK_BODY_LIMIT + 1)
        if len(body) > settings.HOOK_BODY_LIMIT:
            return HttpResponse("The body is too large.", status=413)
        inbox.accept_hook(connection=connection, headers=dict(request.headers), body=body)
    except hooks.NotLetIn as refused:
        return HttpResponse(str(refused), status=refused.status)
    except BadSignature:
        return HttpResponse("The signature is wrong.", status=401)
    except TryLater as error:
        return _try_again(seconds=int(error.after or 30))
    except NOT_NOW:
        return _try_again()
    return HttpResponse(status=202)


def _try_again(*, seconds: int = 30) -> HttpResponse:
    return HttpResponse("It cannot be stored now; try again.", status=503, headers={"Retry-After": str(seconds)})


@csrf_exempt
@require_POST
def deactivated(request: HttpRequest, connection_id: str) -> HttpResponse:
    """A vendor switched its webhook off. Not signed, so it only makes us look."""
    if "\x00" in connection_id:
        return HttpResponse("There is no such connection.", status=404)
    try:
        connection = get_object_or_404(Connection.objects.exclude(hook_id=""), public_id=connection_id)
        hooks.switched_off(connection)
    except DatabaseError:
        return _try_again()
    return HttpResponse(status=202)
