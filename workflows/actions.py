"""The actions there are. Each has a plan, which only says what it would do, and a deed, which is one call of a verb.

A deed raises what its verb raises: the transition stands, and a person sees what could not be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from hub.domain import tickets
from hub.models import OPEN_STAGES, Membership, Organisation, Priority, Relation, Stage, Team, User
from workflows.handoffs import comments, engagements, transitions
from workflows.incidents import major_incidents
from workflows.lifecycle import triage
from workflows.models import Endpoint, Pending
from workflows.notifications import notify, templates
from workflows.notifications.notify import Recipient, Told
from workflows.rules import execution
from workflows.rules.context import Context
from workflows.rules.execution import ActionRefused, Doing
from workflows.rules.registry import ActionKind, Effect, Param, action
from workflows.vendor_change import switch

Params = Mapping[str, Any]
DEEPEST = 5
_depth: ContextVar[int] = ContextVar("depth", default=0)
"""How many verbs set each other off: rules that go in a circle end here."""


def _named(context: Context, params: Params) -> Organisation:
    """The organisation a rule names, or whoever has taken its place for the ticket's service."""
    known = Organisation.objects.filter(public_id=params["organisation"]).first()
    found = switch.successor(known, context.ticket.service, at=context.at) if known is not None else None
    if found is None or found.archived_at is not None:
        raise ActionRefused(_("The organisation it names is not there any more, or archived."))
    return found


def _name(public_id: str) -> str:
    return str(Organisation.objects.filter(public_id=public_id).values_list("name", flat=True).first() or public_id)


def _within(params: Params) -> timedelta | None:
    return timedelta(minutes=params["accept_minutes"]) if params.get("accept_minutes") else None


def _filled(template: str, context: Context, why: str = "") -> str:
    lead = context.lead
    try:
        return templates.filled(
            template, templates.facts_of(context.ticket, leg=lead, why=why or context.reason)
        ).strip()
    except templates.BadTemplate as error:
        raise ActionRefused(_("Its text cannot be filled: %s") % error) from error


# -- the ticket's own


def _set_field(context: Context, params: Params, doing: Doing) -> str:
    value: Any = params["value"]
    if params["field"] in ("impact", "urgency"):
        value = int(value)
    tickets.edit_ticket(
        ticket=context.ticket, changes={params["field"]: value}, actor=doing.actor, at=doing.at, origin=doing.origin
    )
    return str(_("%(field)s is %(value)s") % params)


def _set_priority(context: Context, params: Params, doing: Doing) -> str:
    tickets.set_priority(
        ticket=context.ticket,
        priority=params["priority"],
        reason=params["reason"] or doing.rule,
        actor=doing.actor,
        at=doing.at,
        origin=doing.origin,
    )
    return str(_("priority %s") % params["priority"])


def _raised(context: Context, params: Params) -> str:
    order = list(Priority.values)
    at = order.index(context.ticket.priority) if context.ticket.priority in order else len(order) - 1
    return str(order[max(at - params["steps"], 0)])


def _raise_priority(context: Context, params: Params, doing: Doing) -> str:
    return _set_priority(context, {"priority": _raised(context, params), "reason": ""}, doing)


def _assign_team(context: Context, params: Params, doing: Doing) -> str:
    team = Team.objects.filter(public_id=params["team"]).first()
    if team is None:
        raise ActionRefused(_("The team it names is not there any more."))
    tickets.assign(ticket=context.ticket, team=team, actor=doing.actor, at=doing.at, origin=doing.origin)
    return _("assigned to %s") % team


def _assign_person(context: Context, params: Params, doing: Doing) -> str:
    user = User.objects.filter(email__iexact=params["email"], is_active=True).first()
    if user is None:
        raise ActionRefused(_("Nobody logs in as %s.") % params["email"])
    tickets.assign(ticket=context.ticket, assignee=user, actor=doing.actor, at=doing.at, origin=doing.origin)
    return _("assigned to %s") % user


def _move(context: Context, params: Params, doing: Doing) -> str:
    if _depth.get() >= DEEPEST:
        raise ActionRefused(_("Verbs set each other off in a circle; it ends here."))
    token = _depth.set(_depth.get() + 1)
    try:
        execution.fire(
            ticket=context.ticket,
            verb=params["verb"],
            reason=context.reason or doing.rule,
            actor=execution.machine(doing.rule),
            at=doing.at,
            origin=doing.origin,
        )
    finally:
        _depth.reset(token)
    return str(_("“%s”") % params["verb"])


def _schedule(context: Context, params: Params, doing: Doing) -> str:
    due = doing.at + timedelta(minutes=params["minutes"])
    key = f"verb:{params['verb']}:{context.ticket.last_seq}"
    Pending.objects.get_or_create(
        ticket=context.ticket,
        key=key,
        defaults={
            "rule": "verb",
            "params": {"verb": params["verb"], "status": context.ticket.status_id},
            "due_at": due,
            "made_at": doing.at,
        },
    )
    return _("“%(verb)s” at %(when)s") % {"verb": params["verb"], "when": f"{due:%Y-%m-%d %H:%M} UTC"}


def _set_major(context: Context, params: Params, doing: Doing) -> str:
    major_incidents.declare(ticket=context.ticket, is_major=params["is_major"], actor=doing.actor, at=doing.at)
    return _("major incident") if params["is_major"] else _("no major incident")


# -- between organisations


def _hand_over(context: Context, params: Params, doing: Doing) -> str:
    organisation = _named(context, params)
    _refusable(
        engagements.hand_over,
        ticket=context.ticket,
        organisation=organisation,
        actor=doing.actor,
        at=doing.at,
        reason=params.get("reason") or "",
        accept_within=_within(params),
    )
    return _("handed over to %s") % organisation


def _offer(context: Context, params: Params, doing: Doing) -> str:
    organisation = _named(context, params)
    _refusable(
        engagements.offer,
        ticket=context.ticket,
        organisation=organisation,
        actor=doing.actor,
        at=doing.at,
        reason=params["reason"] or "",
        is_lead=False,
        is_blocking=params["is_blocking"],
        accept_within=_within(params),
    )
    return _("offered to %s as well") % organisation


def _next(context: Context, params: Params) -> str:
    """The first of the list that has not been asked in vain yet."""
    tried = {leg.organisation.public_id for leg in context.legs}
    return next((public_id for public_id in params["organisations"] if public_id not in tried), "")


def _offer_next(context: Context, params: Params, doing: Doing) -> str:
    following = _next(context, params)
    if not following:
        raise ActionRefused(_("Everybody on the list was asked already; somebody has to decide."))
    return _hand_over(context, {**params, "organisation": following}, doing)


def _recall(context: Context, params: Params, doing: Doing) -> str:
    legs = context.open_legs
    for leg in legs:
        _refusable(engagements.recall, leg=leg, reason=params["reason"] or doing.rule, actor=doing.actor, at=doing.at)
    return _("%s organisations recalled") % len(legs)


def _resume(context: Context, _params: Params, doing: Doing) -> str:
    waiting = [leg for leg in context.legs if leg.stage == Stage.WAITING and leg.waits_on in ("us", "requester")]
    for leg in waiting:
        _refusable(engagements.resume, leg=leg, actor=doing.actor, at=doing.at)
    return _("%s organisations go on") % len(waiting)


def _refusable(verb: Any, **given: Any) -> None:
    try:
        verb(**given)
    except (transitions.HandoffRefused, triage.TriageRefused) as refused:
        raise ActionRefused(str(refused)) from refused


def _start_triage(context: Context, params: Params, doing: Doing) -> str:
    owner = next(iter(notify.in_role(params["owner"])), None)
    _refusable(
        triage.start,
        ticket=context.ticket,
        cause=doing.rule[:32],
        reason=params["reason"] or doing.rule,
        owner=owner,
        minutes=params["minutes"],
        actor=doing.actor,
        at=doing.at,
    )
    return _("joint triage")


def _open_child(context: Context, params: Params, doing: Doing) -> str:
    made = tickets.open_ticket(
        title=_filled(params["title"], context) or context.ticket.title,
        description=context.ticket.description,
        priority=context.ticket.priority,
        service=context.ticket.service,
        requester=context.ticket.requester,
        actor=doing.actor,
        at=doing.at,
    )
    tickets.relate(ticket=context.ticket, other=made, kind=Relation.Kind.PARENT, actor=doing.actor, at=doing.at)
    if params["organisation"]:
        _refusable(engagements.offer, ticket=made, organisation=_named(context, params), actor=doing.actor, at=doing.at)
    return _("%s below it") % made.label


# -- saying


def _comment(context: Context, params: Params, doing: Doing) -> str:
    text = _filled(params["text"], context)
    if not text:
        raise ActionRefused(_("Its text comes to nothing."))
    legs = context.open_legs if params["audience"] != "us" else []
    comments.comment(
        ticket=context.ticket,
        body=text,
        actor=doing.actor,
        at=doing.at,
        legs=legs,
        is_for_requester=params["audience"] == "requester",
    )
    return _("said: %s") % text[:80]


def _ask_update(context: Context, params: Params, doing: Doing) -> str:
    lead = context.lead
    if lead is None or lead.stage not in OPEN_STAGES:
        raise ActionRefused(_("Nobody is engaged who could be asked."))
    text = _filled(params["text"], context)
    comments.comment(ticket=context.ticket, body=text, actor=doing.actor, at=doing.at, legs=[lead])
    return _("%s is asked how far it is") % lead.organisation


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


def _notify(context: Context, params: Params, doing: Doing) -> str:
    recipients = _whom(context, params)
    if not recipients:
        raise ActionRefused(_("There is nobody to tell: %s.") % dict(WHOM)[params["whom"]])
    why = _filled(params["text"], context)
    told = Told(
        key=f"rule:{doing.rule}:{context.ticket.public_id}:{context.ticket.last_seq}:{params['whom']}",
        kind=params["kind"],
        ticket=context.ticket,
        leg=context.lead,
        why=why,
        text=why,
        is_urgent=params["is_urgent"],
    )
    notify.tell(told, recipients, at=doing.at)
    names = ", ".join(sorted({str(each.user or each.organisation or each.to) for each in recipients}))
    execution.note(doing, what=_("told"), result=f"{names}: {why}"[:500])
    return _("told %s") % names


def _call(context: Context, params: Params, doing: Doing) -> str:
    endpoint = Endpoint.objects.filter(name=params["endpoint"], is_active=True).first()
    if endpoint is None:
        raise ActionRefused(_("There is no endpoint called “%s” in use.") % params["endpoint"])
    why = _filled(params["text"], context)
    told = Told(
        key=f"call:{doing.rule}:{context.ticket.public_id}:{context.ticket.last_seq}",
        kind="escalation",
        ticket=context.ticket,
        why=why,
        text=why,
        is_urgent=True,
    )
    notify.tell(told, notify.endpoint(endpoint), at=doing.at)
    execution.note(doing, what=_("called"), result=f"{endpoint}: {why}"[:500])
    return _("called %s") % endpoint


def _broadcast(context: Context, params: Params, doing: Doing) -> str:
    count = major_incidents.broadcast(
        ticket=context.ticket,
        body=_filled(params["text"], context),
        actor=doing.actor,
        at=doing.at,
        is_for_requesters=params["requesters"],
    )
    return _("said to %s tickets") % count


# -- plans


def _says(template: Any) -> Any:
    """A plan that says what its parameters say."""

    def plan(context: Context, params: Params) -> Effect:
        shown = {name: _shown(name, value) for name, value in params.items()}
        for name in ("text", "title"):
            if shown.get(name):
                shown[name] = _filled(shown[name], context)
        return Effect(says=str(template) % shown)

    return plan


def _shown(name: str, value: Any) -> Any:
    if name == "organisation" and value:
        return _name(value)
    if name == "organisations" and value:
        return ", ".join(_name(each) for each in value)
    if name == "whom":
        return dict(WHOM).get(value, value)
    return "" if value is None else value


def _plan_hand_over(context: Context, params: Params) -> Effect:
    name = _name(params["organisation"])
    engaged = {leg.organisation.public_id for leg in context.open_legs}
    refusal = _("%s has an open leg already.") % name if params["organisation"] in engaged else ""
    return Effect(says=_("hand over to %s") % name + _in_minutes(params), why_not=refusal)


def _plan_next(context: Context, params: Params) -> Effect:
    following = _next(context, params)
    if not following:
        return Effect(says=_("offer to the next vendor"), why_not=_("Everybody on the list was asked already."))
    return Effect(says=_("hand over to %s, the next on the list") % _name(following) + _in_minutes(params))


def _in_minutes(params: Params) -> str:
    minutes = params.get("accept_minutes")
    return _(", %s minutes to accept") % minutes if minutes else ""


def _plan_raise(context: Context, params: Params) -> Effect:
    return Effect(says=_("priority %s") % _raised(context, params))


def _plan_recall(context: Context, _params: Params) -> Effect:
    names = ", ".join(str(leg.organisation) for leg in context.open_legs)
    return Effect(says=_("recall %s") % (names or _("nobody")))


# -- the registry

WHOM: tuple[tuple[str, Any], ...] = (
    ("manager", _lazy("our managers")),
    ("executive", _lazy("our executives")),
    ("agent", _lazy("our agents")),
    ("admin", _lazy("our admins")),
    ("assignee", _lazy("whoever it is assigned to, else our managers")),
    ("business_owner", _lazy("the business owner of the service")),
    ("requester", _lazy("the requester")),
    ("lead", _lazy("the leading organisation, by mail")),
)
AUDIENCES = (
    ("us", _lazy("our own people")),
    ("legs", _lazy("every organisation engaged")),
    ("requester", _lazy("the requester and every organisation engaged")),
)
SETTABLE = (("title", _lazy("title")), ("impact", _lazy("impact")), ("urgency", _lazy("urgency")))
TEXT = Param(
    name="text",
    label=_lazy("text"),
    kind="template",
    help=_lazy("With {ticket.label}, {ticket.title}, {ticket.holder}, {why} and the like."),
)
REASON = Param(name="reason", label=_lazy("what they need to know"), kind="long", is_needed=False, default="")
ACCEPT = Param(
    name="accept_minutes",
    label=_lazy("minutes to accept"),
    kind="number",
    is_needed=False,
    least=1,
    most=100_000,
    help=_lazy("Day and night, then it expires. Empty: as the workflow says."),
)
WHO = Param(name="organisation", label=_lazy("organisation"), kind="organisation")
VERB = Param(name="verb", label=_lazy("verb"), kind="verb")


def _register(slug: str, label: Any, do: Any, plan: Any, *params: Param, help: Any = "") -> None:
    action(ActionKind(slug=slug, label=label, params=params, plan=plan, do=do, help=help))


_register(
    "set_field",
    _lazy("set a field"),
    _set_field,
    _says(_lazy("%(field)s becomes %(value)s")),
    Param(name="field", label=_lazy("field"), kind="choice", choices=SETTABLE),
    Param(name="value", label=_lazy("value")),
)
_register(
    "set_priority",
    _lazy("set the priority"),
    _set_priority,
    _says(_lazy("priority %(priority)s")),
    Param(name="priority", label=_lazy("priority"), kind="priority"),
    REASON,
)
_register(
    "raise_priority",
    _lazy("raise the priority"),
    _raise_priority,
    _plan_raise,
    Param(name="steps", label=_lazy("by"), kind="number", least=1, most=3, default=1),
)
_register(
    "assign_team",
    _lazy("assign to a team"),
    _assign_team,
    _says(_lazy("assign to a team")),
    Param(name="team", label=_lazy("team"), kind="team"),
)
_register(
    "assign_person",
    _lazy("assign to somebody"),
    _assign_person,
    _says(_lazy("assign to %(email)s")),
    Param(name="email", label=_lazy("e-mail address")),
)
_register("hand_over", _lazy("hand over"), _hand_over, _plan_hand_over, WHO, REASON, ACCEPT)
_register(
    "offer_next",
    _lazy("offer to the next vendor"),
    _offer_next,
    _plan_next,
    Param(name="organisations", label=_lazy("in this order"), kind="organisations"),
    REASON,
    ACCEPT,
    help=_lazy("The first of the list that has not been engaged on this ticket yet."),
)
_register(
    "offer",
    _lazy("engage another organisation as well"),
    _offer,
    _says(_lazy("offer to %(organisation)s as well")),
    WHO,
    REASON,
    ACCEPT,
    Param(name="is_blocking", label=_lazy("blocks the resolution"), kind="flag", default=True),
)
_register("recall_legs", _lazy("recall everybody"), _recall, _plan_recall, REASON)
_register("resume_legs", _lazy("let those who wait for us go on"), _resume, _says(_lazy("let those who wait go on")))
_register(
    "start_triage",
    _lazy("start joint triage"),
    _start_triage,
    _says(_lazy("start joint triage")),
    REASON,
    Param(name="owner", label=_lazy("who decides"), kind="role", default="manager"),
    Param(name="minutes", label=_lazy("within minutes"), kind="number", is_needed=False, least=1, most=100_000),
)
_register(
    "open_child",
    _lazy("open a ticket below it"),
    _open_child,
    _says(_lazy("open a ticket below it: %(title)s")),
    Param(name="title", label=_lazy("title"), kind="template"),
    Param(name="organisation", label=_lazy("offer it to"), kind="organisation", is_needed=False),
)
_register(
    "comment",
    _lazy("say something"),
    _comment,
    _says(_lazy("say: %(text)s")),
    TEXT,
    Param(name="audience", label=_lazy("to"), kind="choice", choices=AUDIENCES, default="us"),
)
_register(
    "ask_update",
    _lazy("ask how far they are"),
    _ask_update,
    _says(_lazy("ask the leading organisation for news")),
    Param(
        name="text", label=_lazy("text"), kind="template", default="Please tell us how far you are with {ticket.label}."
    ),
)
_register(
    "notify",
    _lazy("tell somebody"),
    _notify,
    _says(_lazy("tell %(whom)s: %(text)s")),
    Param(name="whom", label=_lazy("whom"), kind="choice", choices=WHOM),
    TEXT,
    Param(
        name="kind",
        label=_lazy("kind of notice"),
        default="escalation",
        help=_lazy("Which template it reads by, and which preference decides."),
    ),
    Param(name="is_urgent", label=_lazy("at any hour"), kind="flag", default=True),
)
_register(
    "call_webhook",
    _lazy("call an endpoint"),
    _call,
    _says(_lazy("call %(endpoint)s: %(text)s")),
    Param(name="endpoint", label=_lazy("endpoint, by its name"), kind="endpoint"),
    TEXT,
)
_register(
    "schedule",
    _lazy("use a verb later"),
    _schedule,
    _says(_lazy("“%(verb)s” in %(minutes)s minutes")),
    VERB,
    Param(name="minutes", label=_lazy("in minutes"), kind="number", least=1, most=525_600),
)
_register("move", _lazy("use another verb now"), _move, _says(_lazy("“%(verb)s”")), VERB)
_register(
    "set_major",
    _lazy("declare a major incident"),
    _set_major,
    _says(_lazy("major incident: %(is_major)s")),
    Param(name="is_major", label=_lazy("is one"), kind="flag", default=True),
)
_register(
    "broadcast",
    _lazy("say something on every ticket below it"),
    _broadcast,
    _says(_lazy("broadcast: %(text)s")),
    TEXT,
    Param(name="requesters", label=_lazy("to the requesters, too"), kind="flag", default=False),
)
