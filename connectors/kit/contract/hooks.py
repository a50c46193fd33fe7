"""Calls from a vendor to us, and their registration with the vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from connectors.kit.errors import Unsupported

from .connector import Connector

HOOK_SECRET = "hook_secret"  # noqa: S105
"""In `Ports.memory`: a digest of the secret registered there. The engine deletes it when calls do not verify."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """What a call is about. It is only a hint: the record itself is read again."""

    key: str
    delivery: str
    """Identifies the news: the same in a repeated delivery, different in every other one."""
    also: tuple[str, ...] = ()
    """Further records that a batch is about."""


@dataclass(frozen=True, kw_only=True)
class Hooked:
    """The state of the registration after `register_hook`."""

    key: str
    """The id of the registration there; several are joined by commas."""
    was_off: str = ""
    """What was wrong with it and has been repaired, in words; empty where all was well."""


class HookConnector(Connector):
    """A connector that the vendor's system can call."""

    signs_hooks: ClassVar[bool] = True
    """Whether calls are signed; if not, a secret in the address takes the place of a signature."""
    signature_headers: ClassVar[tuple[str, ...]] = ()
    """Header names in lower case. A signed call has one of them; without any, nothing of a call is read."""
    calls: ClassVar[Mapping[str, bool]] = {"register_hook": True}

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """Check the signature of a call over its raw body, then read what it is about.

        BadSignature where the signature is wrong; TryLater where what is needed to check it cannot be had now.
        """
        raise Unsupported(f"{self.label} sends no hooks.")

    def register_hook(self, url: str) -> Hooked:
        """Register this URL exactly once for each kind of news; called again, it repairs the registration."""
        raise Unsupported(f"{self.label} sends no hooks.")
