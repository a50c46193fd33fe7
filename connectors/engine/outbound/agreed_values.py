"""What both sides of a link agree on after a write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from connectors.engine import outbox
from connectors.engine.mapping import Mapped, agreement
from connectors.engine.outbound.composition import Composed
from connectors.kit.contract import RemoteTicket
from connectors.models import Difference, Link
from hub.core import statements
from hub.core.clock import now
from hub.core.rows import save
from hub.core.statements import Change


class Agreement:
    """Keeps the agreed values of a link whose lease is held; the link that is passed to its methods is locked."""

    def __init__(self, link: Link, mapped: Mapped, insert_only: Collection[str]) -> None:
        self.link, self.mapped, self.insert_only = link, mapped, insert_only

    def as_it_is(self, composed: Composed, held: Link) -> None:
        """Both sides agree by now, without a write."""
        self._agree({field: (self._agreed_theirs(field), mine) for field, mine in composed.ours.items()}, held=held)
        save(held, ["agreed"])

    def queue_what_is_left(self, held: Link) -> None:
        """Queue what was changed here while the item was composed and sent; it was not queued, as the item waited."""
        changed = agreement.changed_here(held, self.mapped, held.leg.ticket, held.leg)
        if changed.keys() - set(self.insert_only):
            outbox.queue_fields(held)

    def read_back(self, composed: Composed, remote: RemoteTicket, held: Link) -> None:
        """After a write, the agreed value is the one that was read back, not the one that was sent."""
        sent = composed.change.fields
        written = {
            field: (remote.fields.get(field, "") if field in sent else self._agreed_theirs(field), mine)
            for field, mine in composed.ours.items()
        }
        self._agree(written, reference=remote.reference, held=held)
        # What is heard in answer to our own write needs no following when the record is read next.
        held.heard |= {field: remote.fields[field] for field in sent if field in remote.fields and field != "status"}
        if held.heard == remote.fields and held.heard_at is not None:
            held.heard_at = max(held.heard_at, remote.changed_at)
        save(held, ["agreed", "heard", "heard_at"])
        self.link.heard = held.heard

    def _agreed_theirs(self, field: str) -> str:
        return str(self.link.agreed.get(field, {}).get("theirs", self.link.heard.get(field, "")))

    def _agree(self, values: Mapping[str, tuple[str, str]], *, reference: str = "", held: Link) -> None:
        """Agree these fields by name (theirs, ours). `held` is the locked link; the caller saves it."""
        held.agreed |= {
            field: {"theirs": _newest(held, self.link, field, theirs), "ours": mine}
            for field, (theirs, mine) in values.items()
        }
        if reference == held.reference:
            held.agreed["reference"] = {"theirs": reference, "ours": reference}
        self.link.agreed = held.agreed
        # Both sides agree again, so the differences in these fields are settled.
        if statements.is_few(values):
            _settled(held.pk, now(), list(values))
        elif values:
            Difference.objects.filter(link=held, field__in=list(values), resolved_at=None).update(resolved_at=now())


@statements.update
def _settled(link_id: int, at: datetime, fields: Sequence[str]) -> Change:
    open_ones = Difference.objects.filter(link=link_id, field__in=fields, resolved_at=None)
    return Change(open_ones, {"resolved_at": at})


def _newest(fresh: Link, read: Link, field: str, theirs: str) -> str:
    """The vendor's value of a field that was not written; a value that was received meanwhile takes precedence."""
    known, before = fresh.agreed.get(field, {}).get("theirs"), read.agreed.get(field, {}).get("theirs")
    return str(known) if theirs == before and known is not None else theirs
