"""Notices about tickets that people of ours watch, are assigned to, or are mentioned on.

Nobody is notified of what they did themselves. Who has muted a ticket is only told of mentions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from hub.core import statements
from hub.core.sentences import sentence
from hub.domain.signals import reacts_to
from hub.models import ActorKind, Event, EventKind, Message, Ticket, User
from hub.queries import roles
from workflows.models import Follow
from workflows.notifications import notify
from workflows.notifications.notify import Told

NEWS = frozenset(
    {
        EventKind.MESSAGE_ADDED,
        EventKind.TICKET_ASSIGNED,
        EventKind.TICKET_MOVED,
        EventKind.LEG_DONE,
        EventKind.LEG_DECLINED,
        EventKind.LEG_RETURNED,
        EventKind.LEG_EXPIRED,
    }
)
"""What followers are told of."""
MOST_MENTIONS = 10
_MENTION = re.compile(r"(?<![\w@])@([\w.\-]{2,64})(?: ([\w.\-]{2,64}))?")


def watch(*, user: User, ticket: Ticket) -> None:
    """Let this person be told of news on the ticket."""
    Follow.objects.update_or_create(user=user, ticket=ticket, defaults={"is_muted": False})


def mute(*, user: User, ticket: Ticket) -> None:
    """Tell this person no more of the ticket, except mentions."""
    Follow.objects.update_or_create(user=user, ticket=ticket, defaults={"is_muted": True})


def unfollow(*, user: User, ticket: Ticket) -> None:
    """Neither watched nor muted: the assignee is told, and nobody else."""
    Follow.objects.filter(user=user, ticket=ticket).delete()


@reacts_to(NEWS, name="followers")
def tell_followers(event: Event) -> None:
    """Notify those who are mentioned, the new assignee, and those who follow the ticket, each once."""
    ticket = event.ticket
    mentioned = _mentioned(event) if event.kind == EventKind.MESSAGE_ADDED else []
    for user in mentioned:
        Follow.objects.get_or_create(user=user, ticket=ticket)
    told = {user.pk for user in mentioned}
    _tell(event, "mention", mentioned, sentence("%(who)s mentioned you", who=event.actor_name), by_mail=True)
    followers = [each for each in _followers(ticket) if each.pk not in told and each.public_id != event.actor_id]
    if event.kind == EventKind.TICKET_ASSIGNED:
        new = [each for each in followers if each.public_id == event.payload["assignee"]]
        _tell(
            event, "assigned", new, sentence("%(who)s assigned the ticket to you", who=event.actor_name), by_mail=True
        )
        followers = [each for each in followers if each not in new]
    _tell(event, "followed", followers, sentence("Update on a ticket assigned to you or watched by you"), by_mail=False)


def _tell(event: Event, kind: str, users: Iterable[User], why: str, *, by_mail: bool) -> None:
    people = list(users)
    if not people:
        return
    ticket = Ticket.objects.select_related("status", "service", "holder", "requester").get(pk=event.ticket_id)
    told = Told(key=f"{kind}:{event.ticket_id}:{event.seq}", kind=kind, ticket=ticket, why=why, text=_text(event))
    notify.tell(told, notify.people(people, by_mail=by_mail), at=event.recorded_at)


def _text(event: Event) -> str:
    if event.kind != EventKind.MESSAGE_ADDED:
        return str(event.texts.get("resolution") or event.texts.get("reason") or event.payload.get("reason", ""))
    return Message.objects.values_list("body", flat=True).get(public_id=event.payload["message"])[:2000]


def _followers(ticket: Ticket) -> list[User]:
    """The assignee unless muted, and everybody who watches the ticket."""
    rows = list(_follows(ticket.pk))
    muted = {row.user_id for row in rows if row.is_muted}
    found = {row.user_id: row.user for row in rows if not row.is_muted}
    assignee = ticket.assignee_id
    if assignee is not None and assignee not in muted and assignee not in found:
        user = User.objects.filter(pk=assignee, is_active=True).first()
        found |= {user.pk: user} if user is not None else {}
    return list(found.values())


@statements.select
def _follows(ticket_id: int) -> QuerySet[Follow]:
    return Follow.objects.filter(ticket=ticket_id).select_related("user")


# -- mentions


def _mentioned(event: Event) -> list[User]:
    """Our people whose name or address follows an @ in a message that a person wrote."""
    if event.actor_kind != ActorKind.PERSON:
        return []
    body = Message.objects.values_list("body", flat=True).get(public_id=event.payload["message"])
    return [user for user in mentioned_in(body) if user.public_id != event.actor_id]


def mentioned_in(body: str) -> list[User]:
    """Our people who are mentioned in a text: @Ada, @Ada Agent, or @ada.agent by the beginning of the address.

    A name that several have mentions nobody.
    """
    found: dict[int, User] = {}
    for match in list(_MENTION.finditer(body))[:MOST_MENTIONS]:
        users = _named(match[1].rstrip(".-"), (match[2] or "").rstrip(".-"))
        if len(users) == 1:
            found[users[0].pk] = users[0]
    return list(found.values())


def _named(first: str, second: str) -> list[User]:
    """Those with both words as name; otherwise those whose first name or address is the first word."""
    ours = User.objects.filter(
        is_active=True, memberships__organisation__is_us=True, memberships__role__in=roles.WORKING
    ).distinct()
    if second and (both := list(ours.filter(name__iexact=f"{first} {second}")[:2])):
        return both
    one = Q(name__iexact=first) | Q(name__istartswith=f"{first} ") | Q(email__istartswith=f"{first}@")
    return list(ours.filter(one)[:2])
