"""What a rule can say, and to whom: on tickets, by notices, to endpoints."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from hub.models import OPEN_STAGES, Membership
from workflows.actions.base import TEXT, WHOM, Params, filled, register, says
from workflows.handoffs import comments
from workflows.incidents import major_incidents
from workflows.models import Endpoint
from workflows.notifications import notify
from workflows.notifications.notify import Recipient, Told
from workflows.rules import parameters
from workflows.rules.context import Context
from workflows.rules.execution import ActionRefused, Execution, note
from workflows.rules.parameters import Param

AUDIENCES = (
    ("us", _lazy("our own people")),
    ("legs", _lazy("every organisation engaged")),
    ("requester", _lazy("the requester and every organisation engaged")),
)


def _comment(context: Context, params: Params, execution: Execution) -> str:
    text = filled(params["text"], context)
    if not text:
        raise ActionRefused(_("The text of the message is empty."))
    legs = context.open_legs if params["audience"] != "us" else []
    comments.comment(
        ticket=context.ticket,
        body=text,
        actor=execution.actor,
        at=execution.at,
        legs=legs,
        is_for_requester=params["audience"] == "requester",
    )
    return _("said: %s") % text[:80]


def _ask_update(context: Context, params: Params, execution: Execution) -> str:
    lead = context.lead
    if lead is None or lead.stage not in OPEN_STAGES:
        raise ActionRefused(_("No organisation is engaged that could be asked."))
    text = filled(params["text"], context)
    comments.comment(ticket=context.ticket, body=text, actor=execution.actor, at=execution.at, legs=[lead])
    return _("asked %(organisation)s for an update") % {"organisation": lead.organisation}


def _whom(context: Context, params: Params) -> list[Recipient]:
    whom, ticket = params["whom"], context.ticket
    if whom in Membership.Role.values:
        return notify.people(notify.in_role(whom))
    if whom == "assignee":
        return notify.people(notify.watchers(ticket))
    if whom == "requester":
        return notify.requester(ticket.requester) if ticket.requester else []
    if whom == "business_owner":
        owner = ticket.service.business_owner if ticket.service else None
        return notify.requester(owner) if owner else []
    lead = context.lead
    return notify.vendor(lead.organisation) if lead is not None else []


def _notify(context: Context, params: Params, execution: Execution) -> str:
    recipients = _whom(context, params)
    if not recipients:
        raise ActionRefused(_("Nobody to notify: %(whom)s.") % {"whom": dict(WHOM)[params["whom"]]})
    why = filled(params["text"], context)
    told = Told(
        key=f"rule:{execution.rule}:{context.ticket.public_id}:{context.ticket.last_seq}:{params['whom']}",
        kind=params["kind"],
        ticket=context.ticket,
        leg=context.lead,
        why=why,
        text=why,
        is_urgent=params["is_urgent"],
    )
    notify.tell(told, recipients, at=execution.at)
    names = ", ".join(sorted({str(each.user or each.organisation or each.to) for each in recipients}))
    note(execution, what=_("notified"), result=f"{names}: {why}"[:500])
    return _("notified %(names)s") % {"names": names}


def _call(context: Context, params: Params, execution: Execution) -> str:
    endpoint = Endpoint.objects.filter(name=params["endpoint"], is_active=True).first()
    if endpoint is None:
        raise ActionRefused(_("There is no active endpoint called “%(name)s”.") % {"name": params["endpoint"]})
    why = filled(params["text"], context)
    told = Told(
        key=f"call:{execution.rule}:{context.ticket.public_id}:{context.ticket.last_seq}",
        kind="escalation",
        ticket=context.ticket,
        why=why,
        text=why,
        is_urgent=True,
    )
    notify.tell(told, notify.endpoint(endpoint), at=execution.at)
    note(execution, what=_("called"), result=f"{endpoint}: {why}"[:500])
    return _("called %s") % endpoint


def _broadcast(context: Context, params: Params, execution: Execution) -> str:
    count = major_incidents.broadcast(
        ticket=context.ticket,
        body=filled(params["text"], context),
        actor=execution.actor,
        at=execution.at,
        is_for_requesters=params["requesters"],
    )
    return ngettext("written on %(count)d ticket", "written on %(count)d tickets", count) % {"count": count}


register(
    "comment",
    _lazy("say something"),
    _comment,
    says(_lazy("say: %(text)s")),
    TEXT,
    Param(name="audience", label=_lazy("to"), kind=parameters.Choice, choices=AUDIENCES, default="us"),
)
register(
    "ask_update",
    _lazy("ask how far they are"),
    _ask_update,
    says(_lazy("ask the leading organisation for news")),
    Param(
        name="text",
        label=_lazy("text"),
        kind=parameters.Template,
        default="Please tell us how far you are with {ticket.label}.",
    ),
)
register(
    "notify",
    _lazy("tell somebody"),
    _notify,
    says(_lazy("tell %(whom)s: %(text)s")),
    Param(name="whom", label=_lazy("whom"), kind=parameters.Choice, choices=WHOM),
    TEXT,
    Param(
        name="kind",
        label=_lazy("kind of notice"),
        default="escalation",
        help=_lazy("Which template it reads by, and which preference decides."),
    ),
    Param(name="is_urgent", label=_lazy("at any hour"), kind=parameters.Flag, default=True),
)
register(
    "call_webhook",
    _lazy("call an endpoint"),
    _call,
    says(_lazy("call %(endpoint)s: %(text)s")),
    Param(name="endpoint", label=_lazy("endpoint, by its name"), kind=parameters.Endpoint),
    TEXT,
)
register(
    "broadcast",
    _lazy("say something on every ticket below it"),
    _broadcast,
    says(_lazy("broadcast: %(text)s")),
    TEXT,
    Param(name="requesters", label=_lazy("to the requesters, too"), kind=parameters.Flag, default=False),
)
