"""Suggestions for fields in which a row is chosen by typing."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.views.decorators.http import require_safe

from console.access import workers_only
from hub.queries.pickers import LONGEST, PICKERS


@require_safe
@workers_only
def pick(request: HttpRequest, kind: str) -> HttpResponse:
    """The options that match the text of the one parameter, which has the name of the field that asks."""
    picker = PICKERS.get(kind)
    if picker is None:
        raise Http404
    text = str(next(iter(request.GET.values()), "")).replace("\x00", "")[:LONGEST]
    return HttpResponse(
        format_html_join("", '<option value="{}"></option>', ((label,) for label in picker.suggestions(text)))
    )
