"""System checks that find faulty settings at start."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def seal_keys_can_be_used(**_: Any) -> list[CheckMessage]:
    try:
        for key in settings.SEAL_KEYS:
            Fernet(key)
    except ValueError:
        return [
            Error(
                "TICKETHUB_SEAL_KEYS contains a key that is not valid.",
                hint="A key is 32 bytes in URL-safe base64. Create one with "
                "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'.",
                id="hub.E001",
            )
        ]
    return []


@register(Tags.database, deploy=True)
def production_runs_on_postgresql(**_: Any) -> list[CheckMessage]:
    if not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return [
            Error(
                "SQLite is not suitable for production.",
                hint="Set DATABASE_URL=postgresql://user:password@host:5432/name.",
                id="hub.E002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def the_public_address_is_encrypted(**_: Any) -> list[CheckMessage]:
    if not settings.IS_BEHIND_TLS:
        return [
            Warning(
                "TICKETHUB_URL does not begin with https://.",
                hint="Run a TLS proxy in front of the hub and set TICKETHUB_URL to the address of the proxy.",
                id="hub.W001",
            )
        ]
    return []
