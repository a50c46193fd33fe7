"""Our marks at a vendor: a reference on the ticket, a signed mark on every note and file.

Both name this hub. What another hub forwards keeps the ids of the hubs it came through, so that two
hubs which are bonded to the same vendors do not tell each other the same thing for ever.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from django.conf import settings

from hub.domain.tickets import us

MOST_HOPS = 4
_REFERENCE = re.compile(r"TH-([0-9A-HJKMNP-TV-Z]{8})-[0-9A-HJKMNP-TV-Z]{26}")
_TRAIL = re.compile(r"\[TH((?:@[0-9A-HJKMNP-TV-Z]{8})+)\]")


def hub() -> str:
    """This hub, in eight characters."""
    return str(us().public_id)[-8:]


def prefix() -> str:
    """How each of our references begins."""
    return f"TH-{hub()}-"


def reference(leg_id: str) -> str:
    """What stands in the vendor's field for our id: the hub, then the leg."""
    return f"{prefix()}{leg_id}"


def sign(operation: str, *, hops: Sequence[str] = ()) -> str:
    """The mark of one operation; without our key it cannot be made for another."""
    return f"{operation}:{_digest(operation)}{_trail([*hops, hub()])}"


def operation_in(mark: str) -> str:
    """The operation of a mark that is really ours; empty for any other text."""
    operation, _, rest = mark.partition(":")
    digest = rest.partition("@")[0]
    return operation if digest and hmac.compare_digest(digest, _digest(operation)) else ""


def hops_in(mark: str) -> list[str]:
    """The hubs a marked note came through, the first one first."""
    return mark.split("@")[1:]


def trail(hops: Sequence[str]) -> str:
    """What a ticket carries in its description when it came here by way of other hubs."""
    return f"[TH{_trail([*hops, hub()])}]"


def hops_of_ticket(*, reference: str, description: str) -> list[str]:
    """The hubs a ticket came through, from its description or, where it came straight from one, its reference."""
    found = _TRAIL.findall(description)
    if found:
        return str(found[-1]).split("@")[1:]
    one = _REFERENCE.fullmatch(reference)
    return [one[1]] if one else []


def _trail(hops: Sequence[str]) -> str:
    return "".join(f"@{hop}" for hop in hops)


def _digest(operation: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), f"mark:{operation}".encode(), hashlib.sha256).hexdigest()[:12]
