"""Exports of everything recorded about a vendor's work, for our archive or for the successor, and their verification.

A folder of JSON (nested) and CSV (flat) with the attachments, and a manifest with the sha256 of every file. An export
for a successor contains only what a later organisation may see: nothing internal, no clocks, no ledger, no names of
requesters. docs/how-to/replace-a-vendor.md describes every field.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from hub import csv_escaping
from hub.core.chunks import in_chunks
from hub.domain import files
from hub.models import FOR_LATER, Attachment, Clock, Event, LedgerSegment, Leg, Message, Organisation, Service, Ticket
from hub.queries.clocks import seconds_paused, seconds_used

FORMAT = "ticket-hub-vendor-exit/1"
AUDIENCES = ("us", "successor")
MANIFEST = "manifest.json"


def tickets_of(vendor: Organisation, services: Iterable[Service] = ()) -> QuerySet[Ticket]:
    """Every ticket on which the vendor was engaged, of the given services or of all."""
    rows = Ticket.objects.filter(legs__organisation=vendor)
    chosen = [service.pk for service in services]
    if chosen:
        rows = rows.filter(service__in=chosen)
    return rows.select_related("status", "service", "requester__organisation", "owner").distinct().order_by("pk")


def export(
    vendor: Organisation, to: Path, *, audience: str = "us", services: Iterable[Service] = (), at: datetime
) -> dict[str, Any]:
    """Write the export into a new or empty folder and return its manifest. FileExistsError if it is not empty."""
    if audience not in AUDIENCES:
        raise ValueError(f"Unknown audience {audience!r}; choose from {', '.join(AUDIENCES)}.")
    to.mkdir(parents=True, exist_ok=True)
    if any(to.iterdir()):
        raise FileExistsError(_("%(folder)s is not empty; choose a new folder.") % {"folder": to})
    chosen = list(services)
    tickets = list(tickets_of(vendor, chosen))
    tables = _tables(tickets, vendor, is_ours=audience == "us")
    for name, rows in tables.items():
        _write(to / f"{name}.json", json.dumps(rows, indent=1, ensure_ascii=False, sort_keys=True).encode())
        _write_csv(to / f"{name}.csv", rows)
    for attachment in _attachments(tickets, audience):
        _write(to / "files" / attachment.sha256, files.read(attachment))
    manifest = {
        "format": FORMAT,
        "made_at": at.isoformat(),
        "audience": audience,
        "vendor": vendor.name,
        "vendor_id": vendor.public_id,
        "services": sorted(service.name for service in chosen),
        "counts": {name: len(rows) for name, rows in tables.items()},
        "files": {str(path.relative_to(to)): digest(path) for path in sorted(to.rglob("*")) if path.is_file()},
    }
    _write(to / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
    return manifest


def _tables(tickets: list[Ticket], vendor: Organisation, *, is_ours: bool) -> dict[str, list[dict[str, Any]]]:
    messages = _messages(tickets, is_ours=is_ours)
    legs = Leg.objects.filter(Q() if is_ours else Q(organisation=vendor), ticket__in=tickets).order_by("pk")
    found = {
        "tickets": [_ticket(ticket, is_ours=is_ours) for ticket in tickets],
        "engagements": [_leg(leg, is_ours=is_ours) for leg in legs.select_related("ticket", "organisation")],
        "messages": [_message(message, is_ours=is_ours) for message in messages],
        "attachments": [
            {
                "id": each.public_id,
                "ticket": each.ticket.label,
                "message": each.message.public_id,
                "name": each.name,
                "size": each.size,
                "sha256": each.sha256,
                "file": f"files/{each.sha256}",
            }
            for each in _attachments(tickets, "us" if is_ours else "successor")
        ],
    }
    if is_ours:
        clocks = Clock.objects.filter(ticket__in=tickets, party=vendor).select_related(
            "ticket", "contract__calendar", "calendar", "party"
        )
        ledger = LedgerSegment.objects.filter(ticket__in=tickets).select_related("ticket", "holder", "charged_to")
        events = Event.objects.filter(ticket__in=tickets).select_related("ticket")
        found["clocks"] = [_clock(row) for row in clocks.order_by("pk")]
        found["ledger"] = [_segment(row) for row in ledger.order_by("ticket_id", "from_at")]
        found["events"] = [_event(row) for row in events.order_by("ticket_id", "seq")]
    return found


def _told(audience: str) -> Q:
    return Q() if audience == "us" else FOR_LATER


def _messages(tickets: list[Ticket], *, is_ours: bool) -> QuerySet[Message]:
    rows = Message.objects.filter(_told("us" if is_ours else "successor"), ticket__in=tickets)
    return rows.select_related("ticket", "author_organisation", "superseded_by").order_by("ticket_id", "pk")


def _attachments(tickets: list[Ticket], audience: str) -> Iterator[Attachment]:
    messages = Message.objects.filter(_told(audience), ticket__in=tickets)
    rows = Attachment.objects.filter(message__in=messages).select_related("ticket", "message")
    yield from in_chunks(rows)


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _ticket(ticket: Ticket, *, is_ours: bool) -> dict[str, Any]:
    found = {
        "id": ticket.public_id,
        "number": ticket.label,
        "kind": str(ticket.kind),
        "title": ticket.title,
        "description": ticket.description,
        "priority": ticket.priority,
        "phase": str(ticket.phase),
        "status": ticket.status.name,
        "service": ticket.service.name if ticket.service else "",
        "opened_at": _iso(ticket.opened_at),
        "resolved_at": _iso(ticket.resolved_at),
        "closed_at": _iso(ticket.closed_at),
    }
    if is_ours:
        found |= {
            "requester": ticket.requester.name if ticket.requester else "",
            "requester_organisation": ticket.requester.organisation.name if ticket.requester else "",
            "chain_head": ticket.chain_head,
            "events": ticket.last_seq,
        }
    return found


def _leg(leg: Leg, *, is_ours: bool) -> dict[str, Any]:
    return {
        "id": leg.public_id,
        "ticket": leg.ticket.label,
        "number": leg.number,
        "organisation": leg.organisation.name,
        "stage": str(leg.stage),
        "is_lead": leg.is_lead,
        "offered_at": _iso(leg.offered_at),
        "delivered_at": _iso(leg.delivered_at),
        "answered_at": _iso(leg.answered_at),
        "ended_at": _iso(leg.ended_at),
        "reason_code": leg.reason_code,
        "reason": leg.reason if is_ours else "",
        "resolution": leg.resolution,
        "their_number": leg.remote_number,
    }


def _message(message: Message, *, is_ours: bool) -> dict[str, Any]:
    found = {
        "id": message.public_id,
        "ticket": message.ticket.label,
        "by": message.author_organisation.name,
        "at": _iso(message.occurred_at),
        "body": message.body,
    }
    if is_ours:
        found |= {
            "author": message.author_name,
            "recorded_at": _iso(message.recorded_at),
            "for_requester": message.is_for_requester,
            "for_later": message.is_for_later_legs,
            "withdrawn_at": _iso(message.withdrawn_at),
            "superseded_by": _successor_of(message),
        }
    return found


def _successor_of(message: Message) -> str:
    """The id of the message that replaced this one; empty if none did."""
    newer = getattr(message, "superseded_by", None)
    return newer.public_id if newer is not None else ""


def _clock(clock: Clock) -> dict[str, Any]:
    return {
        "ticket": clock.ticket.label,
        "contract": str(clock.contract),
        "target": clock.target,
        "party": clock.party.name,
        "cycle": clock.cycle,
        "state": str(clock.state),
        "goal_seconds": clock.goal_seconds,
        "used_seconds": seconds_used(clock, at=clock.ticket.changed_at),
        "paused_seconds": seconds_paused(clock, at=clock.ticket.changed_at),
        "started_at": _iso(clock.started_at),
        "stopped_at": _iso(clock.stopped_at),
        "due_at": _iso(clock.due_at),
        "breach_at": _iso(clock.breach_at),
        "is_breached": clock.is_breached,
    }


def _segment(row: LedgerSegment) -> dict[str, Any]:
    return {
        "ticket": row.ticket.label,
        "from": _iso(row.from_at),
        "until": _iso(row.until_at),
        "holder": row.holder.name,
        "charge": row.charge,
        "charged_to": row.charged_to.name if row.charged_to else "",
        "reason": row.reason,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "ticket": event.ticket.label,
        "ticket_id": event.ticket.public_id,
        "seq": event.seq,
        "kind": event.kind,
        "actor": event.actor_name,
        "occurred_at": _iso(event.occurred_at),
        "recorded_at": _iso(event.recorded_at),
        "payload": event.payload,
        "texts": event.texts,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


# -- files


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """The same rows, flat. A cell that a spreadsheet would run as a formula starts with an apostrophe."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else ["ticket"])
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return csv_escaping.plain(json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value)


def digest(path: Path) -> str:
    """The sha256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- verification


def verify(folder: Path) -> list[str]:
    """Every problem of an export: files changed, missing or added, chains and ledgers broken."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        named = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [_("%(file)s cannot be read: %(error)s") % {"file": MANIFEST, "error": error}]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    changed = [name for name in sorted(there & set(named)) if digest(folder / name) != named[name]]
    wrong = [_("%(file)s is missing") % {"file": name} for name in sorted(set(named) - there)]
    wrong += [_("%(file)s is not in the manifest") % {"file": name} for name in sorted(there - set(named))]
    wrong += [_("%(file)s was changed") % {"file": name} for name in changed]
    if wrong or manifest.get("audience") != "us":
        return wrong
    try:
        return [*_ledger_faults(folder), *_chain_faults(folder)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = _("tickets.json, ledger.json and events.json cannot be compared: %(kind)s %(error)s")
        return [text % {"kind": type(error).__name__, "error": error}]


def _ledger_faults(folder: Path) -> Iterator[str]:
    """Gaps: each ticket's segments must start with it, follow one another, and continue while it is open."""
    tickets = {row["number"]: row for row in json.loads((folder / "tickets.json").read_bytes())}
    ends = {label: row["opened_at"] for label, row in tickets.items()}
    for row in json.loads((folder / "ledger.json").read_bytes()):
        if ends.get(row["ticket"]) != row["from"]:
            yield _("%(ticket)s: the ledger has a gap before %(time)s") % {"ticket": row["ticket"], "time": row["from"]}
        ends[row["ticket"]] = row["until"]
    for label, end in ends.items():
        if end and tickets[label]["phase"] not in ("resolved", "closed", "cancelled"):
            yield _("%(ticket)s: the ledger has a gap after %(time)s") % {"ticket": label, "time": end}


def _chain_faults(folder: Path) -> Iterator[str]:
    """Broken chains: each event must name the previous one's hash, and the last must be the ticket's head."""
    heads = {row["number"]: row["chain_head"] for row in json.loads((folder / "tickets.json").read_bytes())}
    last: dict[str, str] = {}
    for row in json.loads((folder / "events.json").read_bytes()):
        if row["previous_hash"] != last.get(row["ticket"], ""):
            named = {"ticket": row["ticket"], "number": row["seq"]}
            yield _("%(ticket)s: event %(number)s does not follow the previous one") % named
        last[row["ticket"]] = row["hash"]
    for label, head in heads.items():
        if last.get(label, "") != head:
            yield _("%(ticket)s: its history does not end with its last event") % {"ticket": label}
