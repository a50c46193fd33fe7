"""The record: append an event under the ticket's lock, and prove that nobody changed one."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import models, transaction

from hub.domain import clocks, event_loader, ledger, signals
from hub.domain.actors import Actor
from hub.models import Event, EventKind, Message, Ticket

Payload = Mapping[str, Any]


def record(
    *,
    ticket: Ticket,
    kind: EventKind,
    payload: Payload,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    texts: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Event:
    """Write one event, re-fold what depends on it, and tell whoever reacts.

    The caller holds the row lock of `ticket` (its number in the chain is decided here). `occurred_at`
    later than `at` is clamped to it and flagged. `texts` are what people wrote: stored erasable, chained
    by salted digest; `body` is chained like them but lives in the Message.
    """
    event = build(
        ticket=ticket,
        kind=kind,
        payload=payload,
        actor=actor,
        at=at,
        occurred_at=occurred_at,
        origin=origin,
        texts=texts,
        body=body,
    )
    event.save(force_insert=True)
    _settle(ticket, event)
    signals.event_recorded.send(sender=Event, event=event)
    return event


def build(
    *,
    ticket: Ticket,
    kind: EventKind,
    payload: Payload,
    actor: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    origin: str = "",
    texts: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Event:
    """The next event of the ticket, chained but not saved; moves the ticket's chain head."""
    recorded_at = at.replace(microsecond=0)
    happened_at = (occurred_at or at).replace(microsecond=0)
    facts = dict(payload)
    if happened_at > recorded_at:
        facts["clamped_from"] = _instant(happened_at)
        happened_at = recorded_at
    texts = dict(texts or {})
    chained = texts if body is None else texts | {"body": body}
    salt = secrets.token_hex(16) if chained else ""
    event = Event(
        ticket=ticket,
        seq=ticket.last_seq + 1,
        kind=kind,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        actor_organisation=actor.organisation,
        origin=origin,
        occurred_at=happened_at,
        recorded_at=recorded_at,
        payload=facts,
        texts=texts,
        digests={name: digest(salt, name, text) for name, text in chained.items()},
        salt=salt,
        previous_hash=ticket.chain_head,
    )
    return _chained(ticket, event)


def _chained(ticket: Ticket, event: Event) -> Event:
    """The event with its hash, as the new head of the ticket's chain."""
    event.hash = chain_hash(event, ticket_id=ticket.public_id)
    ticket.last_seq, ticket.chain_head = event.seq, event.hash
    ticket.changed_at = event.recorded_at
    return event


_postponed: ContextVar[dict[int, datetime] | None] = ContextVar("postponed", default=None)


@contextmanager
def one_fold() -> Iterator[None]:
    """Re-fold ledger and clocks once at the end instead of after every event: for many events in a row."""
    token = _postponed.set({})
    try:
        yield
        for pk, at in (_postponed.get() or {}).items():
            ticket = Ticket.objects.select_related("owner").get(pk=pk)
            ticket.save(update_fields=_refold(ticket, at))
    finally:
        _postponed.reset(token)


def _settle(ticket: Ticket, event: Event) -> None:
    """Save the chain head, and re-fold ledger and clocks where the event matters to them."""
    changed = ["last_seq", "chain_head", "changed_at"]
    if event.kind in event_loader.FOLDED:
        postponed = _postponed.get()
        if postponed is None:
            changed += _refold(ticket, event.recorded_at)
        else:
            postponed[ticket.pk] = event.recorded_at
    ticket.save(update_fields=changed)


def _refold(ticket: Ticket, at: datetime) -> list[str]:
    events = event_loader.load(ticket)
    changed = ledger.refold(ticket, events)
    clocks.refold(ticket, events, as_of=at)
    return changed


ERASED = "(erased)"
"""What stands in a message whose text was erased."""


@transaction.atomic
def erase(*, ticket: Ticket, events: Sequence[int], reason: str, actor: Actor, at: datetime) -> Event:
    """Erase what people wrote in these events of the ticket, named by their `seq`; the chain stays whole.

    Texts, the bodies of messages and the salts go, so that nothing written can be guessed from its digest. The
    erasure is an event itself and names what was erased: without one an empty salt is tampering.
    ValueError where an event holds nothing that was written, or is not there.
    """
    ticket = Ticket.objects.select_for_update().get(pk=ticket.pk)
    found = {event.seq: event for event in Event.objects.filter(ticket=ticket, seq__in=events).exclude(salt="")}
    strange = sorted(set(events) - found.keys())
    if strange or not found:
        raise ValueError(f"Event {strange[0] if strange else '(none)'} of {ticket.label} holds no text to erase.")
    rows = Message.objects.filter(
        ticket=ticket, public_id__in=[each.payload["message"] for each in found.values() if "body" in each.digests]
    )
    rows.update(body=ERASED)
    # Past the refusal of the model: this is the one change of an event that the database allows.
    models.QuerySet(Event).filter(pk__in=[event.pk for event in found.values()]).update(texts={}, salt="")
    payload = {"events": sorted(found), "reason": reason}
    return record(ticket=ticket, kind=EventKind.TEXTS_ERASED, payload=payload, actor=actor, at=at)


def digest(salt: str, name: str, text: str) -> str:
    return hashlib.sha256(f"{salt}\x1f{name}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()


def chain_hash(event: Event, *, ticket_id: str) -> str:
    """SHA-256 over canonical JSON: sorted keys, integers and strings only, times in UTC."""
    organisation = event.actor_organisation
    canonical = {
        "ticket": ticket_id,
        "seq": event.seq,
        "kind": str(event.kind),
        "actor": [str(event.actor_kind), event.actor_id, organisation.public_id if organisation else ""],
        "actor_name": event.actor_name,
        "origin": event.origin,
        "occurred_at": _instant(event.occurred_at),
        "recorded_at": _instant(event.recorded_at),
        "payload": plain(event.payload),
        "digests": event.digests,
        "previous": event.previous_hash,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """The value, refused with TypeError where it holds anything but strings, integers, lists and dicts."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"A payload holds integers and strings only, not {type(value).__name__}.")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Tampering(NamedTuple):
    """The first event of a ticket that does not fit, and why."""

    ticket: Ticket
    seq: int
    what: str


def verify(ticket: Ticket) -> Tampering | None:
    """Follow the ticket's chain from its first event to its head; None if nothing was changed."""
    previous, seq = "", 0
    events = Event.objects.filter(ticket=ticket).select_related("actor_organisation").order_by("seq")
    bodies, erased = _bodies(ticket), _erased(ticket)
    for event in events.iterator(chunk_size=500):
        seq += 1
        if event.seq != seq:
            return Tampering(ticket, seq, f"event {seq} is missing")
        if event.previous_hash != previous:
            return Tampering(ticket, seq, "it does not follow the event before it")
        if event.hash != chain_hash(event, ticket_id=ticket.public_id):
            return Tampering(ticket, seq, "its content was changed")
        wrong = _erased_wrongly(event, bodies, erased) or next(_changed_texts(event, bodies), "")
        if wrong:
            return Tampering(ticket, seq, wrong)
        previous = event.hash
    if seq != ticket.last_seq or previous != ticket.chain_head:
        return Tampering(ticket, seq + 1, "the newest events are missing")
    return None


def _bodies(ticket: Ticket) -> dict[str, str]:
    return dict(Message.objects.filter(ticket=ticket).values_list("public_id", "body"))


def _erased(ticket: Ticket) -> dict[int, int]:
    """By the `seq` of an event whose texts were erased: the `seq` of the event that says so."""
    rows = Event.objects.filter(ticket=ticket, kind=EventKind.TEXTS_ERASED).values_list("seq", "payload")
    return {seq: at for at, payload in rows for seq in payload["events"]}


def _erased_wrongly(event: Event, bodies: Mapping[str, str], erased: Mapping[int, int]) -> str:
    """What is wrong with an event that has no salt although something was written in it; empty where nothing is."""
    if event.salt or not event.digests:
        return ""
    if erased.get(event.seq, 0) <= event.seq:
        return "its texts were taken away, and no erasure says so"
    body = bodies.get(event.payload.get("message", ""), ERASED) if "body" in event.digests else ERASED
    return "a text was put in where one was erased" if event.texts or body != ERASED else ""


def _changed_texts(event: Event, bodies: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with texts that are there and do not give their digest."""
    if not event.salt:
        return
    texts = dict(event.texts)
    if "body" in event.digests:
        texts["body"] = bodies.get(event.payload.get("message", ""), "")
    for name, expected in event.digests.items():
        if digest(event.salt, name, texts.get(name, "")) != expected:
            yield f"its {name} was changed"
