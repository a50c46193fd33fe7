"""Secrets in rows: sealed with the installation's keys, the owner's id inside what is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from hub import redaction


class CannotUnseal(Exception):
    """The secrets were sealed with a key this installation does not have, or for somebody else."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEAL_KEYS])


def seal(owner: str, secrets: Mapping[str, str]) -> bytes:
    """The secrets of the row with this public id, as they can be kept in it."""
    redaction.know(secrets.values())
    return _keys().encrypt(json.dumps({"for": owner, "secrets": dict(secrets)}).encode())


def unseal(owner: str, sealed: bytes) -> dict[str, str]:
    """The secrets of this row; those of another one that were copied into it are refused."""
    if not sealed:
        return {}
    try:
        found = json.loads(_keys().decrypt(bytes(sealed)))
    except InvalidToken as error:
        raise CannotUnseal("The credentials cannot be read with this installation's keys; enter them again.") from error
    if found["for"] != owner:
        raise CannotUnseal("These credentials belong to another connection; enter them again.")
    redaction.know(found["secrets"].values())
    return dict(found["secrets"])


def is_sealed_with(number: int, sealed: bytes) -> bool:
    """Whether this key of the installation, the newest being 0, opens what is sealed."""
    try:
        Fernet(settings.SEAL_KEYS[number]).decrypt(bytes(sealed))
    except InvalidToken:
        return False
    return True
