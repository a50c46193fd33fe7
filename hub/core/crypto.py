"""Encrypted secrets in database rows: sealed with the installation's keys, bound to the id of their row."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from hub import redaction
from hub.core.sentences import sentence


class CannotUnseal(Exception):
    """The secrets were sealed with a key this installation does not have, or for another row."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEAL_KEYS])


def seal(owner: str, secrets: Mapping[str, str]) -> bytes:
    """The secrets of the row with the public id `owner`, encrypted."""
    redaction.know(secrets.values())
    return _keys().encrypt(json.dumps({"for": owner, "secrets": dict(secrets)}).encode())


def unseal(owner: str, sealed: bytes) -> dict[str, str]:
    """The decrypted secrets of the row with the public id `owner`. Raises CannotUnseal, also for another row's."""
    if not sealed:
        return {}
    try:
        found = json.loads(_keys().decrypt(bytes(sealed)))
    except InvalidToken as error:
        raise CannotUnseal(
            sentence("The credentials cannot be decrypted with this installation's keys. Enter them again.")
        ) from error
    if found["for"] != owner:
        raise CannotUnseal(sentence("These credentials belong to another connection. Enter them again."))
    redaction.know(found["secrets"].values())
    return dict(found["secrets"])


def is_sealed_with(number: int, sealed: bytes) -> bool:
    """Whether the installation's key with this index (0 is the newest) decrypts the secrets."""
    try:
        Fernet(settings.SEAL_KEYS[number]).decrypt(bytes(sealed))
    except InvalidToken:
        return False
    return True
