"""Previews of attachments: re-drawn pictures and pages, and escaped text. The original is a download only."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.views.attachments import readable
from hub.domain import files
from hub.previews import rendering
from hub.previews.rendering import Busy, NoPreview
from hub.translation import localized


@require_safe
@login_required
def preview(request: HttpRequest, public_id: str) -> HttpResponse:
    """What a file contains, or why it cannot be shown."""
    found = readable(request, public_id)
    shown = {"file": found, "ticket": found.ticket, "page": "tickets"}
    try:
        shown["preview"] = rendering.preview(found.name, files.read(found))
    except (NoPreview, files.NotWhole) as refused:
        shown["refusal"] = localized(str(refused))
        is_busy = isinstance(refused, Busy) and not request.headers.get("HX-Request")  # htmx shows only what succeeds
        return render(request, "console/preview.html", shown, status=503 if is_busy else 200)
    return render(request, "console/preview.html", shown)


@require_safe
@login_required
def preview_page(request: HttpRequest, public_id: str, number: int) -> HttpResponse:
    """One page of a file, counted from 1, or the picture, as a picture of ours."""
    found = readable(request, public_id)
    if not rendering.is_offered(found.name) or not 1 <= number <= 1000:
        raise Http404
    try:
        drawn = rendering.draw(files.read(found), number - 1)
    except Busy as busy:
        return HttpResponse(localized(str(busy)), status=503, headers={"Retry-After": "2"})
    except (NoPreview, files.NotWhole) as refused:
        raise Http404 from refused
    response = HttpResponse(drawn, content_type="image/webp")
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
