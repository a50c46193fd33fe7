"""Questions about synchronisation: what stands still and why, and what has arrived where."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q
from django.utils import timezone

from connectors.engine import hooks, limits, registry
from connectors.engine.inbound import as_read_now
from connectors.models import (
    AlertState,
    AlertStorm,
    Attempt,
    AwaitedFile,
    Connection,
    Difference,
    Inbound,
    Link,
    Outbound,
    Trouble,
)
from hub.models import FailedReceiver, Leg, Message, Ticket, UnmappedValue
from workflows.models import Endpoint, FailedAction, Notice, Pending
from workflows.rules.registry import ACTIONS


@dataclass(frozen=True, kw_only=True)
class SyncIssue:
    """Something that waits for a person, with the reason in words."""

    kind: str
    """``outbound``, ``inbound``, ``difference``, ``unmapped``, ``connection``, ``link``, ``notice``, ``rule``,
    ``action``, ``file``, ``trouble`` or ``receiver``."""
    row_id: int
    title: str
    why: str
    at: datetime
    connection: str = ""
    connection_pk: int | None = None
    ticket: Ticket | None = None
    can_be_a_comment: bool = False
    can_be_vouched_for: bool = False
    """A letter of somebody who is not proven to be the vendor."""
    can_be_forced: bool = False
    """A status that the workflow's rules do not follow."""


def stuck(*, most: int = 50, connection: Connection | None = None) -> list[SyncIssue]:
    """Everything of the synchronisation that a person has to look at, newest first; of one connection if given."""
    names = dict(Connection.objects.values_list("public_id", "name"))
    found = [*_connections(), *_links(most), *_outbound(most), *_inbound(most), *_differences(most), *_rules(most)]
    found += _files(most)
    found += _troubles()
    found += [
        SyncIssue(
            kind="unmapped",
            row_id=row.pk,
            title=f"{row.field} “{row.value}” has no meaning yet",
            why=f"Seen {_how_often(row.count)}. Map it, and what waits for it goes on.",
            at=row.last_seen_at,
            connection=names.get(row.source, "import"),
        )
        for row in UnmappedValue.objects.filter(resolved_at=None).order_by("-last_seen_at", "-pk")[:most]
    ]
    found += [
        SyncIssue(
            kind="receiver",
            row_id=row.pk,
            title=f"What “{row.receiver}” does after an event failed",
            why=row.error,
            at=row.failed_at,
            ticket=row.event.ticket,
        )
        for row in FailedReceiver.objects.filter(done_at=None)
        .select_related("event__ticket")
        .order_by("-failed_at")[:most]
    ]
    found += [
        SyncIssue(
            kind="notice",
            row_id=row.pk,
            title=f"{row.get_channel_display().capitalize()} to {_whom(row)} was not sent: {row.subject}",
            why=row.why,
            at=row.made_at,
            ticket=row.ticket,
        )
        for row in Notice.objects.filter(state=Notice.State.FAILED)
        .select_related("ticket", "organisation")
        .order_by("-made_at", "-pk")[:most]
    ]
    if connection is not None:
        found = [item for item in found if item.connection == connection.name]
    return sorted(found, key=lambda item: item.at, reverse=True)


def _rules(most: int) -> list[SyncIssue]:
    """What an admin's rules wanted to do and could not."""
    broken = Pending.objects.filter(state=Pending.State.FAILED).select_related("ticket")
    undone = FailedAction.objects.filter(resolved_at=None).select_related("ticket")
    return [
        *(
            SyncIssue(
                kind="rule",
                row_id=row.pk,
                title=f"The rule {row.key} broke",
                why=row.outcome,
                at=row.ended_at or row.due_at,
                ticket=row.ticket,
            )
            for row in broken.order_by("-pk")[:most]
        ),
        *(
            SyncIssue(
                kind="action",
                row_id=row.pk,
                title=f"{row.rule}: “{_deed(row.kind)}” could not be done",
                why=row.why,
                at=row.at,
                ticket=row.ticket,
            )
            for row in undone.order_by("-at", "-pk")[:most]
        ),
    ]


def _how_often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _deed(slug: str) -> str:
    kind = ACTIONS.get(slug)
    return str(kind.label) if kind is not None else slug


def _whom(notice: Notice) -> str:
    endpoint = Endpoint.objects.filter(public_id=notice.to).first()
    return str(endpoint or notice.to)


def _connections() -> list[SyncIssue]:
    is_active = Q(state=Connection.State.ACTIVE)
    unacknowledged = AlertState.objects.filter(connection=OuterRef("pk"), acknowledgement=FAILED)
    rows = Connection.objects.annotate(has_unacknowledged=Exists(unacknowledged)).filter(
        Q(state=Connection.State.LOCKED_OUT)
        | is_active & Q(failures__gt=2)
        | is_active & Q(sight_lost_at__isnull=False)
        | is_active & ~Q(left_out="")
        | is_active & Q(rejected_hooks__gte=F("rejected_before") + hooks.MANY_REJECTED)
        | is_active & Q(has_unacknowledged=True)
    )
    return [each for row in rows for each in _of_connection(row)]


def _of_connection(row: Connection) -> Iterator[SyncIssue]:
    told: dict[str, Any] = {"kind": "connection", "row_id": row.pk, "connection": row.name}
    at = row.resting_until or row.last_in_at or row.last_out_at or _EVER
    if row.state == Connection.State.LOCKED_OUT:
        yield SyncIssue(title=f"{row.name} is locked out", why=row.last_error, at=row.locked_at or at, **told)
        return
    if row.sight_lost_at is not None:
        title = f"Many records of {row.name} are not found"
        yield SyncIssue(title=title, why=row.sight_lost_why, at=row.sight_lost_at, **told)
    if row.left_out:
        title = f"Records of {row.name} were not listed"
        yield SyncIssue(title=title, why=row.left_out, at=row.last_in_at or at, **told | {"kind": "left_out"})
    if getattr(row, "has_unacknowledged", False):
        yield _acknowledgements(row)
    if row.failures > 2:
        yield SyncIssue(title=f"{row.name} is not answering", why=row.last_error, at=at, **told)
    refused = row.rejected_hooks - row.rejected_before
    if refused >= hooks.MANY_REJECTED:
        what = "signature" if registry.kind_of(row).signs_hooks else "token"
        yield SyncIssue(
            title=f"Calls of {row.name} are refused",
            why=f"{refused} calls since the last good one had a wrong {what} or none: the secret in their system is "
            "probably another one than ours. Enter the same on both sides. Nothing is lost, the polls bring what "
            "changed; if they are not calls of theirs, somebody else knows the address.",
            at=row.hook_checked_at or at,
            **told,
        )


def _acknowledgements(row: Connection) -> SyncIssue:
    """Alerts that a tool did not let us acknowledge: one line, for they have one cause."""
    failed = AlertState.objects.filter(connection=row, acknowledgement=FAILED).order_by("-last_at", "-pk")
    newest, more = failed[0], failed.count() - 1
    return SyncIssue(
        kind="acknowledgement",
        row_id=row.pk,
        title=f"{row.name} does not take acknowledgements",
        why=f"{newest.acknowledge_said} ({newest.title}{f', and {more} more' if more else ''}) "
        "Only the tool is not told; the tickets go on.",
        at=newest.last_at,
        connection=row.name,
        connection_pk=row.pk,
    )


def _links(most: int) -> list[SyncIssue]:
    rows = Link.objects.filter(state__in=[Link.State.PAUSED, Link.State.QUARANTINED]).select_related(
        "connection", "leg__ticket", "leg__organisation"
    )
    return [
        SyncIssue(
            kind="link",
            row_id=row.pk,
            title=f"The link to {row.leg.organisation} stands still",
            why=row.why,
            at=row.heard_at or _EVER,
            connection=row.connection.name,
            ticket=row.leg.ticket,
        )
        for row in rows.order_by("-pk")[:most]
    ]


FAILED = AlertState.Acknowledgement.FAILED
_EVER = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _outbound(most: int) -> list[SyncIssue]:
    rows = Outbound.objects.filter(state=Outbound.State.PARKED).select_related(
        "link__connection", "link__leg__ticket", "link__leg__organisation"
    )
    return [
        SyncIssue(
            kind="outbound",
            row_id=row.pk,
            title=f"{'Hand-off pack' if row.is_pack else row.get_kind_display()} for {row.link.leg.organisation} "
            "is parked",
            why=row.error,
            at=row.queued_at,
            connection=row.link.connection.name,
            connection_pk=row.link.connection_id,
            ticket=row.link.leg.ticket,
            can_be_a_comment=row.kind in (Outbound.Kind.FIELDS, Outbound.Kind.FILE),
        )
        for row in rows.order_by("-queued_at", "-pk")[:most]
    ]


def _may_be_vouched_for(row: Inbound) -> bool:
    """Whether all that is missing is proof of who sent it; a mail that is held would be held again."""
    is_written = row.headers.get("kind") in ("reply", "ticket") and row.headers.get("action") != "hold"
    return row.kind == Inbound.Kind.MAIL and is_written


def _inbound(most: int) -> list[SyncIssue]:
    rows = Inbound.objects.filter(state=Inbound.State.PARKED).select_related("connection")
    return [
        SyncIssue(
            kind="inbound",
            row_id=row.pk,
            title=f"{row.get_kind_display().capitalize()} from {row.connection} waits",
            ticket=as_read_now.ticket_of(row),
            why=row.error,
            at=row.received_at,
            connection=row.connection.name,
            can_be_vouched_for=_may_be_vouched_for(row),
        )
        for row in rows.order_by("-received_at", "-pk")[:most]
    ]


TROUBLE_SHOWN = timedelta(hours=24)


def _troubles() -> list[SyncIssue]:
    """What is wrong with the hub itself, or was within a day."""
    rows = Trouble.objects.filter(Q(ended_at=None) | Q(ended_at__gte=timezone.now() - TROUBLE_SHOWN))
    return [
        SyncIssue(
            kind="trouble",
            row_id=row.pk,
            title=f"{row.get_kind_display().capitalize()}{'' if row.ended_at is None else ' (it is right again)'}",
            why=row.why,
            at=row.began_at,
        )
        for row in rows.order_by("-pk")[:10]
    ]


def _files(most: int) -> list[SyncIssue]:
    """Files of theirs that could not be fetched."""
    rows = AwaitedFile.objects.filter(state=AwaitedFile.State.PARKED).select_related(
        "link__connection", "link__leg__ticket"
    )
    return [
        SyncIssue(
            kind="file",
            row_id=row.pk,
            title=f"The file “{row.name}” could not be fetched",
            why=row.why,
            at=row.noted_at,
            connection=row.link.connection.name,
            ticket=row.link.leg.ticket,
        )
        for row in rows.order_by("-noted_at", "-pk")[:most]
    ]


def awaited_files(messages: Iterable[Message]) -> dict[int, list[AwaitedFile]]:
    """By message: files it tells of that were too large to be taken by themselves."""
    found: dict[int, list[AwaitedFile]] = defaultdict(list)
    rows = AwaitedFile.objects.filter(message__in=messages).exclude(state=AwaitedFile.State.DONE)
    for row in rows.order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(row)
    return found


def _differences(most: int) -> list[SyncIssue]:
    rows = Difference.objects.filter(resolved_at=None).select_related(
        "link__connection", "link__leg__ticket", "link__leg__organisation"
    )
    return [
        SyncIssue(
            kind="difference",
            row_id=row.pk,
            title=_said_there(row),
            why=row.why,
            at=row.heard_at,
            connection=row.link.connection.name,
            connection_pk=row.link.connection_id,
            ticket=row.link.leg.ticket,
            can_be_forced=row.field == "status",
        )
        for row in rows.order_by("-heard_at", "-pk")[:most]
    ]


def _said_there(row: Difference) -> str:
    if row.field == "unread":
        return f"A note or file of {row.link.leg.organisation} cannot be read: {row.value}"
    return f"{row.link.leg.organisation}: {row.field} is “{row.value}” there"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How one connection is, in numbers."""

    waiting: int
    unclear: int
    parked: int
    unread: int
    oldest: datetime | None
    """Since when the oldest thing waits to be said."""
    links: int
    still: int
    """Links that stand still until a person has looked."""
    used: int | None
    most: int | None
    """Requests of ours within their window, and how many may be."""


def condition(connection: Connection) -> Condition:
    """The numbers of a connection's page."""
    said = Outbound.objects.filter(link__connection=connection)
    open_states = [Outbound.State.READY, Outbound.State.UNCLEAR, Outbound.State.PARKED]
    counts = dict(said.filter(state__in=open_states).values_list("state").annotate(count=Count("pk")))
    waiting = said.filter(state__in=[Outbound.State.READY, Outbound.State.UNCLEAR])
    links = Link.objects.filter(connection=connection).exclude(state=Link.State.ARCHIVED)
    try:
        allowed = registry.kind_of(connection).limits
    except registry.UnknownConnector:
        allowed = None
    gate = limits.RateLimiter(connection, allowed) if allowed else None
    return Condition(
        waiting=counts.get(Outbound.State.READY, 0),
        unclear=counts.get(Outbound.State.UNCLEAR, 0),
        parked=counts.get(Outbound.State.PARKED, 0),
        unread=Inbound.objects.filter(connection=connection, state=Inbound.State.NEW).count(),
        oldest=waiting.aggregate(oldest=Min("queued_at"))["oldest"],
        links=links.count(),
        still=links.exclude(state=Link.State.ACTIVE).count(),
        used=limits.used(connection, gate.limits) if gate else None,
        most=gate.most if gate else None,
    )


def unmapped(connection: Connection) -> list[UnmappedValue]:
    """Values of theirs that have no meaning yet, the most frequent first."""
    return list(UnmappedValue.objects.filter(source=connection.public_id, resolved_at=None).order_by("-count", "pk"))


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Something that came in, as it came."""

    row: Inbound
    text: str


def raw(connection: Connection, *, most: int = 20) -> list[Raw]:
    """The newest payloads, cut where they are very long; for those who may see them."""
    rows = Inbound.objects.filter(connection=connection).order_by("-pk")[:most]
    return [Raw(row=row, text=_pretty(bytes(row.body))) for row in rows]


def _pretty(body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text[:20_000]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Whether a message has arrived at one organisation's system."""

    organisation: str
    state: str
    why: str = ""


def ticks(messages: Iterable[Message]) -> dict[int, list[Tick]]:
    """Delivery per message: one tick for every system it is said to."""
    found: dict[int, list[Tick]] = defaultdict(list)
    rows = Outbound.objects.filter(message__in=[m.pk for m in messages]).select_related("link__leg__organisation")
    for row in rows.order_by("pk"):
        if row.message_id is not None:
            found[row.message_id].append(
                Tick(organisation=row.link.leg.organisation.name, state=row.state, why=row.error)
            )
    return dict(found)


def cursor() -> str:
    """Changes whenever something was said or failed to be said; part of what the console polls."""
    newest = Attempt.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return f"{newest}.{Inbound.objects.aggregate(newest=Max('pk'))['newest'] or 0}"


# -- alerts


@dataclass(frozen=True, kw_only=True)
class Alerting:
    """What a tool told: which alerts fire, and the storms there were."""

    firing: list[AlertState]
    known: int
    storms: list[AlertStorm]


def alerting(connection: Connection, *, most: int = 20) -> Alerting:
    rows = AlertState.objects.filter(connection=connection)
    firing = rows.filter(is_firing=True).select_related("ticket").order_by("-is_silent", "-changed_at", "-pk")
    storms = AlertStorm.objects.filter(connection=connection).select_related("parent").order_by("-pk")
    return Alerting(firing=list(firing[:most]), known=rows.count(), storms=list(storms[:most]))


def alerts_of(ticket: Ticket, *, most: int = 10) -> list[AlertState]:
    """The alerts a ticket is about, those of tickets that were merged into it included; those that fire first."""
    of_it = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    return list(AlertState.objects.filter(of_it).order_by("-is_firing", "-last_at", "-pk")[:most])


# -- the page of a vendor with no tool


def origin_without_record(leg: Leg) -> str:
    """The connection that what is done on the page counts as coming from; empty where their system has to be told."""
    link = Link.objects.filter(leg=leg).select_related("connection__profile").first()
    if link is None or registry.kind_of(link.connection).keeps_records:
        return ""
    return str(link.connection.public_id)
