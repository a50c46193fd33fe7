"""Credentials of connections and endpoints, encrypted with the installation's keys and bound to their row's id."""

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
    """Encrypt the secrets into the connection; the caller saves it."""
    connection.sealed = crypto.seal(connection.public_id, secrets)


def unseal(connection: Connection) -> dict[str, str]:
    """The decrypted secrets; CannotUnseal if no key opens them, or if they were copied from another row."""
    return crypto.unseal(connection.public_id, bytes(connection.sealed))


def secret(connection: Connection, name: str) -> str:
    """The current value of one secret, which another worker may have renewed meanwhile; empty if there is none."""
    fresh = Connection.objects.filter(pk=connection.pk).first()
    return unseal(fresh).get(name, "") if fresh is not None else ""


@transaction.atomic
def keep(connection: Connection, name: str, value: str) -> None:
    """Save one secret that the vendor renewed, such as a token."""
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    seal(fresh, unseal(fresh) | {name: value})
    fresh.save(update_fields=["sealed"])
    connection.sealed = fresh.sealed


# -- every row with secrets

SEALED: tuple[type[Connection] | type[Endpoint], ...] = (Connection, Endpoint)
"""The models with encrypted secrets; each has `public_id` and `sealed`."""


def sealed_rows() -> Iterator[tuple[type[Connection] | type[Endpoint], int]]:
    """The model and primary key of every row with secrets."""
    for kind in SEALED:
        for pk in kind._default_manager.exclude(sealed=b"").order_by("pk").values_list("pk", flat=True):
            yield kind, pk


@transaction.atomic
def reseal(kind: type[Connection] | type[Endpoint], pk: int) -> bool:
    """Encrypt a row again with the newest key; False if that was done already, or if no key opens it."""
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
    """The name of the row, and the number of the key that opens it: 0 is the newest, None means that none does."""
    row = kind._default_manager.get(pk=pk)
    keys = range(len(settings.SEAL_KEYS))
    number = next((number for number in keys if crypto.is_sealed_with(number, bytes(row.sealed))), None)
    try:
        crypto.unseal(row.public_id, bytes(row.sealed))
    except CannotUnseal:
        number = None  # encrypted for another row
    return f"{row._meta.verbose_name} {row}", number
