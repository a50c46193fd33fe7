"""What the actions share: the organisation and the text that a rule names, and how an action is registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _lazy

from hub.core.sentences import sentence
from hub.models import Organisation
from workflows.handoffs import transitions
from workflows.lifecycle import triage
from workflows.notifications import templates
from workflows.rules import parameters
from workflows.rules.context import Context
from workflows.rules.execution import ActionRefused
from workflows.rules.parameters import Param
from workflows.rules.registry import ActionKind, Effect, action
from workflows.vendor_change import switch

Params = Mapping[str, Any]
TEXT = Param(
    name="text",
    label=_lazy("text"),
    kind=parameters.Template,
    help=_lazy("May contain names in braces, such as {ticket.label}, {ticket.title}, {ticket.holder} or {why}."),
)
REASON = Param(name="reason", label=_lazy("reason"), kind=parameters.LongText, is_needed=False, default="")


def named(context: Context, params: Params) -> Organisation:
    """The organisation that a rule names, or its successor for the ticket's service; ActionRefused if there is none."""
    known = Organisation.objects.filter(public_id=params["organisation"]).first()
    found = switch.successor(known, context.ticket.service, at=context.at) if known is not None else None
    if found is None or found.archived_at is not None:
        raise ActionRefused(sentence("The organisation named in the rule no longer exists or is archived."))
    return found


def name_of(public_id: str) -> str:
    """The name of the organisation with this public id; the id itself if there is none."""
    return str(Organisation.objects.filter(public_id=public_id).values_list("name", flat=True).first() or public_id)


def within(params: Params) -> timedelta | None:
    """The time to accept, if the rule sets one."""
    return timedelta(minutes=params["accept_minutes"]) if params.get("accept_minutes") else None


def filled(template: str, context: Context, why: str = "") -> str:
    """The text with the ticket's facts in place of the names in braces; ActionRefused for an invalid text."""
    lead = context.lead
    try:
        return templates.filled(
            template, templates.facts_of(context.ticket, leg=lead, why=why or context.reason)
        ).strip()
    except templates.BadTemplate as error:
        raise ActionRefused(
            sentence("The text of the action cannot be filled in: %(error)s", error=str(error))
        ) from error


def refusable(verb: Any, **given: Any) -> None:
    """Call a function of the hand-offs or of joint triage; ActionRefused if it refuses."""
    try:
        verb(**given)
    except (transitions.HandoffRefused, triage.TriageRefused) as refused:
        raise ActionRefused(str(refused)) from refused


def says(template: Any) -> Any:
    """A plan that fills the parameters into a template."""

    def plan(context: Context, params: Params) -> Effect:
        shown = {name: _shown(name, value) for name, value in params.items()}
        for name in ("text", "title"):
            if shown.get(name):
                shown[name] = filled(shown[name], context)
        return Effect(says=str(template) % shown)

    return plan


WHOM: tuple[tuple[str, Any], ...] = (
    ("manager", _lazy("our managers")),
    ("executive", _lazy("our executives")),
    ("agent", _lazy("our agents")),
    ("admin", _lazy("our admins")),
    ("assignee", _lazy("the assignee, otherwise our managers")),
    ("business_owner", _lazy("the business owner of the service")),
    ("requester", _lazy("the requester")),
    ("lead", _lazy("the leading organisation, by e-mail")),
)


def _shown(name: str, value: Any) -> Any:
    """A parameter's value as a person reads it."""
    if name == "organisation" and value:
        return name_of(value)
    if name == "organisations" and value:
        return ", ".join(name_of(each) for each in value)
    if name == "whom":
        return dict(WHOM).get(value, value)
    return "" if value is None else value


def register(slug: str, label: Any, do: Any, plan: Any, *params: Param, help: Any = "") -> None:
    """Register an action."""
    action(ActionKind(slug=slug, label=label, params=params, plan=plan, do=do, help=help))
