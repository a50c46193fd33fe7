"""What a person can do about an inbound item that is parked."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import Inbound
from hub.core import wakeups
from hub.core.sentences import sentence
from hub.models import User


@transaction.atomic
def retry(row: Inbound) -> None:
    """Read a parked item again."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error=""
    )
    wakeups.wake()


def alike(row: Inbound) -> QuerySet[Inbound]:
    """All items of the same connection that are parked for the same reason, including this one."""
    return Inbound.objects.filter(connection=row.connection_id, state=Inbound.State.PARKED, error=row.error)


@transaction.atomic
def retry_alike(row: Inbound) -> int:
    """Read all items again that are parked for the same reason; returns their number."""
    wakeups.wake()
    return alike(row).update(state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error="")


def leave_out(row: Inbound, *, user: User, reason: str) -> None:
    """Ignore a parked item, for the reason that a person gives."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.IGNORED,
        error=sentence("Skipped by %(person)s: %(reason)s", person=user, reason=reason[:900]),
        next_attempt_at=None,
    )


@transaction.atomic
def vouch(row: Inbound, *, user: User, reason: str) -> None:
    """Accept a parked e-mail whose sender is not proven, for the reason that one of our people gives.

    ValueError if the item is something else or is not parked.
    """
    row = Inbound.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.kind != Inbound.Kind.MAIL or row.state != Inbound.State.PARKED:
        raise ValueError(sentence("Only a parked e-mail can be accepted anyway."))
    told = {"user": user.public_id, "name": str(user), "reason": reason[:500]}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | {"vouched": told})
    retry(row)
