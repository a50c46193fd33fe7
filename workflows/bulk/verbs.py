"""What can be done to many tickets at once. Each verb is one call of the function that also acts on a single ticket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.core.sentences import sentence
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import OPEN_STAGES, Leg, Organisation, Team, Ticket, User
from hub.queries import permissions
from hub.queries.tickets import our_number
from hub.translation import Refusal
from workflows.handoffs import comments, engagements
from workflows.incidents import major_incidents
from workflows.lifecycle import priorities, triage
from workflows.rules import execution
from workflows.rules.verbs import RESOLUTION

Given = Mapping[str, Any]


class Refused(Refusal):
    """The action is not possible for this ticket; the message says why."""


@dataclass(frozen=True, kw_only=True)
class BulkVerb:
    """One action."""

    slug: str
    label: Promise | str
    run: Callable[[Ticket, Given, User, datetime], str]
    """Returns what of it failed, empty if nothing did; raises a Refusal if it is not possible."""
    can_undo: bool = True
    """Whether the action changes one ticket only, so that it can be undone."""


def _assign(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    assignee = User.objects.filter(public_id=given.get("assignee", ""), is_active=True).first()
    team = Team.objects.filter(public_id=given.get("team", "")).first()
    if assignee is None and team is None:
        raise Refused(sentence("The person or team no longer exists."))
    if not ticket.is_open:
        raise Refused(sentence("The ticket is no longer open."))
    tickets.assign(ticket=ticket, assignee=assignee, team=team, actor=Actor.person(user), at=at)
    return ""


def _hand_over(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    organisation = Organisation.objects.filter(public_id=given["organisation"]).first()
    if organisation is None:
        raise Refused(sentence("The organisation no longer exists."))
    if why := triage.left_to_others(user, ticket):
        raise Refused(why)
    engagements.hand_over(
        ticket=ticket, organisation=organisation, reason=given.get("reason", ""), actor=Actor.person(user), at=at
    )
    return ""


def _message(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    legs = Leg.objects.filter(ticket=ticket, stage__in=OPEN_STAGES) if given.get("for_engaged") else Leg.objects.none()
    if given.get("for_engaged") and not legs and not given.get("for_requester"):
        raise Refused(sentence("No organisation is engaged on the ticket."))
    if given.get("for_requester") and ticket.requester is None:
        raise Refused(sentence("The ticket has no requester."))
    comments.comment(
        ticket=ticket,
        body=given["body"],
        legs=legs,
        is_for_requester=bool(given.get("for_requester")),
        actor=Actor.person(user),
        at=at,
    )
    return ""


def _priority(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    priorities.override(
        ticket=ticket, priority=given["priority"], reason=given.get("reason", ""), actor=Actor.person(user), at=at
    )
    return ""


def _transition(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    outcome = execution.fire(
        ticket=ticket,
        verb=given["transition"],
        reason=given.get("reason", ""),
        given={name: given[name] for name in RESOLUTION if given.get(name)},
        actor=Actor.person(user),
        at=at,
    )
    return outcome.failed[0] if outcome.failed else ""


def _gather(ticket: Ticket, given: Given, user: User, at: datetime) -> str:
    number = our_number(given["parent"])
    parent = permissions.visible_tickets(user).filter(number=number).first() if number is not None else None
    if parent is None:
        raise Refused(sentence("There is no ticket with the number %(number)s.", number=given["parent"]))
    major_incidents.gather(parent=parent, children=[ticket], actor=Actor.person(user), at=at)
    return ""


VERBS: Mapping[str, BulkVerb] = {
    verb.slug: verb
    for verb in (
        BulkVerb(slug="assign", label=_("Assign"), run=_assign),
        BulkVerb(slug="hand_over", label=_("Hand over"), run=_hand_over),
        BulkVerb(slug="message", label=_("Write a message"), run=_message),
        BulkVerb(slug="priority", label=_("Set the priority"), run=_priority),
        BulkVerb(slug="transition", label=_("Change the status"), run=_transition),
        BulkVerb(slug="gather", label=_("Link to a major incident"), run=_gather, can_undo=False),
    )
}
