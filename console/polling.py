"""What every open page asks every two seconds: has anything changed?

A page of somebody who sees everything carries a signed pass, so that the usual answer, *nothing new*, needs no session
and comes from `hub.polls`. The pass says only that its bearer may know that something has changed. It ends after ten
minutes; then the session is checked, and the page gets another pass.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs

from django.core import signing
from django.db.models import Q, QuerySet, Subquery
from django.utils.crypto import salted_hmac

from connectors.models import Attempt, Inbound
from hub.core import statements
from hub.models import Event, Organisation, User
from hub.queries import permissions

PASS_AGE = timedelta(minutes=10)
MOST_KEYS = 1000
"""Up to so many tickets, the events of a vendor or requester are looked up by their tickets."""
LONGEST_QUERY = 1000
"""Bytes of the longest query string of a poll; ours have about a hundred."""
_signer = signing.TimestampSigner(salt="console.polling")
_SEES_EVERYTHING = "all"


def live_cursor(user: User) -> str:
    """A short text that changes whenever a page would look different for this user.

    For users who do not see everything, it reveals only that one of their own tickets has changed.
    """
    if permissions.sees_everything(user):
        return newest()
    keys = permissions.visible_keys(user, most=MOST_KEYS)
    # With few tickets, their events are looked up; with more, an event of one of them is soon found among the newest.
    own = Q(ticket__in=keys) if keys is not None else Q(ticket__in=permissions.visible_tickets(user).values("pk"))
    event = Event.objects.filter(own).order_by("-pk").values_list("pk", flat=True).first() or 0
    return salted_hmac("console.live", f"{user.pk}.{event}").hexdigest()[:16]


def pass_for(user: User) -> str:
    """The signed pass of a page; empty for users who do not see everything."""
    return _signer.sign(_SEES_EVERYTHING) if permissions.sees_everything(user) else ""


def is_valid(signed: str) -> bool:
    """Whether the pass is ours and has not ended."""
    try:
        return _signer.unsign(signed, max_age=PASS_AGE) == _SEES_EVERYTHING
    except signing.BadSignature:
        return False


def cursor_of(query: bytes) -> str | None:
    """The cursor in the query string of a poll with a valid pass; None without one."""
    given = parse_qs(query.decode("latin-1")) if len(query) <= LONGEST_QUERY else {}
    return given.get("cursor", [""])[0] if is_valid(given.get("pass", [""])[0]) else None


def newest() -> str:
    """The newest event, attempt to send and received item: the cursor of whoever sees everything. One query."""
    found = _newest_keys.first()
    return "0" if found is None else ".".join(str(each or 0) for each in found)


@statements.select
def _newest_keys() -> QuerySet[Organisation, tuple[int | None, ...]]:
    newest = [model.objects.order_by("-pk").values("pk")[:1] for model in (Event, Attempt, Inbound)]
    return Organisation.objects.filter(is_us=True).values_list(*(Subquery(each) for each in newest))
