"""What a person does about a row that is parked."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import Inbound
from hub.models import User


@transaction.atomic
def retry(row: Inbound) -> None:
    """Read a parked one again."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error=""
    )


def alike(row: Inbound) -> QuerySet[Inbound]:
    """What waits on the same connection for the same reason, this one among them."""
    return Inbound.objects.filter(connection=row.connection_id, state=Inbound.State.PARKED, error=row.error)


@transaction.atomic
def retry_alike(row: Inbound) -> int:
    """Read everything again that waits for the same reason; how many there were."""
    return alike(row).update(state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error="")


def leave_out(row: Inbound, *, user: User, reason: str) -> None:
    """Take nothing from a parked one: somebody has read it."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.IGNORED, error=f"Left out by {user}: {reason}"[:1000], next_attempt_at=None
    )


@transaction.atomic
def vouch(row: Inbound, *, user: User, reason: str) -> None:
    """Take a parked letter although its sender is not proven: somebody of ours answers for that."""
    row = Inbound.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.kind != Inbound.Kind.MAIL or row.state != Inbound.State.PARKED:
        raise ValueError("Only a letter that is parked can be taken all the same.")
    told = {"user": user.public_id, "name": str(user), "reason": reason[:500]}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | {"vouched": told})
    retry(row)
