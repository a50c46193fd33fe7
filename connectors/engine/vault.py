"""Credentials: sealed with the installation's keys, the connection's id inside what is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from connectors.models import Connection


class CannotUnseal(Exception):
    """The credentials were sealed with a key this installation does not have."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEAL_KEYS])


def seal(connection: Connection, secrets: Mapping[str, str]) -> None:
    """Put the secrets into the connection's row; the caller saves it."""
    text = json.dumps({"for": connection.public_id, "secrets": dict(secrets)})
    connection.sealed = _keys().encrypt(text.encode())


def unseal(connection: Connection) -> dict[str, str]:
    """The secrets of this connection; those of another one that were copied into its row are refused."""
    if not connection.sealed:
        return {}
    try:
        found = json.loads(_keys().decrypt(bytes(connection.sealed)))
    except InvalidToken as error:
        raise CannotUnseal("The credentials cannot be read with this installation's keys; enter them again.") from error
    if found["for"] != connection.public_id:
        raise CannotUnseal("These credentials belong to another connection; enter them again.")
    return dict(found["secrets"])


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
