"""Credentials: sealed with the installation's keys, the connection's id inside what is sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import transaction

from connectors.models import Connection
from hub.core import crypto
from hub.core.crypto import CannotUnseal
from workflows.models import Endpoint

__all__ = ["CannotUnseal", "keep", "opened_by", "reseal", "seal", "sealed_rows", "secret", "unseal"]


def seal(connection: Connection, secrets: Mapping[str, str]) -> None:
    """Put the secrets into the connection's row; the caller saves it."""
    connection.sealed = crypto.seal(connection.public_id, secrets)


def unseal(connection: Connection) -> dict[str, str]:
    """The secrets of this connection; those of another one that were copied into its row are refused."""
    return crypto.unseal(connection.public_id, bytes(connection.sealed))


def secret(connection: Connection, name: str) -> str:
    """One secret as it is now; another worker may have renewed it since the connection was read."""
    fresh = Connection.objects.filter(pk=connection.pk).first()
    return unseal(fresh).get(name, "") if fresh is not None else ""


@transaction.atomic
def keep(connection: Connection, name: str, value: str) -> None:
    """Seal one secret that the vendor changed."""
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    seal(fresh, unseal(fresh) | {name: value})
    fresh.save(update_fields=["sealed"])
    connection.sealed = fresh.sealed


# -- all that is sealed

SEALED: tuple[type[Connection] | type[Endpoint], ...] = (Connection, Endpoint)
"""The kinds of rows that hold sealed secrets; each has `public_id` and `sealed`."""


def sealed_rows() -> Iterator[tuple[type[Connection] | type[Endpoint], int]]:
    """Every row with sealed secrets: its kind and its key."""
    for kind in SEALED:
        for pk in kind._default_manager.exclude(sealed=b"").order_by("pk").values_list("pk", flat=True):
            yield kind, pk


@transaction.atomic
def reseal(kind: type[Connection] | type[Endpoint], pk: int) -> bool:
    """Seal a row again with the newest key; False where that key sealed it, or no key of ours opens it."""
    row = kind._default_manager.select_for_update(of=("self",)).get(pk=pk)
    if crypto.is_sealed_with(0, bytes(row.sealed)):
        return False
    try:
        row.sealed = crypto.seal(row.public_id, crypto.unseal(row.public_id, bytes(row.sealed)))
    except CannotUnseal:
        return False
    row.save(update_fields=["sealed"])
    return True


def opened_by(kind: type[Connection] | type[Endpoint], pk: int) -> tuple[str, int | None]:
    """What the row is called, and which key opens it, the newest being 0; None where none of ours does."""
    row = kind._default_manager.get(pk=pk)
    keys = range(len(settings.SEAL_KEYS))
    number = next((number for number in keys if crypto.is_sealed_with(number, bytes(row.sealed))), None)
    try:
        crypto.unseal(row.public_id, bytes(row.sealed))
    except CannotUnseal:
        number = None  # sealed for another row
    return f"{row._meta.verbose_name} {row}", number
