"""Where vendors' systems call us. A hook is answered with 2xx only after it is committed."""

from __future__ import annotations

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from connectors.engine import hooks, inbox, registry
from connectors.engine.vault import CannotUnseal
from connectors.kit.errors import BadSignature
from connectors.models import Connection


@csrf_exempt
@require_POST
def hook(request: HttpRequest, connection_id: str, token: str = "") -> HttpResponse:
    """202 stored, 401 wrong signature (only counted), 404 no such connection, 413 too large, 503 try again."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > settings.HOOK_BODY_LIMIT:
        return HttpResponse("The body is too large.", status=413)
    body = request.read(settings.HOOK_BODY_LIMIT + 1)
    if len(body) > settings.HOOK_BODY_LIMIT:
        return HttpResponse("The body is too large.", status=413)
    connection = (
        Connection.objects.filter(public_id=connection_id)
        .exclude(state__in=[Connection.State.ARCHIVED, Connection.State.DRAFT])
        .first()
    )
    if connection is None:
        return HttpResponse("There is no such connection.", status=404)
    try:
        if not hooks.is_let_in(connection, token):
            return HttpResponse("There is no such connection.", status=404)
        inbox.accept_hook(connection=connection, headers=dict(request.headers), body=body)
    except BadSignature:
        return HttpResponse("The signature is wrong.", status=401)
    except (CannotUnseal, registry.UnknownConnector, DatabaseError):
        return HttpResponse("It cannot be stored now; try again.", status=503, headers={"Retry-After": "30"})
    return HttpResponse(status=202)


@csrf_exempt
@require_POST
def deactivated(request: HttpRequest, connection_id: str) -> HttpResponse:
    """A vendor switched its webhook off. Not signed, so it only makes us look."""
    connection = get_object_or_404(Connection.objects.exclude(hook_id=""), public_id=connection_id)
    hooks.switched_off(connection)
    return HttpResponse(status=202)
