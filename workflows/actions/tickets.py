"""Actions on the ticket itself: its fields, its assignment, its transitions, its child tickets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.core.sentences import sentence
from hub.domain import holding, tickets
from hub.models import Priority, Relation, Team, User
from workflows.actions.base import REASON, Params, filled, named, refusable, register, says
from workflows.handoffs import engagements
from workflows.incidents import major_incidents
from workflows.models import Pending
from workflows.rules import parameters
from workflows.rules.context import Context
from workflows.rules.execution import ActionRefused, Execution, carry_out, machine
from workflows.rules.parameters import Param
from workflows.rules.registry import Effect

SETTABLE = (("title", _lazy("title")), ("impact", _lazy("impact")), ("urgency", _lazy("urgency")))
VERB = Param(name="verb", label=_lazy("transition"), kind=parameters.Verb)


def _set_field(context: Context, params: Params, execution: Execution) -> str:
    value: Any = params["value"]
    if params["field"] in ("impact", "urgency"):
        value = int(value)
    tickets.edit_ticket(
        ticket=context.ticket,
        changes={params["field"]: value},
        actor=execution.actor,
        at=execution.at,
        origin=execution.origin,
    )
    return _("%(field)s set to %(value)s") % {"field": dict(SETTABLE)[params["field"]], "value": value}


def _set_priority(context: Context, params: Params, execution: Execution) -> str:
    tickets.set_priority(
        ticket=context.ticket,
        priority=params["priority"],
        reason=params["reason"] or execution.rule,
        actor=execution.actor,
        at=execution.at,
        origin=execution.origin,
    )
    return _("priority set to %(priority)s") % {"priority": params["priority"]}


def _raised(context: Context, params: Params) -> str:
    order = list(Priority.values)
    at = order.index(context.ticket.priority) if context.ticket.priority in order else len(order) - 1
    return str(order[max(at - params["steps"], 0)])


def _raise_priority(context: Context, params: Params, execution: Execution) -> str:
    return _set_priority(context, {"priority": _raised(context, params), "reason": ""}, execution)


def _assign_team(context: Context, params: Params, execution: Execution) -> str:
    team = Team.objects.filter(public_id=params["team"]).first()
    if team is None:
        raise ActionRefused(sentence("The team named in the rule no longer exists."))
    tickets.assign(ticket=context.ticket, team=team, actor=execution.actor, at=execution.at, origin=execution.origin)
    return _("assigned to %(assignee)s") % {"assignee": team}


def _assign_person(context: Context, params: Params, execution: Execution) -> str:
    user = User.objects.filter(email__iexact=params["email"], is_active=True).first()
    if user is None:
        raise ActionRefused(sentence("There is no active user with the address %(email)s.", email=params["email"]))
    tickets.assign(
        ticket=context.ticket, assignee=user, actor=execution.actor, at=execution.at, origin=execution.origin
    )
    return _("assigned to %(assignee)s") % {"assignee": user}


def _move(context: Context, params: Params, execution: Execution) -> str:
    nested = execution.nested(actor=machine(execution.rule))
    carry_out(nested, params["verb"], reason=context.reason or execution.rule)
    return _("“%(verb)s” carried out") % {"verb": params["verb"]}


def _schedule(context: Context, params: Params, execution: Execution) -> str:
    due = execution.at + timedelta(minutes=params["minutes"])
    key = f"verb:{params['verb']}:{context.ticket.last_seq}"
    Pending.objects.get_or_create(
        ticket=context.ticket,
        key=key,
        defaults={
            "rule": "verb",
            "params": {"verb": params["verb"], "status": context.ticket.status_id},
            "due_at": due,
            "made_at": execution.at,
            **holding.mark(),
        },
    )
    return _("“%(verb)s” scheduled for %(when)s") % {"verb": params["verb"], "when": f"{due:%Y-%m-%d %H:%M} UTC"}


def _set_major(context: Context, params: Params, execution: Execution) -> str:
    major_incidents.declare(ticket=context.ticket, is_major=params["is_major"], actor=execution.actor, at=execution.at)
    return _("major incident declared") if params["is_major"] else _("major incident ended")


def _open_child(context: Context, params: Params, execution: Execution) -> str:
    made = tickets.open_ticket(
        title=filled(params["title"], context) or context.ticket.title,
        description=context.ticket.description,
        priority=context.ticket.priority,
        service=context.ticket.service,
        requester=context.ticket.requester,
        actor=execution.actor,
        at=execution.at,
    )
    tickets.relate(ticket=context.ticket, other=made, kind=Relation.Kind.PARENT, actor=execution.actor, at=execution.at)
    if params["organisation"]:
        refusable(
            engagements.offer, ticket=made, organisation=named(context, params), actor=execution.actor, at=execution.at
        )
    return _("child ticket %(ticket)s opened") % {"ticket": made.label}


def _plan_set_field(_context: Context, params: Params) -> Effect:
    field = dict(SETTABLE).get(params["field"], params["field"])
    return Effect(says=_("set %(field)s to %(value)s") % {"field": field, "value": params["value"]})


def _plan_raise(context: Context, params: Params) -> Effect:
    return Effect(says=_("set the priority to %(priority)s") % {"priority": _raised(context, params)})


def _plan_set_major(_context: Context, params: Params) -> Effect:
    return Effect(says=_("declare a major incident") if params["is_major"] else _("end the major incident"))


register(
    "set_field",
    _lazy("set a field"),
    _set_field,
    _plan_set_field,
    Param(name="field", label=_lazy("field"), kind=parameters.Choice, choices=SETTABLE),
    Param(name="value", label=_lazy("value")),
)
register(
    "set_priority",
    _lazy("set the priority"),
    _set_priority,
    says(_lazy("set the priority to %(priority)s")),
    Param(name="priority", label=_lazy("priority"), kind=parameters.PriorityChoice),
    REASON,
)
register(
    "raise_priority",
    _lazy("raise the priority"),
    _raise_priority,
    _plan_raise,
    Param(name="steps", label=_lazy("steps"), kind=parameters.Number, least=1, most=3, default=1),
)
register(
    "assign_team",
    _lazy("assign to a team"),
    _assign_team,
    says(_lazy("assign to a team")),
    Param(name="team", label=_lazy("team"), kind=parameters.Team),
)
register(
    "assign_person",
    _lazy("assign to a person"),
    _assign_person,
    says(_lazy("assign to %(email)s")),
    Param(name="email", label=_lazy("e-mail address")),
)
register(
    "open_child",
    _lazy("open a child ticket"),
    _open_child,
    says(_lazy("open a child ticket: %(title)s")),
    Param(name="title", label=_lazy("title"), kind=parameters.Template),
    Param(name="organisation", label=_lazy("offer to"), kind=parameters.Organisation, is_needed=False),
)
register(
    "schedule",
    _lazy("carry out a transition later"),
    _schedule,
    says(_lazy("carry out “%(verb)s” in %(minutes)s minutes")),
    VERB,
    Param(name="minutes", label=_lazy("minutes from now"), kind=parameters.Number, least=1, most=525_600),
)
register("move", _lazy("carry out another transition now"), _move, says(_lazy("carry out “%(verb)s”")), VERB)
register(
    "set_major",
    _lazy("declare or end a major incident"),
    _set_major,
    _plan_set_major,
    Param(name="is_major", label=_lazy("major incident"), kind=parameters.Flag, default=True),
)
