"""Our marks at a vendor: a reference on the ticket, a signed mark on every note and file."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings

from hub.domain.tickets import us


def reference(leg_id: str) -> str:
    """What stands in the vendor's field for our id: the hub, then the leg."""
    return f"TH-{us().public_id[-8:]}-{leg_id}"


def sign(operation: str) -> str:
    """The mark of one operation; without our key it cannot be made for another."""
    return f"{operation}:{_digest(operation)}"


def operation_in(mark: str) -> str:
    """The operation of a mark that is really ours; empty for any other text."""
    operation, _, digest = mark.partition(":")
    return operation if digest and hmac.compare_digest(digest, _digest(operation)) else ""


def _digest(operation: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), f"mark:{operation}".encode(), hashlib.sha256).hexdigest()[:12]
