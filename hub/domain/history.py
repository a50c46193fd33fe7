"""The history of tickets: append events, erase texts, and verify that no event was changed."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import models, transaction

from hub.core.rows import insert, save
from hub.domain import checkpoints, clock_rows, event_loader, holding, ledger, signals
from hub.domain.actors import Actor
from hub.domain.organisations import Organisations
from hub.models import Event, EventKind, Message, Ticket
from hub.search import indexing

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
    saving: Collection[str] = (),
) -> Event:
    """Write one event, re-fold ledger and clocks if the event affects them, and call the receivers.

    The caller holds the row lock of `ticket`, because the event gets the next number of the ticket's chain. If
    `occurred_at` is later than `at`, `at` is used, and the payload keeps the original as `clamped_from`. `texts` are
    what people wrote: they can be erased, and the chain covers their salted digests. `body` is covered like them but
    is stored in the Message. `saving` names fields of the ticket that the caller has set and not saved.
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
    insert(event)
    holding.touched(ticket.pk)
    _settle(ticket, event, saving)
    signals.announce(event)
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
    """The next event of the ticket, with its hash but not saved. Sets the ticket's chain head; see `record`."""
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
    """Set the event's hash, and make it the head of the ticket's chain."""
    event.hash = chain_hash(event, ticket_id=ticket.public_id)
    ticket.last_seq, ticket.chain_head = event.seq, event.hash
    ticket.changed_at = event.recorded_at
    return event


_postponed: ContextVar[dict[int, datetime] | None] = ContextVar("postponed", default=None)


@contextmanager
def one_fold() -> Iterator[None]:
    """Re-fold ledger and clocks once at the end of the block instead of after every event."""
    token = _postponed.set({})
    try:
        yield
        for pk, at in (_postponed.get() or {}).items():
            ticket = Ticket.objects.select_related("owner").get(pk=pk)
            save(ticket, _refold(ticket, at))
    finally:
        _postponed.reset(token)


def _settle(ticket: Ticket, event: Event, saving: Collection[str]) -> None:
    """Save the chain head, and re-fold ledger and clocks if the event affects them."""
    changed = ["last_seq", "chain_head", "changed_at", *saving]
    if event.kind in SEARCHED:
        ticket.is_indexed = False
        changed.append("is_indexed")
    if event.kind in event_loader.FOLDED:
        postponed = _postponed.get()
        if postponed is None:
            changed += _refold(ticket, event.recorded_at)
        else:
            postponed[ticket.pk] = event.recorded_at
    save(ticket, changed)


def _refold(ticket: Ticket, at: datetime) -> list[str]:
    story, organisations = checkpoints.stories([ticket])[ticket.pk], Organisations()
    organisations.of(story.organisations())  # all at once
    changed = ledger.refold(story, organisations)
    ticket.owner = organisations.by_pk(ticket.owner_id) or ticket.owner
    clock_rows.refold_all([story], as_of=at, is_lazy=True, organisations=organisations)
    checkpoints.save([story])
    return changed


SEARCHED = frozenset(
    {
        EventKind.TICKET_OPENED,
        EventKind.TICKET_EDITED,
        EventKind.LEG_BORN,
        EventKind.LEG_DELIVERED,
        EventKind.MESSAGE_ADDED,
        EventKind.MESSAGE_WITHDRAWN,
        EventKind.ATTACHMENT_ADDED,
        EventKind.TEXTS_ERASED,
        EventKind.ACTION_UNDONE,
    }
)
"""Events after which a ticket may be found by other texts."""

ERASED = "(erased)"
"""The body of a message whose text was erased."""


@transaction.atomic
def erase(*, ticket: Ticket, events: Sequence[int], reason: str, actor: Actor, at: datetime) -> Event:
    """Erase what people wrote in these events of the ticket, given by their `seq`; the chain stays valid.

    Texts, bodies of messages and salts are removed, so that no text can be guessed from its digest. The erasure is an
    event itself and lists the erased events: without it an empty salt counts as tampering. Raises ValueError if an
    event does not exist or has no text.
    """
    ticket = Ticket.objects.select_for_update().get(pk=ticket.pk)
    found = {event.seq: event for event in Event.objects.filter(ticket=ticket, seq__in=events).exclude(salt="")}
    strange = sorted(set(events) - found.keys())
    if strange or not found:
        raise ValueError(f"Event {strange[0] if strange else '(none)'} of {ticket.label} has no text to erase.")
    rows = Message.objects.filter(
        ticket=ticket, public_id__in=[each.payload["message"] for each in found.values() if "body" in each.digests]
    )
    texts = [text for each in found.values() for text in each.texts.values()]
    indexing.forget(ticket, [*texts, *rows.values_list("body", flat=True)])
    rows.update(body=ERASED)
    # Bypasses the model, which refuses every change: this is the only change of an event that the database allows.
    models.QuerySet(Event).filter(pk__in=[event.pk for event in found.values()]).update(texts={}, salt="")
    payload = {"events": sorted(found), "reason": reason}
    return record(ticket=ticket, kind=EventKind.TEXTS_ERASED, payload=payload, actor=actor, at=at)


def digest(salt: str, name: str, text: str) -> str:
    """The salted SHA-256 of one text of an event, in hexadecimal."""
    return hashlib.sha256(f"{salt}\x1f{name}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()


def chain_hash(event: Event, *, ticket_id: str) -> str:
    """The SHA-256 of an event over canonical JSON: sorted keys, integers and strings only, times in UTC."""
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
    """The value as plain JSON. Raises TypeError if it holds anything but strings, integers, None, lists and dicts."""
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
    """The first event of a ticket that was changed, and what is wrong with it."""

    ticket: Ticket
    seq: int
    what: str


def verify(ticket: Ticket) -> Tampering | None:
    """Check the ticket's chain from its first event to its head; None if nothing was changed."""
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
    """The `seq` of the erasure by the `seq` of each event it erased."""
    rows = Event.objects.filter(ticket=ticket, kind=EventKind.TEXTS_ERASED).values_list("seq", "payload")
    return {seq: at for at, payload in rows for seq in payload["events"]}


def _erased_wrongly(event: Event, bodies: Mapping[str, str], erased: Mapping[int, int]) -> str:
    """What is wrong with an event that has texts but no salt; empty if its texts were properly erased."""
    if event.salt or not event.digests:
        return ""
    if erased.get(event.seq, 0) <= event.seq:
        return "its texts were removed without an erasure"
    body = bodies.get(event.payload.get("message", ""), ERASED) if "body" in event.digests else ERASED
    return "a text was inserted where one was erased" if event.texts or body != ERASED else ""


def _changed_texts(event: Event, bodies: Mapping[str, str]) -> Iterator[str]:
    """A fault for each text that does not match its digest."""
    if not event.salt:
        return
    texts = dict(event.texts)
    if "body" in event.digests:
        texts["body"] = bodies.get(event.payload.get("message", ""), "")
    for name, expected in event.digests.items():
        if digest(event.salt, name, texts.get(name, "")) != expected:
            yield f"its {name} was changed"
