"""What a person does about a row that is parked."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import Inbound
from hub.core.sentences import sentence
from hub.models import User


@transaction.atomic
def retry(row: Inbound) -> None:
    """Read a parked row again."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error=""
    )


def alike(row: Inbound) -> QuerySet[Inbound]:
    """The rows of the same connection that are parked for the same reason, this one included."""
    return Inbound.objects.filter(connection=row.connection_id, state=Inbound.State.PARKED, error=row.error)


@transaction.atomic
def retry_alike(row: Inbound) -> int:
    """Read all rows again that are parked for the same reason; how many there were."""
    return alike(row).update(state=Inbound.State.NEW, attempts=0, next_attempt_at=timezone.now(), error="")


def leave_out(row: Inbound, *, user: User, reason: str) -> None:
    """Ignore a parked row: somebody has read it."""
    Inbound.objects.filter(pk=row.pk, state=Inbound.State.PARKED).update(
        state=Inbound.State.IGNORED,
        error=sentence("Ignored by %(user)s: %(reason)s", user=user, reason=reason[:900]),
        next_attempt_at=None,
    )


@transaction.atomic
def vouch(row: Inbound, *, user: User, reason: str) -> None:
    """Accept a parked message although its sender is not proven: one of our people vouches for it."""
    row = Inbound.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.kind != Inbound.Kind.MAIL or row.state != Inbound.State.PARKED:
        raise ValueError("Only a parked message can be accepted anyway.")
    told = {"user": user.public_id, "name": str(user), "reason": reason[:500]}
    Inbound.objects.filter(pk=row.pk).update(headers=row.headers | {"vouched": told})
    retry(row)
