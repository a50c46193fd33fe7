"""Say what is due on a link, once, and settle what is unclear.

No vendor has idempotency keys. So the intent is written before every send, nothing is sent later
than W after its intent, and an outcome nobody knows is looked up there, after W + D + L, before
anything is sent again (docs/synchronisation.md). Only the holder of a link's lease writes: every
write carries its epoch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from connectors.engine import backoff, correlation_marks, leases, mapping, outbox, registry
from connectors.engine.inbound import heard_mail, identity, reconcile
from connectors.engine.leases import Fenced
from connectors.engine.mapping import Mapped, NotMapped
from connectors.engine.outbound import refusals
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import Change, Connector, Pushed, RemoteTicket
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.models import Attempt, Binding, Connection, Difference, Lane, Link, Outbound
from hub.core.clock import now
from hub.domain import files
from hub.domain.actors import Actor
from hub.models import ActorKind, Leg, Message, Ticket
from workflows.handoffs import briefing, engagements

SEND_WITHIN = timedelta(seconds=10)
"""W: a send that has not begun this long after its intent does not begin at all."""
EFFECT_WITHIN = timedelta(seconds=60)
"""D: a request takes effect within this, or never."""
FOUND_WITHIN = timedelta(seconds=30)
"""L: what was made can be found by its mark within this."""
SETTLE = SEND_WITHIN + EFFECT_WITHIN + FOUND_WITHIN + timedelta(seconds=1)
BEHIND = timedelta(seconds=30)
MOST_ATTEMPTS = 8
PACE = timedelta(hours=1)


class TooMany(Exception):
    """The link was written to so often within an hour that two systems seem to answer each other."""


def due_links(*, at: datetime, limit: int = 50) -> list[int]:
    """Links with something to say whose lease is free and whose connection is not resting."""
    return list(
        Link.objects.filter(
            Q(lease_until__isnull=True) | Q(lease_until__lte=at),
            Q(connection__resting_until__isnull=True) | Q(connection__resting_until__lte=at),
            connection__state=Connection.State.ACTIVE,
            state=Link.State.ACTIVE,
            outbound__state__in=[Outbound.State.READY, Outbound.State.UNCLEAR],
            outbound__next_attempt_at__lte=at,
        )
        .distinct()
        .order_by("pk")
        .values_list("pk", flat=True)[:limit]
    )


def send(*, link_id: int) -> int:
    """Say what is due on one link, lane by lane, in order; how many things were settled."""
    link = leases.claim(link_id)
    if link is None:
        return 0
    settled = 0
    try:
        with registry.ready(link.connection) as connector:
            sender = Sender(link, connector)
            for lane in Lane:
                settled += sender.send_lane(lane)
    except Fenced:
        return settled
    except TooMany as error:
        Link.objects.filter(pk=link_id, epoch=link.epoch).update(state=Link.State.PAUSED, why=str(error))
    except identity.Mistaken as error:
        identity.quarantine(link, str(error))
    except (CannotUnseal, registry.UnknownConnector) as error:
        backoff.lock_out(link.connection, str(error))
    leases.release(link)
    return settled


@dataclass
class _Ready:
    """A change, and what its values are on our side."""

    change: Change
    ours: dict[str, str]


class Sender:
    """Sends on one link while its lease is held."""

    def __init__(self, link: Link, connector: Connector) -> None:
        self.link, self.connector = link, connector
        self.mapped: Mapped = mapping.published(link.connection)
        self.seen: RemoteTicket | None = None
        """Their record as it was read under this lease, before anything was written to it."""

    def send_lane(self, lane: Lane) -> int:
        settled = 0
        while (item := self._head(lane)) is not None:
            if not self._settle(item):
                break
            settled += 1
        self._let_wait(lane)
        return settled

    def _let_wait(self, lane: Lane) -> None:
        """What stands behind something that waits is not due before that; `retry` and `skip` wake it."""
        at = timezone.now()
        self.link.outbound.filter(lane=lane, state=Outbound.State.READY, next_attempt_at__lte=at).update(
            next_attempt_at=at + BEHIND
        )

    def _head(self, lane: Lane) -> Outbound | None:
        """The next of the lane, if it is its turn: nothing overtakes a parked one, or the ticket's making."""
        open_states = [Outbound.State.READY, Outbound.State.UNCLEAR, Outbound.State.PARKED]
        rows = self.link.outbound.filter(state__in=open_states).select_related("message", "attachment").order_by("seq")
        creation = rows.filter(kind=Outbound.Kind.CREATE).first()
        item = creation if creation and lane == Lane.FIELDS else rows.filter(lane=lane).first()
        if item is None or (creation is not None and item.pk != creation.pk):
            return None
        is_due = item.next_attempt_at is not None and item.next_attempt_at <= timezone.now()
        return item if item.state != Outbound.State.PARKED and is_due else None

    def _settle(self, item: Outbound) -> bool:
        """Bring one item to its end; False where it has to wait or was parked."""
        began = timezone.now()
        try:
            if item.intent_at is not None and not self._look_up(item):
                return item.state == Outbound.State.DONE
            self._see()
            ready = self._prepare(item)
            if ready is None:
                self._finish(item, Outbound.State.DONE)
                return True
            pushed = self._push(item, ready)
            self._complete(item, ready, pushed)
        except Missing as error:
            self._note_attempt(item, began, type(error).__name__, str(error))
            return self._gone(item, error)
        except ConnectorError as error:
            self._note_attempt(item, began, type(error).__name__, str(error))
            return self._failed(item, error)
        except NotMapped as error:
            self._park(item, str(error))
            return False
        self._note_attempt(item, began, "ok", "")
        backoff.recovered(self.link.connection)
        return True

    # what to say

    def _prepare(self, item: Outbound) -> _Ready | None:
        """The change to send; None where there is nothing left to say."""
        if item.kind in (Outbound.Kind.NOTE, Outbound.Kind.FILE):
            return self._prepare_text(item)
        leg = Leg.objects.select_related("organisation").get(pk=self.link.leg_id)
        ticket = Ticket.objects.get(pk=leg.ticket_id)
        is_insert = item.kind == Outbound.Kind.CREATE
        fields: dict[str, str] = {}
        ours: dict[str, str] = {}
        is_packed = is_insert and self._is_packed()
        for field in self.mapped.fields:
            mine = mapping.ours(ticket, leg, field)
            known = self.link.agreed.get(field)
            if not self.mapped.goes_out(field, is_insert=is_insert) or (known is not None and known["ours"] == mine):
                continue
            if field in self.connector.insert_only and not is_insert:
                continue
            wanted = mapping.outgoing(
                self.mapped, ticket, leg, field, is_insert=is_insert, place=self._place(), is_packed=is_packed
            )
            theirs = self._fitting(field, wanted)
            ours[field] = mine
            if theirs is not None and (known is None or known["theirs"] != theirs):
                fields[field] = theirs
        reference = self.link.reference if is_insert or not self.link.agreed.get("reference") else ""
        if not fields and not reference:
            self._agree({field: (self._agreed_theirs(field), mine) for field, mine in ours.items()})
            return None
        change = Change(
            id=item.public_id,
            kind=item.kind,
            key=self.link.remote_key,
            leg=leg.public_id,
            title=ticket.title,
            label=ticket.label,
            reference=reference,
            fields=fields,
            mark=correlation_marks.sign(item.public_id) if is_insert else "",
            **self._thread(),
        )
        return _Ready(change, ours)

    def _is_packed(self) -> bool:
        """Whether the hand-off pack was queued as a note or file of its own when the ticket was offered."""
        texts = self.link.outbound.filter(lane__in=[Lane.NOTES, Lane.FILES])
        return texts.filter(message=None, attachment=None).exists()

    def _place(self) -> str:
        """The queue in which their record lies, or in which it will be made."""
        return self.seen.queue if self.seen is not None else self.connector.home_queue

    def _thread(self) -> dict[str, Any]:
        """Of mail: what their desk knows the ticket by."""
        return {} if self.connector.keeps_records else dict(heard_mail.thread(self.link))

    def _fitting(self, field: str, theirs: str | None) -> str | None:
        """Their value as long as they take it; a description made there says which hubs the ticket came through."""
        if theirs is None:
            return None
        hops = self._hops_of_ticket() if field == "description" else []
        trail = f"\n\n{correlation_marks.trail(hops)}" if hops else ""
        limit = self.connector.lengths.get(field)
        if limit is not None and len(theirs) + len(trail) > limit:
            theirs = theirs[: limit - len(trail) - 1] + "…"
        return theirs + trail

    def _hops_of_ticket(self) -> list[str]:
        links = Link.objects.filter(leg__ticket=self.link.leg.ticket_id).exclude(pk=self.link.pk).order_by("pk")
        return next((list(hops) for hops in links.values_list("hops", flat=True) if hops), [])

    def _agreed_theirs(self, field: str) -> str:
        return str(self.link.agreed.get(field, {}).get("theirs", self.link.heard.get(field, "")))

    def _prepare_pack(self, item: Outbound) -> _Ready:
        leg = Leg.objects.select_related("given_by", "ticket").get(pk=self.link.leg_id)
        is_file = item.kind == Outbound.Kind.FILE
        change = Change(
            id=item.public_id,
            kind=item.kind,
            key=self.link.remote_key,
            leg=leg.public_id,
            title=leg.ticket.title,
            label=leg.ticket.label,
            mark=correlation_marks.sign(item.public_id),
            visibility=self.mapped.visibility(is_for_requester=False, is_for_vendor_alone=True),
            name=f"{leg.ticket.label} hand-off.txt" if is_file else str(leg.given_by),
            text="" if is_file else briefing.beside_description(leg.pack),
            content=briefing.whole(leg.pack).encode() if is_file else b"",
            **self._thread(),
        )
        return _Ready(change, {})

    def _prepare_text(self, item: Outbound) -> _Ready:
        if item.is_pack:
            return self._prepare_pack(item)
        message = item.message
        assert message is not None
        visibility = self.mapped.visibility(
            is_for_requester=message.is_for_requester,
            is_for_vendor_alone=not message.is_for_later_legs and message.legs.count() == 1,
        )
        about = f"{message.author_organisation}, {message.author_name}".rstrip(", ")
        mark = correlation_marks.sign(item.public_id, hops=self._hops_of(message))
        common = {
            "id": item.public_id,
            "kind": item.kind,
            "key": self.link.remote_key,
            "visibility": visibility,
            "leg": self.link.leg.public_id,
            "title": self.link.leg.ticket.title,
            "label": self.link.leg.ticket.label,
            "is_by_program": message.author_kind in (ActorKind.SYSTEM, ActorKind.TIMER),
        } | self._thread()
        if item.attachment is None:
            text = message.body
            if message.supersedes_id is not None:
                text = f"(Correction)\n{text}"
            return _Ready(Change(**common, mark=mark, name=about, text=text), {})
        try:
            content = files.read(item.attachment)
        except files.NotWhole as error:
            raise Refused(str(error)) from error
        return _Ready(Change(**common, mark=mark, name=item.attachment.name, content=content), {})

    def _hops_of(self, message: Message) -> list[str]:
        """The hubs a message came through; one that has been through too many goes no further."""
        bindings = Binding.objects.filter(message=message).exclude(hops="")
        hops = next((found.split("@") for found in bindings.values_list("hops", flat=True)), [])
        if len(hops) >= correlation_marks.MOST_HOPS:
            raise Refused(f"This message came here through {len(hops)} other hubs; it is not passed on again.")
        return hops

    # saying it

    def _see(self) -> None:
        """Read their record once under this lease: is it the linked one, and what did they change meanwhile?"""
        if not self.link.remote_key or self.seen is not None or not self.connector.keeps_records:
            return
        self.seen = self.connector.glance(self.link.remote_key)
        reconcile.apply(connection=self.link.connection, remote=self.seen, at=now())
        fresh = Link.objects.get(pk=self.link.pk)
        if fresh.epoch != self.link.epoch:
            raise Fenced
        if fresh.state != Link.State.ACTIVE:
            raise identity.Mistaken(fresh.why)
        self.link.agreed, self.link.heard, self.link.missed = fresh.agreed, fresh.heard, fresh.missed

    def _keep_pace(self) -> None:
        """TooMany where two systems seem to answer each other through this link."""
        since = timezone.now() - PACE
        if self.link.paced_from is not None:
            since = max(since, self.link.paced_from)
        written = Attempt.objects.filter(
            outbound__link=self.link, began_at__gte=since, outcome__in=["ok", Unclear.__name__]
        ).count()
        if written >= settings.WRITES_PER_LINK_PER_HOUR:
            raise TooMany(
                f"It was written to {written} times within an hour: two systems may be answering each other. "
                "Its queue is kept. Look at the ticket on both sides, then let the link go on."
            )

    def _push(self, item: Outbound, ready: _Ready) -> Pushed:
        self._keep_pace()
        if item.kind == Outbound.Kind.CREATE:
            found = self.connector.find(self.link.reference)
            if found:
                return Pushed(key=found[0], ticket=self.connector.fetch(found[0]))
        intended = time.monotonic()
        self._intend(item, ready)
        if time.monotonic() - intended > SEND_WITHIN.total_seconds():
            # Frozen in between: an older send of ours may still be looked for, so none begins now.
            raise Unclear("It took too long to begin sending.")
        return self.connector.push(ready.change)

    def _intend(self, item: Outbound, ready: _Ready) -> None:
        item.intent_at = timezone.now()
        item.intent = {"fields": dict(ready.change.fields), "ours": ready.ours, "reference": ready.change.reference}
        self._write(item, intent_at=item.intent_at, intent=item.intent)

    def _look_up(self, item: Outbound) -> bool:
        """Whether an item that may have been sent can be sent (again): not before it could be found there."""
        assert item.intent_at is not None
        settled_at = item.intent_at + SETTLE
        if timezone.now() < settled_at:
            self._write(item, state=Outbound.State.UNCLEAR, next_attempt_at=settled_at)
            return False
        found = self._found(item)
        if found is not None:
            ready = _Ready(
                Change(id=item.public_id, kind=item.kind, fields=item.intent.get("fields", {})),
                item.intent.get("ours", {}),
            )
            self._complete(item, ready, found)
            item.state = Outbound.State.DONE
            return False
        item.attempts += 1
        if item.attempts >= MOST_ATTEMPTS:
            self._park(item, f"Sent {item.attempts} times, and never found there afterwards. {item.error}")
            return False
        item.intent_at, item.intent = None, {}
        self._write(
            item, only=item.state, intent_at=None, intent={}, state=Outbound.State.READY, attempts=item.attempts
        )
        return True

    def _found(self, item: Outbound) -> Pushed | None:
        if not self.connector.keeps_records:
            # Nothing can be looked up; said again, it carries the same id, and is known there as the same.
            return None
        if item.kind == Outbound.Kind.CREATE:
            keys = self.connector.find(self.link.reference)
            return Pushed(key=keys[0], ticket=self.connector.fetch(keys[0])) if keys else None
        ticket = self.connector.fetch(self.link.remote_key)
        if item.kind == Outbound.Kind.FIELDS:
            wanted = item.intent.get("fields", {})
            reference = item.intent.get("reference") or ticket.reference
            is_there = ticket.reference == reference and all(ticket.fields.get(f) == v for f, v in wanted.items())
            return Pushed(key=ticket.key, ticket=ticket) if is_there else None
        records = ticket.notes if item.kind == Outbound.Kind.NOTE else ticket.files
        for record in records or ():
            if record.is_ours and correlation_marks.operation_in(record.mark) == item.public_id:
                return Pushed(key=record.key)
        return None

    # how it ended

    def _complete(self, item: Outbound, ready: _Ready, pushed: Pushed) -> None:
        is_text = item.kind in (Outbound.Kind.NOTE, Outbound.Kind.FILE)
        with transaction.atomic():
            leases.hold(self.link, with_ticket=not is_text)
            if is_text:
                outbox.bind(self.link, item, pushed.key)
            else:
                assert pushed.ticket is not None
                if item.kind == Outbound.Kind.CREATE:
                    outbox.created(self.link, pushed.ticket)
                self._agree_read_back(ready, pushed.ticket)
            self._finish(item, Outbound.State.DONE, remote_key=pushed.key)
            at = now()
            if item.kind == Outbound.Kind.FIELDS:
                engagements.confirm_reached(
                    leg=self.link.leg, actor=Actor.system("delivery"), at=at, origin=self.link.connection.public_id
                )

    def _agree_read_back(self, ready: _Ready, remote: RemoteTicket) -> None:
        """After a write, what was agreed is the value read back, not the value sent."""
        written = {
            field: (remote.fields.get(field, "") if field in ready.change.fields else self._agreed_theirs(field), mine)
            for field, mine in ready.ours.items()
        }
        self._agree(written, reference=remote.reference)

    def _agree(self, values: dict[str, tuple[str, str]], *, reference: str = "") -> None:
        with transaction.atomic():
            link = Link.objects.select_for_update(of=("self",)).get(pk=self.link.pk)
            link.agreed |= {
                field: {"theirs": _newest(link, self.link, field, theirs), "ours": mine}
                for field, (theirs, mine) in values.items()
            }
            if reference == link.reference:
                link.agreed["reference"] = {"theirs": reference, "ours": reference}
            link.save(update_fields=["agreed"])
            self.link.agreed = link.agreed
            # Both sides have the same again: what they had differed in is settled.
            Difference.objects.filter(link=link, field__in=list(values), resolved_at=None).update(resolved_at=now())

    def _failed(self, item: Outbound, error: ConnectorError) -> bool:
        """What to do next is what the error is called; True where the lane may go on."""
        connection = self.link.connection
        if isinstance(error, Unclear):
            settled_at = (item.intent_at or timezone.now()) + SETTLE
            self._write(item, state=Outbound.State.UNCLEAR, next_attempt_at=settled_at, error=str(error))
            return False
        if isinstance(error, TryLater):
            self._postpone(item, error)
            return False
        # A definite no: nothing was done, so nothing has to be looked up.
        self._write(item, intent_at=None, intent={})
        if isinstance(error, LockedOut):
            backoff.lock_out(connection, str(error))
            return False
        if isinstance(error, Unsupported):
            self._finish(item, Outbound.State.SKIPPED, error=str(error))
            return True
        assert isinstance(error, Refused)
        fault = refusals.of_connection(self.link, self.connector) if isinstance(error, Forbidden) else ""
        if fault:
            with transaction.atomic():
                refusals.put_back(connection)
                backoff.lock_out(connection, f"{fault} {error}")
            return False
        self._park(item, str(error))
        return False

    def _gone(self, item: Outbound, error: Missing) -> bool:
        """Their record was not found: ask again a few times, then let the link stand still."""
        wait = backoff.rest(self.link.missed + 1)
        self._write(item, intent_at=None, intent={}, next_attempt_at=timezone.now() + wait, error=str(error))
        identity.not_found(self.link, error)
        return False

    def _postpone(self, item: Outbound, error: TryLater) -> None:
        connection = Connection.objects.get(pk=self.link.connection_id)
        attempts = item.attempts + (1 if error.after is None else 0)
        others_pass = connection.last_out_at is not None and connection.last_out_at > item.queued_at
        if attempts >= MOST_ATTEMPTS and others_pass:
            self._park(item, f"Tried {attempts} times while others went through. {error}")
            return
        wait = timedelta(seconds=error.after) if error.after else backoff.probe(attempts)
        until = timezone.now() + wait
        self._write(item, intent_at=None, intent={}, attempts=attempts, next_attempt_at=until, error=str(error))
        backoff.pause(connection, until, str(error))

    def _park(self, item: Outbound, why: str) -> None:
        self._write(item, state=Outbound.State.PARKED, error=why, next_attempt_at=None, intent_at=None, intent={})

    def _finish(self, item: Outbound, state: Outbound.State, **more: str) -> None:
        self._write(item, state=state, done_at=timezone.now(), next_attempt_at=None, **({"error": ""} | more))

    def _note_attempt(self, item: Outbound, began: datetime, outcome: str, said: str) -> None:
        Attempt.objects.create(
            outbound=item,
            epoch=self.link.epoch,
            began_at=began,
            ended_at=timezone.now(),
            outcome=outcome,
            said=said[:1000],
        )

    def _write(self, item: Outbound, *, only: str = "", **changes: object) -> None:
        """Change the item only while the lease is still ours, and it is (where that is said) still as it was read."""
        rows = Outbound.objects.filter(pk=item.pk, link__epoch=self.link.epoch)
        try:
            with transaction.atomic():
                written = (rows.filter(state=only) if only else rows).update(**changes)
        except IntegrityError:
            # Another change of fields is waiting already: what this one had to say, that one will say.
            changes |= {"state": Outbound.State.SKIPPED, "next_attempt_at": None, "intent_at": None}
            written = Outbound.objects.filter(pk=item.pk, link__epoch=self.link.epoch).update(**changes)
        if not written:
            raise Fenced


def _newest(fresh: Link, read: Link, field: str, theirs: str) -> str:
    """Their value of a field that was not written: what was heard meanwhile, where it is no longer what we read."""
    known, before = fresh.agreed.get(field, {}).get("theirs"), read.agreed.get(field, {}).get("theirs")
    return str(known) if theirs == before and known is not None else theirs
