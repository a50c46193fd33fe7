"""The receiver of docs/how-to/receive-webhooks.md, as it runs."""

from __future__ import annotations

# how-to: receiver
from collections.abc import Mapping
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

seen: set[str] = set()  # in your system a table, or keys that expire after a day


def receive(body: bytes, headers: Mapping[str, str], *, secret: str) -> tuple[int, dict[str, Any] | None]:
    """The status to answer with, and the notice if it is genuine and new."""
    try:
        notice = Webhook(secret).verify(body, dict(headers))
    except (WebhookVerificationError, ValueError):  # ValueError: a header or a body in a form the package cannot read
        return 401, None
    message_id = next(value for name, value in headers.items() if name.lower() == "webhook-id")
    if message_id in seen:
        return 204, None
    seen.add(message_id)
    return 204, notice


# how-to: old-secret
def receive_with_old_secret(body: bytes, headers: Mapping[str, str], *, secret: str) -> Any:
    """A secret that somebody typed is the key itself: give the package bytes, and it decodes nothing."""
    return Webhook(secret.encode()).verify(body, dict(headers))


# how-to: end
