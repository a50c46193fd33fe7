"""Compares both sides of a link: our ticket, and the vendor's record as it is now."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.engine import mapping, registry
from connectors.engine.mapping import agreement, field_names
from connectors.kit.contract import RemoteTicket, TicketConnector
from connectors.models import Difference, Inbound, Lane, Link, Outbound
from hub.core.sentences import sentence
from hub.models import Leg, Message


def differences(link: Link) -> list[str]:
    """Everything in which the two sides of a link differ, one sentence each; empty if they are equal.

    Raises the connector's errors. It makes calls, so do not use it in a transaction.
    """
    if link.state == Link.State.ALIAS:
        return [*_of_differences(link), *_unsaid(link)]
    if not issubclass(registry.kind_of(link.connection), TicketConnector):
        # Nothing can be read back, so only what is open can be compared.
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
        name = field_names.name_of(field)
        if agreed is None:
            yield sentence("%(link)s: %(field)s was never agreed", link=link, field=name)
        elif theirs != agreed["theirs"]:
            yield sentence(
                "%(link)s: %(field)s is “%(value)s” in the vendor's system, but “%(agreed)s” was agreed",
                link=link,
                field=name,
                value=theirs,
                agreed=agreed["theirs"],
            )
        elif field in changed:
            yield sentence(
                "%(link)s: %(field)s is “%(value)s” in Ticket Hub, but “%(agreed)s” was agreed",
                link=link,
                field=name,
                value=changed[field],
                agreed=agreed["ours"],
            )
    known = link.agreed.get("reference", {}).get("theirs", link.reference)
    if remote.reference != known:
        yield sentence(
            "%(link)s: our reference is “%(value)s” in the vendor's system", link=link, value=remote.reference
        )
    yield from _of_differences(link)


def _of_differences(link: Link) -> Iterator[str]:
    for row in Difference.objects.filter(link=link, resolved_at=None):
        yield sentence(
            "%(link)s: %(field)s “%(value)s” is not followed: %(reason)s",
            link=link,
            field=field_names.name_of(row.field),
            value=row.value,
            reason=row.why,
        )


def _of_letters(link: Link) -> Iterator[str]:
    waiting = Inbound.objects.filter(connection=link.connection, state__in=[Inbound.State.NEW, Inbound.State.PARKED])
    for row in waiting.order_by("pk"):
        yield sentence("%(link)s: an e-mail has not been processed: %(reason)s", link=link, reason=row.error or "–")


def _of_notes(link: Link, remote: RemoteTicket) -> Iterator[str]:
    bound = dict(link.bindings.filter(lane=Lane.NOTES).values_list("remote_key", "message__public_id"))
    there = {note.key for note in remote.notes or ()}
    for key in sorted(there - bound.keys()):
        yield sentence("%(link)s: the vendor's note %(key)s is not in Ticket Hub", link=link, key=key)
    there |= {each.key for each in remote.unread}
    told_there = {key for key, message in bound.items() if message}
    for key in sorted(told_there - there):
        yield sentence("%(link)s: note %(key)s is no longer in the vendor's system", link=link, key=key)
    told = Message.objects.filter(ticket=link.leg.ticket_id, legs=link.leg_id, attachments__isnull=True)
    for message in told.exclude(public_id__in=[value for value in bound.values() if value]):
        if message.outbound.filter(link=link).exists():
            yield sentence("%(link)s: %(message)s was not delivered", link=link, message=message)


def _of_files(link: Link, remote: RemoteTicket) -> Iterator[str]:
    bound = set(link.bindings.filter(lane=Lane.FILES).values_list("remote_key", flat=True))
    there = {file.key for file in remote.files or ()}
    for key in sorted(there - bound):
        yield sentence("%(link)s: the vendor's file %(key)s is not in Ticket Hub", link=link, key=key)
    for key in sorted(bound - there):
        yield sentence("%(link)s: file %(key)s is no longer in the vendor's system", link=link, key=key)


def _unsaid(link: Link) -> Iterator[str]:
    for item in link.outbound.exclude(state__in=[Outbound.State.DONE, Outbound.State.SKIPPED]).order_by("seq"):
        yield sentence(
            "%(link)s: %(item)s: %(state)s. %(reason)s",
            link=link,
            item=field_names.label_of(Outbound.Kind(item.kind).label),
            state=field_names.label_of(Outbound.State(item.state).label),
            reason=item.error,
        )
