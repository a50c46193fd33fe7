"""Whether both sides of a link are equal: the record beside what the vendor has now."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.engine import mapping, registry
from connectors.engine.mapping import agreement
from connectors.kit.contract import RemoteTicket, TicketConnector
from connectors.models import Difference, Inbound, Lane, Link, Outbound
from hub.models import Leg, Message


def differences(link: Link) -> list[str]:
    """Everything in which the two sides of one link differ, in words; empty where they are equal."""
    if link.state == Link.State.ALIAS:
        return [*_of_differences(link), *_unsaid(link)]
    if not issubclass(registry.kind_of(link.connection), TicketConnector):
        # Nothing can be read back: what was said is said, and what came is understood.
        return [*_of_differences(link), *_of_letters(link), *_unsaid(link)]
    with registry.ready(link.connection, TicketConnector) as connector:
        remote = connector.fetch(link.remote_key)
    return [*_of_fields(link, remote), *_of_notes(link, remote), *_of_files(link, remote), *_unsaid(link)]


def _of_fields(link: Link, remote: RemoteTicket) -> Iterator[str]:
    mapped = mapping.published(link.connection)
    leg = Leg.objects.select_related("ticket").get(pk=link.leg_id)
    changed = agreement.changed_here(link, mapped, leg.ticket, leg)
    for field in mapped.fields:
        agreed = link.agreed.get(field)
        theirs = remote.fields.get(field, "")
        if agreed is None:
            yield f"{link}: {field} was never agreed"
        elif theirs != agreed["theirs"]:
            yield f"{link}: {field} there is {theirs!r}, agreed was {agreed['theirs']!r}"
        elif field in changed:
            yield f"{link}: {field} here is {changed[field]!r}, agreed was {agreed['ours']!r}"
    known = link.agreed.get("reference", {}).get("theirs", link.reference)
    if remote.reference != known:
        yield f"{link}: our reference there is {remote.reference!r}"
    yield from _of_differences(link)


def _of_differences(link: Link) -> Iterator[str]:
    for row in Difference.objects.filter(link=link, resolved_at=None):
        yield f"{link}: {row.field} {row.value!r}: {row.why}"


def _of_letters(link: Link) -> Iterator[str]:
    waiting = Inbound.objects.filter(connection=link.connection, state__in=[Inbound.State.NEW, Inbound.State.PARKED])
    for row in waiting.order_by("pk"):
        yield f"{link}: a letter is {row.get_state_display()} {row.error}".rstrip()


def _of_notes(link: Link, remote: RemoteTicket) -> Iterator[str]:
    bound = dict(link.bindings.filter(lane=Lane.NOTES).values_list("remote_key", "message__public_id"))
    there = {note.key for note in remote.notes or ()}
    yield from (f"{link}: note {key} there is not known here" for key in sorted(there - bound.keys()))
    there |= {each.key for each in remote.unread}
    told_there = {key for key, message in bound.items() if message}
    yield from (f"{link}: note {key} is not there any more" for key in sorted(told_there - there))
    told = Message.objects.filter(ticket=link.leg.ticket_id, legs=link.leg_id, attachments__isnull=True)
    for message in told.exclude(public_id__in=[value for value in bound.values() if value]):
        if message.outbound.filter(link=link).exists():
            yield f"{link}: {message} has not arrived there"


def _of_files(link: Link, remote: RemoteTicket) -> Iterator[str]:
    bound = set(link.bindings.filter(lane=Lane.FILES).values_list("remote_key", flat=True))
    there = {file.key for file in remote.files or ()}
    yield from (f"{link}: file {key} there is not known here" for key in sorted(there - bound))
    yield from (f"{link}: file {key} is not there any more" for key in sorted(bound - there))


def _unsaid(link: Link) -> Iterator[str]:
    for item in link.outbound.exclude(state__in=[Outbound.State.DONE, Outbound.State.SKIPPED]).order_by("seq"):
        yield f"{link}: {item.get_kind_display()} is {item.get_state_display()} {item.error}".rstrip()
