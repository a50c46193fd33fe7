"""Transitions of a ticket's workflow with the fields they require."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.forms import BoundField

from console.forms.tickets import VerbForm
from hub.models import Ticket, User
from hub.queries import permissions
from workflows.rules.context import context
from workflows.rules.roles import roles_on
from workflows.rules.verbs import Verb, available


@dataclass(frozen=True, kw_only=True)
class VerbRow:
    """One transition and its fields."""

    verb: Verb
    fields: Sequence[BoundField]


def verb_rows(user: User, ticket: Ticket, *, at: datetime) -> list[VerbRow]:
    """All transitions of the ticket's workflow; readers who do not work on it get only those they can use."""
    if ticket.is_history:
        return []
    found = available(context(ticket, at=at), roles=roles_on(user, ticket))
    if not permissions.may_work(user):
        found = [verb for verb in found if not verb.why_not]
    blank = VerbForm(initial={name: getattr(ticket, name, None) for name in ("impact", "urgency", "title")})
    return [VerbRow(verb=verb, fields=[blank[name] for name in verb.needs]) for verb in found]
