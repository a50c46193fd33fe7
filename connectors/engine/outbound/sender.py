"""Sends what is due on a link, once, and settles what is unclear.

No vendor has idempotency keys. So the intent is written before every send, nothing is sent later
than W after its intent, and an outcome nobody knows is looked up there, after W + D + L, before
anything is sent again (docs/synchronisation.md). Only the holder of a link's lease writes: every
write carries its epoch.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from connectors.engine import backoff, leases, mapping, outbox, registry
from connectors.engine.inbound import identity, reconcile
from connectors.engine.leases import Fenced
from connectors.engine.mapping import NotMapped
from connectors.engine.outbound import lookup, refusals
from connectors.engine.outbound.composition import Composed, Composer
from connectors.engine.vault import CannotUnseal
from connectors.kit.contract import Change, OutboundConnector, Pushed, RemoteTicket, TicketConnector
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.models import Attempt, Connection, Difference, Lane, Link, Outbound
from hub.core.clock import now
from hub.core.sentences import sentence
from hub.domain.actors import Actor
from workflows.handoffs import engagements

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
    """So many writes within an hour that two systems seem to answer each other."""


def due_links(*, at: datetime, limit: int = 50) -> list[int]:
    """Primary keys of links with something to send, a free lease and a connection that is not resting."""
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
    """Send what is due on one link, lane by lane, in order; how many items were settled."""
    link = leases.claim(link_id)
    if link is None:
        return 0
    settled = 0
    try:
        with registry.ready(link.connection, OutboundConnector) as connector:
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


class Sender:
    """Sends on one link while its lease is held."""

    def __init__(self, link: Link, connector: OutboundConnector) -> None:
        self.link, self.connector = link, connector
        self.composer = Composer(link, connector, mapping.published(link.connection))
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
        """What stands behind a waiting item is not due before that item; `retry` and `skip` wake it."""
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
            composed = self.composer.compose(item, place=self._place())
            if composed.is_empty:
                self._agree({field: (self._agreed_theirs(field), mine) for field, mine in composed.ours.items()})
                self._finish(item, Outbound.State.DONE)
                return True
            self._complete(item, composed, self._push(item, composed))
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

    # -- sending

    def _place(self) -> str:
        """The queue in which their record lies, or in which it will be made."""
        return self.seen.queue if self.seen is not None else self.connector.home_queue

    def _see(self) -> None:
        """Read their record once under this lease: is it the linked one, and what did they change meanwhile?"""
        if not self.link.remote_key or self.seen is not None or not isinstance(self.connector, TicketConnector):
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
                sentence(
                    "It was written to %(count)s times within an hour: two systems may be answering each other. The "
                    "queue is kept. Look at the ticket on both sides, then resume the synchronisation.",
                    count=written,
                )
            )

    def _push(self, item: Outbound, composed: Composed) -> Pushed:
        self._keep_pace()
        if item.kind == Outbound.Kind.CREATE:
            made = lookup.made(self.link, self.connector)
            if made is not None:
                return made
        intended = time.monotonic()
        self._intend(item, composed)
        if time.monotonic() - intended > SEND_WITHIN.total_seconds():
            # Frozen in between: an older send of ours may still be looked for, so none begins now.
            raise Unclear(sentence("It took too long to begin sending."))
        return self.connector.push(composed.change)

    def _intend(self, item: Outbound, composed: Composed) -> None:
        item.intent_at = timezone.now()
        change = composed.change
        item.intent = {"fields": dict(change.fields), "ours": composed.ours, "reference": change.reference}
        self._write(item, intent_at=item.intent_at, intent=item.intent)

    def _look_up(self, item: Outbound) -> bool:
        """Whether an item that may have been sent can be sent (again): not before it could be found there."""
        assert item.intent_at is not None
        settled_at = item.intent_at + SETTLE
        if timezone.now() < settled_at:
            self._write(item, state=Outbound.State.UNCLEAR, next_attempt_at=settled_at)
            return False
        found = lookup.sent(item, self.link, self.connector)
        if found is not None:
            sent = Composed(
                Change(id=item.public_id, kind=item.kind, fields=item.intent.get("fields", {})),
                item.intent.get("ours", {}),
            )
            self._complete(item, sent, found)
            item.state = Outbound.State.DONE
            return False
        item.attempts += 1
        if item.attempts >= MOST_ATTEMPTS:
            self._park(
                item,
                sentence(
                    "Sent %(count)s times, and never found there afterwards. %(error)s",
                    count=item.attempts,
                    error=item.error,
                ),
            )
            return False
        item.intent_at, item.intent = None, {}
        self._write(
            item, only=item.state, intent_at=None, intent={}, state=Outbound.State.READY, attempts=item.attempts
        )
        return True

    # -- how it ended

    def _complete(self, item: Outbound, composed: Composed, pushed: Pushed) -> None:
        is_text = item.kind in (Outbound.Kind.NOTE, Outbound.Kind.FILE)
        with transaction.atomic():
            leases.hold(self.link, with_ticket=not is_text)
            if is_text:
                outbox.bind(self.link, item, pushed.key)
            else:
                assert pushed.ticket is not None
                if item.kind == Outbound.Kind.CREATE:
                    outbox.created(self.link, pushed.ticket)
                self._agree_read_back(composed, pushed.ticket)
            self._finish(item, Outbound.State.DONE, remote_key=pushed.key)
            at = now()
            if item.kind == Outbound.Kind.FIELDS:
                engagements.confirm_reached(
                    leg=self.link.leg, actor=Actor.system("delivery"), at=at, origin=self.link.connection.public_id
                )

    def _agree_read_back(self, composed: Composed, remote: RemoteTicket) -> None:
        """After a write, what was agreed is the value read back, not the value sent."""
        sent = composed.change.fields
        written = {
            field: (remote.fields.get(field, "") if field in sent else self._agreed_theirs(field), mine)
            for field, mine in composed.ours.items()
        }
        self._agree(written, reference=remote.reference)

    def _agreed_theirs(self, field: str) -> str:
        return str(self.link.agreed.get(field, {}).get("theirs", self.link.heard.get(field, "")))

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
        if isinstance(error, Unsupported) and item.is_pack:
            self._park(item, self._pack_not_taken(item, error))  # skipped, nobody would notice that it is missing
            return False
        if isinstance(error, Unsupported):
            self._finish(item, Outbound.State.SKIPPED, error=str(error))
            return True
        assert isinstance(error, Refused)
        fault = refusals.of_connection(self.link, self.connector) if isinstance(error, Forbidden) else ""
        if fault:
            with transaction.atomic():
                refusals.put_back(connection)
                backoff.lock_out(connection, sentence("%(fault)s %(error)s", fault=fault, error=str(error)))
            return False
        self._park(item, str(error))
        return False

    def _pack_not_taken(self, item: Outbound, error: Unsupported) -> str:
        values = {"vendor": self.link.leg.organisation, "reason": str(error)}
        if item.kind == Outbound.Kind.FILE:
            return sentence(
                "The system of %(vendor)s cannot take the hand-off pack as a file: %(reason)s Send this pack as a "
                "comment or by hand, and choose another place for the pack in the mapping.",
                **values,
            )
        return sentence(
            "The system of %(vendor)s cannot take the hand-off pack as a note: %(reason)s Send this pack by hand and "
            "skip it here, and choose another place for the pack in the mapping.",
            **values,
        )

    def _gone(self, item: Outbound, error: Missing) -> bool:
        """Their record was not found: ask again a few times, then stop the link."""
        wait = backoff.rest(self.link.missed + 1)
        self._write(item, intent_at=None, intent={}, next_attempt_at=timezone.now() + wait, error=str(error))
        identity.not_found(self.link, error)
        return False

    def _postpone(self, item: Outbound, error: TryLater) -> None:
        connection = Connection.objects.get(pk=self.link.connection_id)
        attempts = item.attempts + (1 if error.after is None else 0)
        others_pass = connection.last_out_at is not None and connection.last_out_at > item.queued_at
        if attempts >= MOST_ATTEMPTS and others_pass:
            self._park(
                item,
                sentence(
                    "Tried %(count)s times while other changes went through. %(error)s",
                    count=attempts,
                    error=str(error),
                ),
            )
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
