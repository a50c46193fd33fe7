"""Sends the items of one link exactly once, in order, and settles sends whose outcome is unclear.

No vendor has idempotency keys. Therefore the intent is saved before every send, nothing is sent later than W after its
intent, and an unclear outcome is looked up in the vendor's system, after W + D + L, before anything is sent again
(docs/synchronisation.md). Only the holder of a link's lease writes: every write checks the link's epoch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.engine import backoff, leases, mapping, outbox
from connectors.engine.inbound import identity, reconcile
from connectors.engine.leases import Fenced
from connectors.engine.mapping import NotMapped
from connectors.engine.outbound import due_items, item_writes, lookup, refusals
from connectors.engine.outbound.agreed_values import Agreement
from connectors.engine.outbound.composition import Composed, Composer
from connectors.engine.outbound.write_limit import WriteLimit
from connectors.kit.contract import Change, OutboundConnector, Pushed, RemoteTicket, TicketConnector
from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused, TryLater, Unclear, Unsupported
from connectors.models import Attempt, Connection, Lane, Link, Outbound
from hub.core.clock import now
from hub.core.rows import insert
from hub.core.sentences import sentence
from hub.domain.actors import Actor
from hub.models import Leg
from workflows.handoffs import stages

SEND_WITHIN = timedelta(seconds=10)
"""W: a send that has not started this long after its intent does not start at all."""
EFFECT_WITHIN = timedelta(seconds=60)
"""D: a request takes effect within this time or never."""
FOUND_WITHIN = timedelta(seconds=30)
"""L: what was created can be found by its mark within this time."""
SETTLE = SEND_WITHIN + EFFECT_WITHIN + FOUND_WITHIN + timedelta(seconds=1)
"""After this time an unclear outcome can be looked up."""
BEHIND = timedelta(seconds=30)
"""How long items behind a waiting one wait before they are considered again."""
MOST_ATTEMPTS = 8
ASKED_EVERY = timedelta(seconds=30)
"""How often it is noted that a record was read and says nothing new."""


_TEXTS = (Outbound.Kind.NOTE, Outbound.Kind.FILE)


class Overtaken(Exception):
    """The item was changed by somebody else after it was read."""


class Sender:
    """Sends on one link while its lease is held."""

    def __init__(self, link: Link, connector: OutboundConnector, rows: list[Outbound] | None = None) -> None:
        """`rows` is what is not settled yet on the link, if it was just read."""
        self.link, self.connector = link, connector
        self.composer = Composer(link, connector, mapping.published(link.connection))
        self.agreement = Agreement(link, self.composer.mapped, connector.insert_only)
        self.rows = rows
        """What is not settled yet, as it was last read."""
        self.is_stale = False
        """Whether a call has been made since then: meanwhile others may have parked, bound or woken an item."""
        self.settled = 0
        self.write_limit = WriteLimit(link)
        self.is_connection_down = False
        """Whether the connection rests or was stopped, so that no other link can be sent on either."""
        self.seen: RemoteTicket | None = None
        """The vendor's record as it was read under this lease, before anything was written to it."""
        self.leg: Leg | None = None
        """The engagement with its ticket, if nothing can have changed since it was read."""

    def send_lane(self, lane: Lane) -> None:
        """Send what is due of one lane, in order, and count what was settled."""
        if self.rows is None or self.is_stale:
            self.rows, self.is_stale = due_items.of_link(self.link.pk), False
        can_go_on = True
        while can_go_on:
            item = self._next(self.rows, lane)
            if item is not None:
                self.is_stale = True
                try:
                    can_go_on = self._settle(item)
                except Overtaken:
                    self.rows, self.is_stale = due_items.of_link(self.link.pk), False
                    continue
                if can_go_on:
                    self.settled += 1
                    self.rows.remove(item)
            elif self.is_stale:  # something may have been queued meanwhile
                self.rows, self.is_stale = due_items.of_link(self.link.pk), False
            else:
                break
        if self.is_stale:
            self.rows, self.is_stale = due_items.of_link(self.link.pk), False
        self._let_wait(self.rows, lane)

    def _next(self, rows: list[Outbound], lane: Lane) -> Outbound | None:
        """The next item of the lane, if it can be sent now; read again where a call has been made since it was read.

        A new note or file is not read again: its intent is stored only if the item is as it was read.
        """
        item = due_items.head(rows, lane)
        while item is not None and self.is_stale and (item.intent_at is not None or item.kind not in _TEXTS):
            fresh = due_items.item_of.first(self.link.pk, item.pk)
            at = rows.index(item)
            rows[at : at + 1] = [] if fresh is None else [fresh]
            item = due_items.head(rows, lane)
            if item is fresh:
                break
        return item

    def _let_wait(self, rows: Sequence[Outbound], lane: Lane) -> None:
        """What stands behind a waiting item is not due before that item; `retry` and `skip` wake it."""
        at = timezone.now()
        if any(row.lane == lane and due_items.is_due(row, at) for row in rows):
            first = due_items.first(rows, lane)
            turn = first.next_attempt_at if first is not None else None
            self.link.outbound.filter(lane=lane, state=Outbound.State.READY, next_attempt_at__lte=at).update(
                next_attempt_at=at + BEHIND if turn is None or turn <= at else min(at + BEHIND, turn)
            )

    def _settle(self, item: Outbound) -> bool:
        """Send one item and record the result; False if it has to wait or was parked."""
        began = timezone.now()
        try:
            if item.intent_at is not None and not self._look_up(item):
                return item.state == Outbound.State.DONE
            self._see()
            composed = self.composer.compose(item, place=self._place(), leg=self.leg)
            self.leg = None
            if composed.is_empty:
                self._agree_as_it_is(item, composed)
                return True
            self._complete(item, composed, self._push(item, composed), began)
        except Missing as error:
            self._note_attempt(item, began, type(error).__name__, str(error))
            return self._gone(item, error)
        except ConnectorError as error:
            self._note_attempt(item, began, type(error).__name__, str(error))
            return self._failed(item, error)
        except NotMapped as error:
            self._park(item, str(error))
            return False
        backoff.recovered(self.link.connection)
        return True

    # -- sending

    def _place(self) -> str:
        """The queue in which the record lies, or in which it will be created."""
        return self.seen.queue if self.seen is not None else self.connector.home_queue

    def _see(self) -> None:
        """Read the vendor's record once under this lease, to verify its identity and follow its changes."""
        if not self.link.remote_key or self.seen is not None or not isinstance(self.connector, TicketConnector):
            return
        self.seen = self.connector.glance(self.link.remote_key)
        fresh = self._fresh_link()
        if reconcile.is_as_heard(fresh, self.seen, self.composer.mapped):
            identity.verify(fresh, self.seen)
            if fresh.asked_at is None or timezone.now() - fresh.asked_at > ASKED_EVERY:
                item_writes.asked(fresh.pk, timezone.now())
        else:
            reconcile.apply(connection=self.link.connection, remote=self.seen, at=now())
            fresh = self._fresh_link()
        if fresh.state != Link.State.ACTIVE:
            raise identity.Mistaken(fresh.why)
        self.link.agreed, self.link.heard, self.link.missed = fresh.agreed, fresh.heard, fresh.missed
        self.leg = fresh.leg

    def _fresh_link(self) -> Link:
        """The link as it is now; Fenced if another worker has taken it over."""
        fresh = item_writes.link_now.first(self.link.pk)
        if fresh is None or fresh.epoch != self.link.epoch:  # the link goes if the offer is undone
            raise Fenced
        return fresh

    def _push(self, item: Outbound, composed: Composed) -> Pushed:
        self.write_limit.check()
        if item.kind == Outbound.Kind.CREATE:
            made = lookup.made(self.link, self.connector)
            if made is not None:
                return made
        intended = time.monotonic()
        self._intend(item, composed)
        if time.monotonic() - intended > SEND_WITHIN.total_seconds():
            # The process was suspended: another worker may be looking up this send already, so it must not start now.
            raise Unclear(sentence("Sending did not start in time."))
        return self.connector.push(composed.change)

    def _intend(self, item: Outbound, composed: Composed) -> None:
        item.intent_at = timezone.now()
        change = composed.change
        item.intent = {"fields": dict(change.fields), "ours": composed.ours, "reference": change.reference}
        if not item_writes.intend(*self._named(item), item.state, item.intent_at, item.intent):
            self._fresh_link()  # Fenced if that is the reason
            raise Overtaken
        self.write_limit.count()

    def _look_up(self, item: Outbound) -> bool:
        """Look up an item that may have been sent; True if it has not arrived and can be sent again now."""
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
                    "Sent %(count)s times, but never found in the vendor's system. %(error)s",
                    count=item.attempts,
                    error=item.error,
                ),
            )
            return False
        item.intent_at, item.intent = None, {}
        self._write(
            item, only=item.state, intent_at=None, intent={}, state=Outbound.State.READY, attempts=item.attempts
        )
        item.state = Outbound.State.READY
        return True

    # -- how it ended

    def _complete(self, item: Outbound, composed: Composed, pushed: Pushed, began: datetime | None = None) -> None:
        is_text = item.kind in _TEXTS
        with transaction.atomic():
            held = leases.hold(self.link, with_ticket=not is_text)
            if is_text:
                outbox.bind(self.link, item, pushed.key)
            else:
                assert pushed.ticket is not None
                if item.kind == Outbound.Kind.CREATE:
                    outbox.created(self.link, pushed.ticket)
                    held = leases.hold(self.link, with_ticket=True)
                self.agreement.read_back(composed, pushed.ticket, held)
            self._arrive(item, pushed.key)
            if item.kind == Outbound.Kind.FIELDS and held.leg.is_unreached:
                origin = self.link.connection.public_id
                stages.confirm_reached(leg=self.link.leg, actor=Actor.system("delivery"), at=now(), origin=origin)
            if not is_text:
                self.agreement.queue_what_is_left(held)
            if began is not None:
                self._note_attempt(item, began, "ok", "")

    def _agree_as_it_is(self, item: Outbound, composed: Composed) -> None:
        """Settle an item with nothing to send, because both sides agree by now."""
        with transaction.atomic():
            held = leases.hold(self.link, with_ticket=True)
            self.agreement.as_it_is(composed, held)
            self._finish(item, Outbound.State.DONE)
            self.agreement.queue_what_is_left(held)

    def _failed(self, item: Outbound, error: ConnectorError) -> bool:
        """Handle an error by its class; True if the lane can continue."""
        connection = self.link.connection
        if isinstance(error, Unclear):
            settled_at = (item.intent_at or timezone.now()) + SETTLE
            self._write(item, state=Outbound.State.UNCLEAR, next_attempt_at=settled_at, error=str(error))
            return False
        if isinstance(error, TryLater):
            self._postpone(item, error)
            return False
        # The request was definitely refused and had no effect, so nothing has to be looked up.
        self._write(item, intent_at=None, intent={})
        if isinstance(error, LockedOut):
            self.is_connection_down = True
            backoff.lock_out(connection, str(error))
            return False
        if isinstance(error, Unsupported) and item.is_pack:
            self._park(item, refusals.pack_not_taken(item, error))  # if it were skipped, nobody would notice
            return False
        if isinstance(error, Unsupported):
            self._finish(item, Outbound.State.SKIPPED, error=str(error))
            return True
        assert isinstance(error, Refused)
        fault = refusals.of_connection(self.link, self.connector) if isinstance(error, Forbidden) else ""
        if fault:
            self.is_connection_down = True
            with transaction.atomic():
                refusals.put_back(connection)
                backoff.lock_out(connection, sentence("%(fault)s %(error)s", fault=fault, error=str(error)))
            return False
        self._park(item, str(error))
        return False

    def _gone(self, item: Outbound, error: Missing) -> bool:
        """The record was not found: try again a few times, then stop the link."""
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
                    "Tried %(count)s times while other changes were delivered. %(error)s",
                    count=attempts,
                    error=str(error),
                ),
            )
            return
        wait = timedelta(seconds=error.after) if error.after else backoff.probe(attempts)
        until = timezone.now() + wait
        self.is_connection_down = True
        self._write(item, intent_at=None, intent={}, attempts=attempts, next_attempt_at=until, error=str(error))
        backoff.pause(connection, until, str(error))

    def _park(self, item: Outbound, why: str) -> None:
        self._write(item, state=Outbound.State.PARKED, error=why, next_attempt_at=None, intent_at=None, intent={})

    def _finish(self, item: Outbound, state: Outbound.State, *, error: str = "") -> None:
        if not item_writes.finish(*self._named(item), state, timezone.now(), error):
            raise Fenced

    def _arrive(self, item: Outbound, remote_key: str) -> None:
        if not item_writes.arrive(*self._named(item), timezone.now(), remote_key):
            raise Fenced

    def _named(self, item: Outbound) -> tuple[int, int, int]:
        """The item, under the lease of this link."""
        return item.pk, self.link.pk, self.link.epoch

    def _note_attempt(self, item: Outbound, began: datetime, outcome: str, said: str) -> None:
        insert(
            Attempt(
                outbound=item,
                epoch=self.link.epoch,
                began_at=began,
                ended_at=timezone.now(),
                outcome=outcome,
                said=said[:1000],
            )
        )

    def _write(self, item: Outbound, *, only: str = "", **changes: object) -> None:
        """Change the item if the lease is still ours, and if its state is still `only`; Fenced otherwise."""
        mine = item_writes.mine(*self._named(item))
        may_wait_again = changes.get("intent_at", item) is None and changes.get("state") != Outbound.State.DONE
        try:
            with transaction.atomic() if may_wait_again else nullcontext():
                written = (mine.filter(state=only) if only else mine).update(**changes)
        except IntegrityError:
            # Another change of fields is waiting already, and will send what this one had to send.
            changes |= {"state": Outbound.State.SKIPPED, "next_attempt_at": None, "intent_at": None}
            written = mine.update(**changes)
        if not written:
            raise Fenced
