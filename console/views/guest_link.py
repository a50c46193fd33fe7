"""The guest link of a vendor without a system. Anyone with the URL may act; there is no log-in."""

from __future__ import annotations

from typing import TypeVar
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from connectors.engine import outbox
from connectors.queries.connections import origin_without_record
from console.forms.guest_link import GuestLinkForm
from console.views.attachments import download
from hub.core.clock import now
from hub.domain.actors import Actor
from hub.domain.messages import NotSaid
from hub.models import Attachment, Leg, Message
from hub.translation import localized
from workflows.handoffs import guest_links, transitions
from workflows.handoffs.verbs import GUEST, possible_for_guest
from workflows.models import GuestLink

_Response = TypeVar("_Response", bound=HttpResponseBase)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def guest_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the engagement, or perform one action. GET requests change nothing, because mail scanners open links."""
    found = guest_links.find(token)
    if found is None:
        raise Http404
    at = now()
    if not guest_links.is_open(found, at=at):
        return _closed(render(request, "console/guest_link_closed.html", {"leg": found.leg}, status=410))
    name = request.POST.get("name") or request.COOKIES.get("door_name", "")
    try:
        if request.method != "HEAD":  # a HEAD request is not a use of the link
            guest_links.use(found, at=at, actor=Actor.vendor(found.leg.organisation, name))
    except guest_links.TooOften as refused:
        return _closed(HttpResponse(localized(str(refused)), status=429, headers={"Retry-After": "600"}))
    form = GuestLinkForm(request.POST or None, request.FILES or None, initial={"name": name})
    chosen = request.POST.get("act") or request.GET.get("do", "")
    if request.method == "POST" and form.is_valid() and _done(request, found, form):
        answer = redirect("console:guest_link", token=token)
        answer.set_cookie(
            "door_name",
            form.cleaned_data["name"],
            max_age=90 * 86400,
            path="/v/",
            httponly=True,
            secure=request.is_secure(),
            samesite="Strict",
        )
        return _closed(answer)
    with timezone.override(ZoneInfo(found.leg.organisation.time_zone)):
        return _closed(render(request, "console/guest_link.html", _shown(found, form, token, chosen)))


def refused_unread(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body sent to an unknown or closed link before it is read (see hub.front)."""
    found = guest_links.find(request.path_info.removeprefix("/v/").partition("/")[0])
    if found is None:
        return HttpResponse(_("This page does not exist."), status=404)
    return None if guest_links.is_open(found, at=now()) else HttpResponse(_("This link is closed."), status=410)


def _closed(response: _Response) -> _Response:
    """Keep the page out of search engines, and its URL from other sites."""
    response["Referrer-Policy"] = (
        "same-origin"  # with a stricter policy browsers send no origin, and the form is rejected
    )
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _done(request: HttpRequest, found: GuestLink, form: GuestLinkForm) -> bool:
    given = form.cleaned_data
    file = (given["file"].name, given["file"].read()) if given.get("file") else None
    origin = origin_without_record(found.leg)
    try:
        guest_links.act(
            leg=found.leg,
            verb=given["act"],
            name=given["name"],
            text=given["text"],
            code=given["code"],
            file=file,
            at=now(),
            origin=origin,
        )
    except (transitions.HandoffRefused, NotSaid) as refused:
        form.add_error(None, localized(str(refused)))
        return False
    if origin:
        outbox.known_to_them(found.leg)
    messages.success(request, _("Thank you. “%(action)s” was recorded.") % {"action": GUEST[given["act"]].guest_label})
    return True


def _shown(found: GuestLink, form: GuestLinkForm, token: str, chosen: str) -> dict[str, object]:
    leg = Leg.objects.select_related("ticket", "organisation").get(pk=found.leg_id)
    possible = possible_for_guest(leg)
    said = Message.objects.filter(ticket=leg.ticket, legs=leg, withdrawn_at=None).order_by("pk")
    return {
        "leg": leg,
        "ticket": leg.ticket,
        "form": form,
        "token": token,
        "guest_link": found,
        "said": said.select_related("author_organisation").prefetch_related("attachments"),
        "acts": [(name, GUEST[name].guest_label) for name in sorted(possible, key=lambda name: name != chosen)],
        "can_refuse": bool({"decline", "return"} & set(possible)),
        "chosen": GUEST[chosen].guest_label if chosen in possible else "",
        "gone": GUEST[chosen].guest_label if chosen in GUEST and chosen not in possible and leg.is_open else "",
    }


@never_cache
@require_safe
def guest_link_file(request: HttpRequest, token: str, public_id: str) -> HttpResponse | FileResponse:
    """A file of a message to this engagement, as a download."""
    found = guest_links.find(token)
    if found is None or not guest_links.is_open(found, at=now()):
        raise Http404
    file = Attachment.objects.filter(
        public_id=public_id, ticket=found.leg.ticket, message__legs=found.leg, message__withdrawn_at=None
    ).first()
    if file is None:
        raise Http404
    response = download(file)
    return _closed(response)
