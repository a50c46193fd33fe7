"""Actions between organisations: offer, hand over, recall, resume, start joint triage."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from hub.core.sentences import sentence
from hub.models import Stage
from workflows.actions.base import REASON, Params, name_of, named, refusable, register, says, within
from workflows.handoffs import engagements, stages
from workflows.lifecycle import triage
from workflows.notifications import notify
from workflows.rules import parameters
from workflows.rules.context import Context
from workflows.rules.execution import ActionRefused, Execution
from workflows.rules.parameters import Param
from workflows.rules.registry import Effect

ACCEPT = Param(
    name="accept_minutes",
    label=_lazy("minutes to accept"),
    kind=parameters.Number,
    is_needed=False,
    least=1,
    most=100_000,
    help=_lazy("Counted around the clock; then the offer expires. Leave empty to use the workflow's value."),
)
WHO = Param(name="organisation", label=_lazy("organisation"), kind=parameters.Organisation)


def _hand_over(context: Context, params: Params, execution: Execution) -> str:
    organisation = named(context, params)
    refusable(
        engagements.hand_over,
        ticket=context.ticket,
        organisation=organisation,
        actor=execution.actor,
        at=execution.at,
        reason=params.get("reason") or "",
        accept_within=within(params),
    )
    return _("handed over to %(organisation)s") % {"organisation": organisation}


def _offer(context: Context, params: Params, execution: Execution) -> str:
    organisation = named(context, params)
    refusable(
        engagements.offer,
        ticket=context.ticket,
        organisation=organisation,
        actor=execution.actor,
        at=execution.at,
        reason=params["reason"] or "",
        is_lead=False,
        is_blocking=params["is_blocking"],
        accept_within=within(params),
    )
    return _("also offered to %(organisation)s") % {"organisation": organisation}


def _next(context: Context, params: Params) -> str:
    """The public id of the first organisation on the list that has not been engaged on the ticket yet."""
    tried = {leg.organisation.public_id for leg in context.legs}
    return next((public_id for public_id in params["organisations"] if public_id not in tried), "")


def _offer_next(context: Context, params: Params, execution: Execution) -> str:
    following = _next(context, params)
    if not following:
        raise ActionRefused(
            sentence("Every organisation on the list has already been engaged; decide who to engage next.")
        )
    return _hand_over(context, {**params, "organisation": following}, execution)


def _recall(context: Context, params: Params, execution: Execution) -> str:
    legs = context.open_legs
    for leg in legs:
        refusable(
            engagements.recall,
            leg=leg,
            reason=params["reason"] or execution.rule,
            actor=execution.actor,
            at=execution.at,
        )
    text = ngettext("%(count)d organisation recalled", "%(count)d organisations recalled", len(legs))
    return text % {"count": len(legs)}


def _resume(context: Context, _params: Params, execution: Execution) -> str:
    waiting = [leg for leg in context.legs if leg.stage == Stage.WAITING and leg.waits_on in ("us", "requester")]
    for leg in waiting:
        refusable(stages.resume, leg=leg, actor=execution.actor, at=execution.at, within=execution)
    text = ngettext("%(count)d organisation resumed", "%(count)d organisations resumed", len(waiting))
    return text % {"count": len(waiting)}


def _start_triage(context: Context, params: Params, execution: Execution) -> str:
    owner = next(iter(notify.in_role(params["owner"])), None)
    refusable(
        triage.start,
        ticket=context.ticket,
        cause=execution.rule[:32],
        reason=params["reason"] or execution.rule,
        owner=owner,
        minutes=params["minutes"],
        actor=execution.actor,
        at=execution.at,
    )
    return _("joint triage started")


def _plan_hand_over(context: Context, params: Params) -> Effect:
    name = name_of(params["organisation"])
    engaged = {leg.organisation.public_id for leg in context.open_legs}
    refusal = _("%(name)s is already engaged.") % {"name": name} if params["organisation"] in engaged else ""
    return Effect(says=in_minutes(_("hand over to %(name)s") % {"name": name}, params), why_not=refusal)


def _plan_next(context: Context, params: Params) -> Effect:
    following = _next(context, params)
    if not following:
        return Effect(
            says=_("offer to the next vendor"), why_not=_("Every organisation on the list has already been engaged.")
        )
    text = _("hand over to %(name)s, the next on the list") % {"name": name_of(following)}
    return Effect(says=in_minutes(text, params))


def in_minutes(action: str, params: Params) -> str:
    """The description of an offer, with the time to accept if the rule sets one."""
    minutes = params.get("accept_minutes")
    if not minutes:
        return action
    text = ngettext(
        "%(action)s, %(minutes)d minute to accept", "%(action)s, %(minutes)d minutes to accept", int(minutes)
    )
    return text % {"action": action, "minutes": int(minutes)}


def _plan_recall(context: Context, _params: Params) -> Effect:
    names = ", ".join(str(leg.organisation) for leg in context.open_legs)
    return Effect(says=_("recall %(names)s") % {"names": names} if names else _("no organisation to recall"))


register("hand_over", _lazy("hand over"), _hand_over, _plan_hand_over, WHO, REASON, ACCEPT)
register(
    "offer_next",
    _lazy("offer to the next vendor"),
    _offer_next,
    _plan_next,
    Param(name="organisations", label=_lazy("organisations, in order"), kind=parameters.Organisations),
    REASON,
    ACCEPT,
    help=_lazy("The first organisation on the list that has not been engaged on this ticket yet."),
)
register(
    "offer",
    _lazy("engage another organisation as well"),
    _offer,
    says(_lazy("also offer to %(organisation)s")),
    WHO,
    REASON,
    ACCEPT,
    Param(name="is_blocking", label=_lazy("blocks the resolution"), kind=parameters.Flag, default=True),
)
register("recall_legs", _lazy("recall every organisation"), _recall, _plan_recall, REASON)
register("resume_legs", _lazy("resume waiting engagements"), _resume, says(_lazy("resume waiting engagements")))
register(
    "start_triage",
    _lazy("start joint triage"),
    _start_triage,
    says(_lazy("start joint triage")),
    REASON,
    Param(name="owner", label=_lazy("decision owner"), kind=parameters.Role, default="manager"),
    Param(
        name="minutes",
        label=_lazy("minutes to decide"),
        kind=parameters.Number,
        is_needed=False,
        least=1,
        most=100_000,
    ),
)
