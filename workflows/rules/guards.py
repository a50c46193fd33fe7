"""All guards. Each returns why it does not hold, as a sentence; it reads only the facts and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.core.sentences import sentence, sentences
from hub.expressions import Failed, expression
from hub.models import Calendar, Contract, Organisation, Priority, Service, Target, Ticket
from hub.queries.calendars import calendar_of
from workflows.rules import parameters
from workflows.rules.context import Context, all_done
from workflows.rules.parameters import EXPRESSION_NAMES, Param
from workflows.rules.registry import GuardKind, guard

Params = Mapping[str, Any]
FIELDS = (
    ("kind", _lazy("kind")),
    ("priority", _lazy("priority")),
    ("impact", _lazy("impact")),
    ("urgency", _lazy("urgency")),
    ("title", _lazy("title")),
    ("hold_reason", _lazy("reason for the holder")),
)
FILLED = (
    ("requester", _lazy("requester")),
    ("service", _lazy("service")),
    ("asset", _lazy("asset")),
    ("site", _lazy("site")),
    ("description", _lazy("description")),
    ("assignee", _lazy("assignee")),
    ("team", _lazy("team")),
    ("impact", _lazy("impact")),
    ("urgency", _lazy("urgency")),
)
PRIORITIES = tuple(Priority.choices)
OPERATORS = (("is", _lazy("is")), ("is_not", _lazy("is not")), ("contains", _lazy("contains")))
COMPARED = (("at_least", _lazy("at least")), ("at_most", _lazy("at most")))
_COMPARISON = Param(
    name="operator", label=_lazy("comparison"), kind=parameters.Choice, choices=COMPARED, default="at_least"
)


def _field_is(context: Context, params: Params) -> str:
    value = str(getattr(context.ticket, params["field"]) or "").lower()
    wanted = str(params["value"]).lower()
    holds = {"is": value == wanted, "is_not": value != wanted, "contains": wanted in value}[params["operator"]]
    if holds:
        return ""
    return sentence(
        "The field “%(field)s” is %(value)s and does not match %(wanted)s.",
        field=dict(FIELDS)[params["field"]],
        value=value or "–",
        wanted=params["value"],
    )


def _priority_in(context: Context, params: Params) -> str:
    priority, wanted = context.ticket.priority, params["priorities"]
    if priority in wanted:
        return ""
    return sentence("The priority is %(priority)s, not %(wanted)s.", priority=priority, wanted=", ".join(wanted))


def _service_tier(context: Context, params: Params) -> str:
    service = context.ticket.service
    if service is None:
        return sentence("The ticket has no service.")
    if service.tier <= params["most"]:
        return ""
    return sentence(
        "%(service)s is tier %(tier)s; at most tier %(most)s is allowed.",
        service=service,
        tier=service.tier,
        most=params["most"],
    )


def _service_is(context: Context, params: Params) -> str:
    service = context.ticket.service
    if service is not None and service.public_id == params["service"]:
        return ""
    wanted = Service.objects.filter(public_id=params["service"]).first()
    return sentence("The service is %(service)s, not %(wanted)s.", service=service or sentence("none"), wanted=wanted)


def _kind_is(context: Context, params: Params) -> str:
    if context.ticket.kind in params["kinds"]:
        return ""
    return sentence("Not allowed for tickets of the kind “%(kind)s”.", kind=context.ticket.get_kind_display())


def _vip(context: Context, _params: Params) -> str:
    requester = context.ticket.requester
    return "" if requester is not None and requester.is_vip else sentence("The requester is not a VIP.")


def _party_is(context: Context, params: Params) -> str:
    ticket, lead = context.ticket, context.lead
    party = {"holder": ticket.holder, "owner": ticket.owner, "lead": lead.organisation if lead else None}[
        params["party"]
    ]
    if party is not None and party.public_id == params["organisation"]:
        return ""
    wanted = Organisation.objects.filter(public_id=params["organisation"]).first()
    return sentence(
        "The %(party)s is %(who)s, not %(wanted)s.",
        party=dict(PARTIES)[params["party"]],
        who=party or sentence("none"),
        wanted=wanted,
    )


PARTIES = (
    ("holder", _lazy("holder")),
    ("owner", _lazy("accountable organisation")),
    ("lead", _lazy("leading organisation")),
)


def _evidence(context: Context, params: Params) -> str:
    count = context.attachments if params["what"] == "attachments" else context.messages
    if count >= params["least"]:
        return ""
    what = dict(EVIDENCE)[params["what"]]
    return sentence("Too few %(what)s: %(count)s of %(least)s.", what=what, count=count, least=params["least"])


EVIDENCE = (("messages", _lazy("messages")), ("attachments", _lazy("attachments")))


def _all_legs_done(context: Context, _params: Params) -> str:
    if all_done(context.legs):
        return ""
    names = ", ".join(str(leg.organisation) for leg in context.open_legs if leg.is_blocking)
    return sentence("Not done yet: %(names)s.", names=names)


def _nobody_engaged(context: Context, _params: Params) -> str:
    names = ", ".join(str(leg.organisation) for leg in context.open_legs)
    return sentence("Still engaged: %(names)s.", names=names) if names else ""


def _compared(found: float, params: Params) -> bool:
    number = float(params["number"])
    return found >= number if params["operator"] == "at_least" else found <= number


def _bounces(context: Context, params: Params) -> str:
    if _compared(context.ticket.bounces, params):
        return ""
    return sentence(
        "Number of returns: %(count)s, not %(operator)s %(number)s.",
        count=context.ticket.bounces,
        operator=dict(COMPARED)[params["operator"]],
        number=params["number"],
    )


def _reopened(context: Context, params: Params) -> str:
    cycles = max((clock.cycle for clock in context.clocks), default=0)
    if cycles >= params["least"]:
        return ""
    return sentence(
        "Number of times reopened: %(count)s; required: at least %(least)s.", count=cycles, least=params["least"]
    )


def _calendar_open(context: Context, params: Params) -> str:
    row = Calendar.objects.filter(public_id=params["calendar"]).first()
    if row is None:
        return sentence("The calendar no longer exists; choose another one in the workflow.")
    at = int(context.at.timestamp())
    if calendar_of(row).next_open(at) == at:
        return ""
    return sentence("Outside the hours of %(calendar)s.", calendar=row.name)


def _clock_used(context: Context, params: Params) -> str:
    used = context.used(params["target"], params["contract"])
    if used is None:
        return sentence("The ticket has no such clock.")
    if _compared(used, params):
        return ""
    return sentence(
        "The clock has used %(used)s%% of its goal, not %(operator)s %(number)s%%.",
        used=int(used),
        operator=dict(COMPARED)[params["operator"]],
        number=params["number"],
    )


def _fields_filled(context: Context, params: Params) -> str:
    missing = [name for name in params["fields"] if getattr(context.ticket, name) in (None, "")]
    missing = [name for name in missing if context.given.get(name) in (None, "")]
    names = ", ".join(str(dict(FILLED).get(name, name)) for name in missing)
    return sentence("Fill in first: %(fields)s.", fields=names) if missing else ""


def _reason_given(context: Context, _params: Params) -> str:
    return "" if context.reason.strip() else sentence("Enter a reason.")


def _children_closed(context: Context, _params: Params) -> str:
    count = context.open_children
    if not count:
        return ""
    return sentences("%(count)d child ticket is open.", "%(count)d child tickets are open.", count, count=count)


def _expression(context: Context, params: Params) -> str:
    try:
        holds = expression(params["expression"], names=EXPRESSION_NAMES)(context.plain())
    except Failed as error:
        return str(error)
    if holds is True:
        return ""
    return params["says"] or sentence("The condition is not met: %(expression)s", expression=params["expression"])


def _never_compared(params: Params) -> str:
    return _("Enter at most 100,000.") if params["number"] > 100_000 else ""


def _never_true(params: Params) -> str:
    is_false = str(params["expression"]).strip() in ("false", "1 == 2", "null")
    return _("The expression is always false.") if is_false else ""


guard(
    GuardKind(
        slug="field_is",
        label=_lazy("a field is …"),
        negated=_lazy("Not allowed with this value of the field."),
        judge=_field_is,
        params=(
            Param(name="field", label=_lazy("field"), kind=parameters.Choice, choices=FIELDS),
            Param(name="operator", label=_lazy("comparison"), kind=parameters.Choice, choices=OPERATORS, default="is"),
            Param(name="value", label=_lazy("value")),
        ),
    )
)
guard(
    GuardKind(
        slug="priority_in",
        label=_lazy("the priority is one of …"),
        negated=_lazy("Not allowed at this priority."),
        judge=_priority_in,
        params=(Param(name="priorities", label=_lazy("priorities"), kind=parameters.Choices, choices=PRIORITIES),),
    )
)
guard(
    GuardKind(
        slug="service_tier",
        label=_lazy("the service tier is at most …"),
        negated=_lazy("Not allowed for a service of this tier."),
        judge=_service_tier,
        params=(Param(name="most", label=_lazy("tier"), kind=parameters.Number, least=1, most=4, default=1),),
    )
)
guard(
    GuardKind(
        slug="service_is",
        label=_lazy("the service is …"),
        negated=_lazy("Not allowed for this service."),
        judge=_service_is,
        params=(Param(name="service", label=_lazy("service"), kind=parameters.Service),),
    )
)
guard(
    GuardKind(
        slug="kind_is",
        label=_lazy("the kind of ticket is …"),
        negated=_lazy("Not allowed for this kind of ticket."),
        judge=_kind_is,
        params=(
            Param(name="kinds", label=_lazy("kinds"), kind=parameters.Choices, choices=tuple(Ticket.Kind.choices)),
        ),
    )
)
guard(GuardKind(slug="requester_is_vip", label=_lazy("the requester is a VIP"), judge=_vip))
guard(
    GuardKind(
        slug="party_is",
        label=_lazy("a party is …"),
        negated=_lazy("Not allowed with this organisation."),
        judge=_party_is,
        params=(
            Param(name="party", label=_lazy("party"), kind=parameters.Choice, choices=PARTIES, default="holder"),
            Param(name="organisation", label=_lazy("organisation"), kind=parameters.Organisation),
        ),
    )
)
guard(
    GuardKind(
        slug="has_evidence",
        label=_lazy("there is evidence"),
        judge=_evidence,
        params=(
            Param(name="what", label=_lazy("what"), kind=parameters.Choice, choices=EVIDENCE, default="attachments"),
            Param(name="least", label=_lazy("at least"), kind=parameters.Number, least=1, most=100, default=1),
        ),
    )
)
guard(GuardKind(slug="all_legs_done", label=_lazy("every organisation is done"), judge=_all_legs_done))
guard(GuardKind(slug="nobody_engaged", label=_lazy("no organisation is engaged"), judge=_nobody_engaged))
guard(
    GuardKind(
        slug="bounce_count",
        label=_lazy("the ticket was returned … times"),
        negated=_lazy("Not allowed after this number of returns."),
        judge=_bounces,
        can_hold=_never_compared,
        params=(
            _COMPARISON,
            Param(name="number", label=_lazy("times"), kind=parameters.Number),
        ),
    )
)
guard(
    GuardKind(
        slug="reopened",
        label=_lazy("the ticket was reopened"),
        judge=_reopened,
        params=(
            Param(name="least", label=_lazy("at least … times"), kind=parameters.Number, least=1, most=100, default=1),
        ),
    )
)
guard(
    GuardKind(
        slug="calendar_open",
        label=_lazy("within the hours of a calendar"),
        negated=_lazy("Not allowed within the hours of this calendar."),
        judge=_calendar_open,
        params=(Param(name="calendar", label=_lazy("calendar"), kind=parameters.Calendar),),
    )
)
guard(
    GuardKind(
        slug="clock_used",
        label=_lazy("a clock has used …"),
        negated=_lazy("Not allowed at this level of the clock."),
        judge=_clock_used,
        can_hold=_never_compared,
        params=(
            Param(
                name="target",
                label=_lazy("target"),
                kind=parameters.Choice,
                default="resolve",
                choices=tuple(Target.Kind.choices),
            ),
            Param(
                name="contract",
                label=_lazy("contract"),
                kind=parameters.Choice,
                choices=tuple(Contract.Kind.choices),
                default="sla",
            ),
            _COMPARISON,
            Param(name="number", label=_lazy("percent"), kind=parameters.Number),
        ),
    )
)
guard(
    GuardKind(
        slug="fields_filled",
        label=_lazy("fields are filled in"),
        judge=_fields_filled,
        params=(Param(name="fields", label=_lazy("fields"), kind=parameters.Choices, choices=FILLED),),
    )
)
guard(GuardKind(slug="reason_given", label=_lazy("a reason is given"), judge=_reason_given))
guard(GuardKind(slug="children_closed", label=_lazy("every child ticket is closed"), judge=_children_closed))
guard(
    GuardKind(
        slug="expression",
        label=_lazy("an expression (CEL)"),
        negated=_lazy("Not allowed while the expression is true."),
        judge=_expression,
        can_hold=_never_true,
        params=(
            Param(
                name="expression",
                label=_lazy("expression"),
                kind=parameters.Expression,
                help=_lazy(
                    "For example: ticket.priority == 'P1' && requester.is_vip. "
                    "Available names: ticket, lead, requester, legs, clocks."
                ),
            ),
            Param(name="says", label=_lazy("message if the expression is false"), is_needed=False, default=""),
        ),
    )
)
