"""Credentials: sealed with the installation's keys, the connection's id inside what is sealed."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from connectors.models import Connection
from hub import seals
from hub.seals import CannotUnseal

__all__ = ["CannotUnseal", "keep", "rotate", "seal", "secret", "unseal"]


def seal(connection: Connection, secrets: Mapping[str, str]) -> None:
    """Put the secrets into the connection's row; the caller saves it."""
    connection.sealed = seals.seal(connection.public_id, secrets)


def unseal(connection: Connection) -> dict[str, str]:
    """The secrets of this connection; those of another one that were copied into its row are refused."""
    return seals.unseal(connection.public_id, bytes(connection.sealed))


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


def rotate(connection: Connection) -> None:
    """Seal again with the newest key."""
    if connection.sealed:
        seal(connection, unseal(connection))
        connection.save(update_fields=["sealed"])
