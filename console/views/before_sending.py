"""What will be sent, to whom, before it is sent: on request, and if it seems to contain a password or the like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from connectors.engine.outbound import sensitive
from connectors.engine.outbound.sensitive import SensitiveDataWarning
from console.forms.engagements import HandOverForm
from console.forms.tickets import CommentForm
from console.rows.audiences import channel_of
from hub.models import OPEN_STAGES, Leg, Organisation, Ticket
from workflows.handoffs import briefing


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Who receives something, how, and exactly what."""

    name: str
    channel: str
    text: str


def message(request: HttpRequest, ticket: Ticket, form: CommentForm) -> HttpResponse | None:
    """The page before a message is sent, if it was asked for or people should be warned; None to send it."""
    given = form.cleaned_data
    legs = _addressed(ticket, given)
    files = list(_contents(given["attached"]))
    warned = sensitive.warnings([leg.organisation for leg in legs], given["body"], files)
    digests = [(name, sha256(content).hexdigest()) for name, content in files]
    sealed = _seal(given["body"], [leg.pk for leg in legs], digests)
    if not _is_shown(request, warned, sealed):
        return None
    rules = sensitive.rules_of([leg.organisation for leg in legs])
    receivers = [_receiver(leg.organisation, channel_of(leg), given["body"], rules) for leg in legs]
    if given["for_requester"] and ticket.requester is not None:
        receivers.append(Receiver(name=ticket.requester.name, channel=_("the requester"), text=given["body"]))
    shown = {"receivers": receivers, "warned": warned, "sealed": sealed, "for_all": given["for_all"]}
    return _page(request, ticket, form, shown | {"act": "comment", "files": [name for name, _content in files]})


def hand_over(request: HttpRequest, ticket: Ticket, form: HandOverForm) -> HttpResponse | None:
    """The page before a ticket is handed over, if it was asked for or people should be warned; None to go on."""
    given = form.cleaned_data
    organisation: Organisation = given["organisation"]
    text = briefing.brief(ticket, to=organisation, reason=given["reason"], also=given["also"])
    warned = sensitive.warnings([organisation], text)
    sealed = _seal(text, [organisation.pk])
    if not _is_shown(request, warned, sealed):
        return None
    rules = sensitive.rules_of([organisation])
    channel = _("with the ticket") if organisation.pk in rules else _("by e-mail, on this console or a guest link")
    receiver = Receiver(
        name=organisation.name, channel=channel, text=sensitive.as_sent(rules.get(organisation.pk, ""), text)
    )
    return _page(
        request, ticket, form, {"receivers": [receiver], "warned": warned, "sealed": sealed, "act": "hand_over"}
    )


def in_bulk(
    verb: str, given: dict[str, Any], tickets: Sequence[Ticket]
) -> list[tuple[SensitiveDataWarning, list[str]]]:
    """What people should know before a bulk action sends something to vendors, each with the tickets that it concerns.

    `given`: the values of its form. Tickets are named where the text that is sent differs from one to another.
    """
    if verb == "message" and given["for_engaged"]:
        receivers = Organisation.objects.filter(legs__ticket__in=tickets, legs__stage__in=OPEN_STAGES)
        return [(each, []) for each in sensitive.warnings(receivers.distinct().order_by("name"), given["body"])]
    if verb != "hand_over":
        return []
    found: dict[SensitiveDataWarning, list[str]] = {}
    for ticket in tickets:
        text = briefing.brief(ticket, to=given["organisation"], reason=given["reason"])
        for each in sensitive.warnings([given["organisation"]], text):
            found.setdefault(each, []).append(ticket.label)
    return list(found.items())


def _receiver(organisation: Organisation, channel: str, text: str, rules: dict[int, str]) -> Receiver:
    sent = sensitive.as_sent(rules.get(organisation.pk, ""), text)
    return Receiver(name=organisation.name, channel=channel, text=sent)


def _is_shown(request: HttpRequest, warned: list[SensitiveDataWarning], sealed: str) -> bool:
    if request.POST.get("preview") or any(each.is_refused for each in warned):
        return True
    return bool(warned) and request.POST.get("confirmed") != sealed


def _seal(*what: object) -> str:
    """A seal of what people were warned of: another text, receiver or file needs another confirmation."""
    return salted_hmac("console.before_sending", json.dumps(what)).hexdigest()


def _addressed(ticket: Ticket, given: dict[str, Any]) -> list[Leg]:
    legs = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES).select_related("organisation", "link__connection")
    if not given["for_all"]:
        legs = legs.filter(pk__in=[leg.pk for leg in given["legs"]])
    return [leg for leg in legs.order_by("number") if not leg.organisation.is_us]


def _contents(files: Iterable[UploadedFile[Any]]) -> Iterable[tuple[str, bytes]]:
    """The files with their contents; they stay readable."""
    for file in files:
        yield str(file.name), file.read()
        file.seek(0)


def _page(
    request: HttpRequest, ticket: Ticket, form: CommentForm | HandOverForm, shown: dict[str, Any]
) -> HttpResponse:
    is_refused = any(each.is_refused for each in shown["warned"])
    return render(
        request,
        "console/before_sending.html",
        shown | {"ticket": ticket, "form": form, "is_refused": is_refused, "page": "tickets"},
    )
