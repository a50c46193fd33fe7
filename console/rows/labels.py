"""Labels of what lists and pages show of tickets."""

from __future__ import annotations

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.models import SearchEntry
from hub.search.finding import Hit

FOUND_IN: dict[str, Promise | str] = {
    SearchEntry.Kind.TICKET: _("Description:"),
    SearchEntry.Kind.REQUESTER: _("Requester:"),
    SearchEntry.Kind.ADDRESS: _("Requester:"),
    SearchEntry.Kind.NUMBER: _("Vendor's number:"),
    SearchEntry.Kind.ATTACHMENT: _("Attachment:"),
}
REASONS = {
    "to_assign": _("to assign"),
    "to_accept": _("to accept"),
    "to_verify": _("to verify"),
    "working": _("working"),
    "transport": _("on its way"),
    "to_send": _("about to be sent"),
    "waiting_requester": _("waiting for the requester"),
    "waiting_unasked": _("requester not asked yet"),
    "waiting_us": _("waiting for us"),
    "waiting_own": _("waiting"),
    "waiting_circle": _("circular wait"),
    "awaited": _("awaited by another organisation"),
    "contested": _("in joint triage"),
    "unrecorded": _("not recorded"),
}
PHASES = {
    "new": "bg-orange-lt",
    "active": "bg-green-lt",
    "waiting": "bg-yellow-lt",
    "resolved": "bg-azure-lt",
    "closed": "bg-secondary-lt",
    "cancelled": "bg-secondary-lt",
}


def where_found(hit: Hit) -> str:
    """Which text of a ticket was found."""
    at = date_format(localtime(hit.at), "MOMENT_FORMAT") if hit.at is not None else ""
    if hit.kind == SearchEntry.Kind.MESSAGE and hit.author:
        return gettext("Message from %(author)s, %(at)s:") % {"author": hit.author, "at": at}
    if hit.kind == SearchEntry.Kind.MESSAGE:
        return gettext("Message of %(at)s:") % {"at": at}
    return str(FOUND_IN.get(hit.kind, ""))


def reason(value: str) -> str:
    """The label of the reason why the holder has the ticket."""
    return str(REASONS.get(value, value.replace("_", " ")))


def phase_class(value: str) -> str:
    """The CSS class of a phase."""
    return PHASES.get(value, "bg-secondary-lt")
