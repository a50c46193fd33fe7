"""Actions that send something: messages on tickets, notices, calls of endpoints."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from hub.core.sentences import sentence
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
        raise ActionRefused(sentence("The text of the message is empty."))
    legs = context.open_legs if params["audience"] != "us" else []
    comments.comment(
        ticket=context.ticket,
        body=text,
        actor=execution.actor,
        at=execution.at,
        legs=legs,
        is_for_requester=params["audience"] == "requester",
    )
    return _("message added: %(text)s") % {"text": text[:80]}


def _ask_update(context: Context, params: Params, execution: Execution) -> str:
    lead = context.lead
    if lead is None or lead.stage not in OPEN_STAGES:
        raise ActionRefused(sentence("No leading organisation is engaged that could send an update."))
    text = filled(params["text"], context)
    comments.comment(ticket=context.ticket, body=text, actor=execution.actor, at=execution.at, legs=[lead])
    return _("update requested from %(organisation)s") % {"organisation": lead.organisation}


def _recipients(context: Context, params: Params) -> list[Recipient]:
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
    recipients = _recipients(context, params)
    if not recipients:
        raise ActionRefused(sentence("No recipients found for: %(whom)s.", whom=dict(WHOM)[params["whom"]]))
    why = filled(params["text"], context)
    notice = Told(
        key=f"rule:{execution.rule}:{context.ticket.public_id}:{context.ticket.last_seq}:{params['whom']}",
        kind=params["kind"],
        ticket=context.ticket,
        leg=context.lead,
        why=why,
        text=why,
        is_urgent=params["is_urgent"],
    )
    notify.tell(notice, recipients, at=execution.at)
    names = ", ".join(sorted({str(each.user or each.organisation or each.to) for each in recipients}))
    done = _("notified %(names)s") % {"names": names}
    note(execution, what=done, result=why)
    return done


def _call(context: Context, params: Params, execution: Execution) -> str:
    endpoint = Endpoint.objects.filter(name=params["endpoint"], is_active=True).first()
    if endpoint is None:
        raise ActionRefused(sentence("There is no active endpoint called “%(name)s”.", name=params["endpoint"]))
    why = filled(params["text"], context)
    notice = Told(
        key=f"call:{execution.rule}:{context.ticket.public_id}:{context.ticket.last_seq}",
        kind="escalation",
        ticket=context.ticket,
        why=why,
        text=why,
        is_urgent=True,
    )
    notify.tell(notice, notify.endpoint(endpoint), at=execution.at)
    done = _("called %(endpoint)s") % {"endpoint": endpoint}
    note(execution, what=done, result=why)
    return done


def _broadcast(context: Context, params: Params, execution: Execution) -> str:
    count = major_incidents.broadcast(
        ticket=context.ticket,
        body=filled(params["text"], context),
        actor=execution.actor,
        at=execution.at,
        is_for_requesters=params["requesters"],
    )
    text = ngettext("message added to %(count)d ticket", "message added to %(count)d tickets", count)
    return text % {"count": count}


register(
    "comment",
    _lazy("add a message"),
    _comment,
    says(_lazy("add the message: %(text)s")),
    TEXT,
    Param(name="audience", label=_lazy("audience"), kind=parameters.Choice, choices=AUDIENCES, default="us"),
)
register(
    "ask_update",
    _lazy("request an update"),
    _ask_update,
    says(_lazy("request an update from the leading organisation")),
    Param(
        name="text",
        label=_lazy("text"),
        kind=parameters.Template,
        default="Please send us an update on {ticket.label}.",
    ),
)
register(
    "notify",
    _lazy("notify somebody"),
    _notify,
    says(_lazy("notify %(whom)s: %(text)s")),
    Param(name="whom", label=_lazy("recipients"), kind=parameters.Choice, choices=WHOM),
    TEXT,
    Param(
        name="kind",
        label=_lazy("kind of notice"),
        default="escalation",
        help=_lazy("Selects the notice template and the recipients' notification preferences."),
    ),
    Param(name="is_urgent", label=_lazy("send at any hour"), kind=parameters.Flag, default=True),
)
register(
    "call_webhook",
    _lazy("call an endpoint"),
    _call,
    says(_lazy("call %(endpoint)s: %(text)s")),
    Param(name="endpoint", label=_lazy("endpoint"), kind=parameters.Endpoint),
    TEXT,
)
register(
    "broadcast",
    _lazy("broadcast to all child tickets"),
    _broadcast,
    says(_lazy("broadcast to all child tickets: %(text)s")),
    TEXT,
    Param(name="requesters", label=_lazy("also to the requesters"), kind=parameters.Flag, default=False),
)
