"""Our marks in a vendor's system: a reference on the ticket, and a signed mark on every note and file.

Both name this hub. What another hub forwards keeps the ids of the hubs it came through, so that two hubs that are
connected to the same vendors do not send each other the same note endlessly.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from django.conf import settings

from hub.core.read_once import read_once
from hub.domain.tickets import us

MOST_HOPS = 4
_REFERENCE = re.compile(r"TH-([0-9A-HJKMNP-TV-Z]{8})-[0-9A-HJKMNP-TV-Z]{26}")
_TRAIL = re.compile(r"\[TH((?:@[0-9A-HJKMNP-TV-Z]{8})+)\]")


@read_once(maxsize=1)
def hub() -> str:
    """The id of this hub, in eight characters. Raises Organisation.DoesNotExist before the first run."""
    return str(us().public_id)[-8:]


def prefix() -> str:
    """The beginning of every reference of this hub."""
    return f"TH-{hub()}-"


def reference(leg_id: str) -> str:
    """The reference of an engagement, for the vendor's field for our id: the hub, then the leg."""
    return f"{prefix()}{leg_id}"


def sign(operation: str, *, hops: Sequence[str] = ()) -> str:
    """The mark of one operation; nobody can make one for another operation without our key."""
    return f"{operation}:{_digest(operation)}{_trail([*hops, hub()])}"


def operation_in(mark: str) -> str:
    """The operation of a mark, if its signature is ours; empty for any other text."""
    operation, _, rest = mark.partition(":")
    digest = rest.partition("@")[0]
    return operation if digest and hmac.compare_digest(digest, _digest(operation)) else ""


def hops_in(mark: str) -> list[str]:
    """The hubs that a marked note came through, in order."""
    return mark.split("@")[1:]


def trail(hops: Sequence[str]) -> str:
    """The mark in the description of a ticket that came through other hubs."""
    return f"[TH{_trail([*hops, hub()])}]"


def hops_of_ticket(*, reference: str, description: str) -> list[str]:
    """The hubs that a ticket came through, by its description; if it came directly from one, by its reference."""
    found = _TRAIL.findall(description)
    if found:
        return str(found[-1]).split("@")[1:]
    one = _REFERENCE.fullmatch(reference)
    return [one[1]] if one else []


def _trail(hops: Sequence[str]) -> str:
    return "".join(f"@{hop}" for hop in hops)


def _digest(operation: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), f"mark:{operation}".encode(), hashlib.sha256).hexdigest()[:12]
