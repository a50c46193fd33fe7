"""Lists of tickets, and the one page that tells a ticket's whole story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from connectors.queries import alerts, deliveries
from console.access import person, workers_only
from console.forms import CommentForm, HandOverForm, LegForm, OpenForm, ReplyForm, VerbForm, accept_within
from console.views import ticket_actions
from console.views.board import live_cursor
from hub.core.clock import now
from hub.domain import files
from hub.domain import messages as conversation
from hub.domain import tickets as verbs
from hub.domain.actors import Actor
from hub.models import Attachment, Leg, Organisation, Phase, Priority, Stage, Target, Ticket, User
from hub.queries import permissions, timeline
from hub.queries import tickets as questions
from workflows.handoffs import briefing, comments, engagements, guest_links, returns
from workflows.handoffs import transitions as handoff_transitions
from workflows.lifecycle import priorities, transitions
from workflows.rules import execution
from workflows.rules.context import context

PAGE = 50
SHOWS = [
    ("open", _("Open")),
    ("breached", _("Breached")),
    ("unassigned", _("To assign")),
    ("to_verify", _("To verify")),
    ("waiting", _("Waiting")),
    ("ended", _("Ended")),
    ("all", _("All")),
    ("history", _("Imported")),
    ("any", _("All and imported")),
]


@require_safe
@login_required
def ticket_list(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    filters = questions.Filters(
        # Who searches without saying where looks everywhere: an ended or imported ticket is one as well.
        show=request.GET.get("show", "any" if text else "open"),
        text=text,
        holder=request.GET.get("holder", ""),
        priority=request.GET.get("priority", ""),
        party=request.GET.get("party", ""),
    )
    user = person(request)
    known = permissions.known_organisations(user)
    holders = Organisation.objects.exclude(kind=Organisation.Kind.CUSTOMER).order_by("name")
    if known is not None:
        holders = holders.filter(pk__in=known)
    found = questions.listed(permissions.visible_tickets(user), filters, at=now(), of=known)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    at = now()
    audience = "" if known is None else "vendor" if permissions.is_of_a_vendor(user) else "requester"
    for ticket in page:
        ticket.badges = questions.listed_clocks(ticket, at=at) if known is None else []  # type: ignore[attr-defined]
        ticket.is_holder_known = known is None or ticket.holder_id in known  # type: ignore[attr-defined]
        name = ticket.status.name_for(audience) if audience else ticket.status.name
        ticket.shown_status = name  # type: ignore[attr-defined]
    kept = request.GET.copy()
    kept.pop("page", None)
    without_party = kept.copy()
    without_party.pop("party", None)
    shown = {
        "tickets": page,
        "filters": filters,
        "party": holders.filter(public_id=filters.party).first() if filters.party else None,
        "without_party": without_party.urlencode(),
        "shows": SHOWS,
        "holders": holders,
        "priorities": Priority.values,
        "kept": kept.urlencode(),
        "page": "tickets",
        "cursor": live_cursor(person(request)),
    }
    return render(request, "console/tickets.html", shown)


@require_safe
@login_required
def ticket_page(request: HttpRequest, public_id: str) -> HttpResponse:
    user = person(request)
    ticket = permissions.get_ticket_for(user, public_id)
    at = now()
    lines = timeline.lines(user, ticket)
    everything = permissions.sees_everything(user)
    if everything:
        ticks = deliveries.ticks([line.message for line in lines if line.message])
        waiting = deliveries.awaited_files([line.message for line in lines if line.message])
        for line in lines:
            if line.message:
                if permissions.may_work(user):
                    line.message.awaited = waiting.get(line.message.pk, [])  # type: ignore[attr-defined]
                line.message.ticks = ticks.get(line.message.pk, [])  # type: ignore[attr-defined]
    until = permissions.shared_until(user, ticket)
    badges = questions.badges(ticket, at=at) if everything else []
    segments = list(ticket.ledger.select_related("holder", "charged_to").order_by("from_at")) if everything else []
    legs = permissions.visible_legs(user, ticket).select_related(
        "organisation", "given_by", "waits_on_organisation", "link__connection", "ticket"
    )
    shown = {
        "ticket": ticket,
        "lines": lines,
        "strip": questions.strip(ticket, badges, at=at) if everything else None,
        "badges": badges,
        "segments": segments,
        "shares": questions.shares(segments, at=at),
        "legs": list(_shown(legs.order_by("-number"), badges)),
        "is_past": until is not None,
        "before": briefing.ended(ticket, until=until) if until is not None else [],
        "related": questions.related(ticket) if everything else [],
        "alerts": alerts.alerts_of(ticket) if everything else [],
        "may_work": permissions.may_work(user) and not ticket.is_history,
        "may_acknowledge": permissions.may_acknowledge(user) and not ticket.is_history,
        **_verbs(user, ticket, at=at),
        "status_name": _status_name(user, ticket),
        "codes": LegForm.base_fields["code"].choices,  # type: ignore[attr-defined]
        "comment": CommentForm(ticket=ticket),
        "reply": ReplyForm(),
        "hand_over": HandOverForm(ticket=ticket),
        "at": at,
        "page": "tickets",
        "cursor": live_cursor(person(request)),
    }
    if everything:
        shown |= ticket_actions.steered(user, ticket)
    return render(request, "console/ticket.html", shown)


def _status_name(user: User, ticket: Ticket) -> str:
    """What the state is called for whoever looks at it."""
    if permissions.sees_everything(user):
        return str(ticket.status.name)
    of_vendor = permissions.visible_legs(user, ticket).exists()
    return ticket.status.name_for("vendor" if of_vendor else "requester")


def _verbs(user: User, ticket: Ticket, *, at: datetime) -> dict[str, Any]:
    """Every verb of the ticket's workflow: those that can be used with what they need, the others with why not."""
    found = execution.available(context(ticket, at=at), roles=execution.roles_on(user, ticket))
    if ticket.is_history or not permissions.may_work(user):
        # Whoever does not work on it is shown what it can use, not what it could not.
        found = [] if ticket.is_history else [verb for verb in found if not verb.why_not]
    blank = VerbForm(initial={name: getattr(ticket, name, None) for name in ("impact", "urgency", "title")})
    shown = [{**asdict(verb), "fields": [blank[name] for name in verb.needs]} for verb in found]
    return {"verbs": shown, "refused": [verb for verb in found if verb.why_not]}


ACTS = {
    "accept": _("Accept"),
    "start": _("Start"),
    "resume": _("Resume"),
    "finish": _("Done"),
    "decline": _("Decline"),
    "give_back": _("Return"),
    "lead": _("Give the lead"),
    "recall": _("Recall"),
    "approve": _("Approve"),
    "reopen": _("Not done"),
}
OF_OURS = ("lead", "recall", "approve", "reopen")
"""What is ours to do, whatever tool they work in."""
SAID = ("accept", "start", "resume", "approve", "reopen")


def _with_acts(leg: Leg) -> Leg:
    """The leg with the acts that are possible on it from here: their own people act in their own tool."""
    has_tool = hasattr(leg, "link")
    names = OF_OURS if has_tool else tuple(ACTS)
    is_over = leg.ticket.phase in (Phase.CLOSED, Phase.CANCELLED)
    possible = [] if is_over else [name for name in names if _is_possible(leg, name)]
    leg.acts = [(name, ACTS[name]) for name in possible]  # type: ignore[attr-defined]
    leg.asks_code = bool({"decline", "give_back"} & set(possible))  # type: ignore[attr-defined]
    return leg


def _shown(legs: Iterable[Leg], badges: list[questions.Badge]) -> Iterator[Leg]:
    """The legs, newest first, each with its acts; an organisation's clocks stand at its newest one."""
    seen: set[int] = set()
    for leg in legs:
        is_newest = leg.organisation_id not in seen
        theirs = [b for b in badges if b.clock.party_id == leg.organisation_id and b.clock.contract.kind == "uc"]
        leg.badges = [b for b in theirs if is_newest and _counts(leg, b)]  # type: ignore[attr-defined]
        seen.add(leg.organisation_id)
        yield _with_acts(leg)


def _counts(leg: Leg, badge: questions.Badge) -> bool:
    """Whether a clock says something of an engagement: who did not do it has met no promise but to answer."""
    if leg.is_open or leg.stage == Stage.DONE or badge.state == "breached":
        return True
    return badge.clock.target == Target.Kind.ACKNOWLEDGE and leg.answered_at is not None


def _is_possible(leg: Leg, name: str) -> bool:
    if name == "approve":
        return leg.stage == Stage.DONE and leg.approved_at is None
    if name == "lead":
        return leg.is_open and not leg.is_lead
    return not handoff_transitions.why_not(leg, name)


@require_POST
@login_required
def move(request: HttpRequest, public_id: str) -> HttpResponse:
    """A verb of the ticket's workflow; it says itself who may use it."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = VerbForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Something that was filled in does not fit: choose from the lists."))
        return redirect(ticket)
    user = person(request)
    if not permissions.may_work(user):
        theirs = {verb["slug"] for verb in _verbs(user, ticket, at=now())["verbs"]}
        if form.cleaned_data["move"] not in theirs:
            raise PermissionDenied
    try:
        fired = execution.fire(
            ticket=ticket,
            verb=form.cleaned_data["move"],
            reason=form.cleaned_data["reason"],
            given=form.given(),
            actor=Actor.person(person(request)),
            at=now(),
        )
    except (transitions.MoveRefused, verbs.NotEditable) as refused:
        messages.error(request, str(refused))
        return redirect(ticket)
    for said in fired.failed:
        messages.error(request, said)
    return redirect(ticket)


@require_POST
@workers_only
def hand_over(request: HttpRequest, public_id: str) -> HttpResponse:
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = HandOverForm(request.POST, ticket=ticket)
    if not form.is_valid():
        messages.error(request, _("Choose the organisation that should take it, and whole minutes if any."))
        return redirect(ticket)
    if decides := ticket_actions.is_left_to(person(request), ticket):
        messages.error(request, _("It is in joint triage: %s decides where it goes.") % decides)
        return redirect(ticket)
    within = accept_within(form)
    to, reason = form.cleaned_data["organisation"], form.cleaned_data["reason"]
    actor = Actor.person(person(request))
    try:
        if form.cleaned_data["is_parallel"]:
            engagements.offer(
                ticket=ticket,
                organisation=to,
                reason=reason,
                actor=actor,
                at=now(),
                accept_within=within,
                is_lead=False,
                is_blocking=form.cleaned_data["is_blocking"],
                also=form.cleaned_data["also"],
            )
        else:
            engagements.hand_over(
                ticket=ticket,
                organisation=to,
                reason=reason,
                actor=actor,
                at=now(),
                accept_within=within,
                is_blocking=form.cleaned_data["is_blocking"],
                also=form.cleaned_data["also"],
            )
    except handoff_transitions.HandoffRefused as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


@require_POST
@workers_only
def act_on_leg(request: HttpRequest, public_id: str, leg_id: str) -> HttpResponse:
    ticket = permissions.get_ticket_for(person(request), public_id)
    leg = ticket.legs.filter(public_id=leg_id).first()
    if leg is None:
        raise Http404
    form = LegForm(request.POST)
    decides = ticket_actions.is_left_to(person(request), ticket)
    if form.is_valid() and form.cleaned_data["act"] in ("lead", "recall") and decides:
        messages.error(request, _("It is in joint triage: %s decides where it goes.") % decides)
    elif form.is_valid():
        try:
            _act(leg, form.cleaned_data, Actor.person(person(request)))
            if form.cleaned_data["act"] == "give_back" and ticket.legs.get(pk=leg.pk).stage != Stage.RETURNED:
                messages.warning(
                    request,
                    _("This ticket has come back as often as it may: it stays with %s, and joint triage decides.")
                    % leg.organisation,
                )
        except (handoff_transitions.HandoffRefused, transitions.MoveRefused) as refused:
            messages.error(request, str(refused))
    for error in form.non_field_errors():
        messages.error(request, str(error))
    return redirect(ticket)


@require_POST
@workers_only
def leg_guest_link(request: HttpRequest, public_id: str, leg_id: str) -> HttpResponse:
    """Make the address on which the leg's organisation can work without a tool, or close it."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    leg = ticket.legs.select_related("organisation", "ticket").filter(public_id=leg_id).first()
    if leg is None:
        raise Http404
    if request.POST.get("close"):
        guest_links.close(leg=leg, actor=Actor.person(person(request)), at=now())
        messages.success(request, _("The page of %s is closed; its address opens nothing any more.") % leg.organisation)
    else:
        made = guest_links.open_for(leg, at=now())
        where = guest_links.address(made, hub_url=settings.PUBLIC_URL)
        messages.success(
            request,
            _("%(name)s can work here without a log-in: %(where)s")
            % {
                "name": leg.organisation,
                "where": where,
            },
        )
    return redirect(ticket)


def _act(leg: Leg, told: dict[str, Any], actor: Actor) -> None:
    at, act, reason = now(), told["act"], told["reason"]
    if act in ("decline", "give_back"):
        verb = returns.decline if act == "decline" else returns.give_back
        verb(leg=leg, reason=reason, code=told["code"], actor=actor, at=at)
    elif act == "lead":
        engagements.give_lead(leg=leg, reason=reason, actor=actor, at=at)
    elif act == "recall":
        engagements.recall(leg=leg, reason=reason, actor=actor, at=at)
    elif act == "finish":
        engagements.finish(leg=leg, resolution=reason, actor=actor, at=at)
    elif act == "accept":
        engagements.start(leg=engagements.accept(leg=leg, actor=actor, at=at), actor=actor, at=at)
    else:
        plain = {
            "start": engagements.start,
            "resume": engagements.resume,
            "approve": engagements.approve,
            "reopen": engagements.reopen,
        }
        plain[act](leg=leg, actor=actor, at=at)
    if reason.strip() and act in SAID:
        # These acts have no reason of their own: what was typed beside them is said to the organisation.
        comments.comment(ticket=leg.ticket, body=reason, legs=[leg], actor=actor, at=at)


@require_POST
@workers_only
def comment(request: HttpRequest, public_id: str) -> HttpResponse:
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = CommentForm(request.POST, ticket=ticket)
    if not form.is_valid():
        messages.error(request, _("A message needs some text."))
        return redirect(ticket)
    try:
        comments.comment(
            ticket=ticket,
            body=form.cleaned_data["body"],
            is_for_requester=form.cleaned_data["for_requester"],
            is_for_all=form.cleaned_data["for_all"],
            legs=form.cleaned_data["legs"],
            actor=Actor.person(person(request)),
            at=now(),
        )
    except conversation.NotSaid as refused:
        messages.error(request, str(refused))
    return redirect(ticket)


@require_POST
@workers_only
def reply(request: HttpRequest, public_id: str) -> HttpResponse:
    """Write down what the requester said, by telephone or at the desk."""
    ticket = permissions.get_ticket_for(person(request), public_id)
    form = ReplyForm(request.POST)
    if form.is_valid() and ticket.requester is not None:
        try:
            comments.requester_says(
                ticket=ticket,
                requester=ticket.requester,
                body=form.cleaned_data["body"],
                actor=Actor.person(person(request)),
                at=now(),
            )
        except (conversation.NotSaid, transitions.MoveRefused, handoff_transitions.HandoffRefused) as refused:
            messages.error(request, str(refused))
    return redirect(ticket)


@workers_only
def open_ticket(request: HttpRequest) -> HttpResponse:
    form = OpenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(priorities.opened(**form.cleaned_data, actor=Actor.person(person(request)), at=now()))
    return render(
        request, "console/open.html", {"form": form, "page": "tickets", "cursor": live_cursor(person(request))}
    )


@require_safe
@login_required
def attachment(request: HttpRequest, public_id: str) -> HttpResponse | FileResponse:
    """A file, for whoever may read its message; never shown inside the page."""
    found = Attachment.objects.select_related("ticket", "message").filter(public_id=public_id).first()
    if found is None or not _may_read(request, found.ticket, found):
        raise Http404
    if files.fault(found):
        return HttpResponse(
            _("This file is not whole any more. Tell whoever runs the hub: a backup has it."), status=410
        )
    response = FileResponse(
        default_storage.open(found.path),
        as_attachment=True,
        filename=found.name,
        content_type="application/octet-stream",
    )
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _may_read(request: HttpRequest, ticket: Ticket, found: Attachment) -> bool:
    messages_ = permissions.visible_messages(person(request), ticket)
    return messages_.filter(pk=found.message_id).exists()
