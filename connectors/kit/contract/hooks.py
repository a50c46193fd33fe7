"""Webhook calls from a vendor's system, and their registration there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from connectors.kit.errors import Unsupported
from hub.core.sentences import sentence

from .connector import Connector

HOOK_SECRET = "hook_secret"  # noqa: S105
"""In `Ports.memory`: a digest of the registered secret. The engine deletes it when calls cannot be verified."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """The record that a call is about. It is only a hint: the record itself is read again."""

    key: str
    delivery: str
    """Identifies the notification: the same when it is delivered again, different for every other one."""
    also: tuple[str, ...] = ()
    """Further records of a batch."""


@dataclass(frozen=True, kw_only=True)
class Hooked:
    """The state of the registration after `register_hook`."""

    key: str
    """The ID of the registration in the vendor's system; several are joined by commas."""
    was_off: str = ""
    """What was wrong with it and has been repaired; empty if nothing was wrong."""


class HookConnector(Connector):
    """A connector that the vendor's system can call."""

    signs_hooks: ClassVar[bool] = True
    """Whether calls are signed; if not, a secret in the URL replaces the signature."""
    signature_headers: ClassVar[tuple[str, ...]] = ()
    """Header names in lower case. A signed call has one of them; a call without any is not read."""
    calls: ClassVar[Mapping[str, bool]] = {"register_hook": True}

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """Check the signature of a call over its raw body, then read which record it is about.

        BadSignature if the signature is wrong; TryLater if it cannot be checked at the moment.
        """
        raise Unsupported(sentence("%(connector)s sends no webhooks.", connector=self.label))

    def register_hook(self, url: str) -> Hooked:
        """Register this URL exactly once for each kind of event; called again, it repairs the registration."""
        raise Unsupported(sentence("%(connector)s sends no webhooks.", connector=self.label))
