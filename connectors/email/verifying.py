"""Who sent a message, according to our own mail server.

The server writes its results into Authentication-Results headers (RFC 8601): those of DMARC (RFC 7489) and of DKIM
signatures (RFC 6376). A sender can add such headers too, so only the topmost one with our server's name counts.

https://www.rfc-editor.org/rfc/rfc8601
https://www.rfc-editor.org/rfc/rfc7489
https://www.rfc-editor.org/rfc/rfc6376
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def verified(results: Sequence[str], authserv: str, domain: str) -> bool:
    """Whether our own server verified that this domain sent it: by DMARC, or by an aligned DKIM signature.

    Only the topmost header of our server counts: one that a sender added is below it.

    >>> verified(["mx.us.test; dmarc=pass header.from=vendor.test"], "mx.us.test", "vendor.test")
    True
    >>> verified(["mx.evil.test; dmarc=pass header.from=vendor.test"], "mx.us.test", "vendor.test")
    False
    >>> verified(["mx.us.test; dmarc=fail", "mx.us.test; dmarc=pass"], "mx.us.test", "vendor.test")
    False
    """
    for result in results:
        server, _, told = result.partition(";")
        if not authserv or server.strip().split(" ")[0].lower() != authserv.strip().lower():
            continue
        found = {name: (verdict, rest) for name, verdict, rest in _RESULT.findall(told.lower())}
        if "dmarc" in found:
            verdict, rest = found["dmarc"]
            from_ = re.search(r"header\.from=([\w.-]+)", rest)
            return verdict == "pass" and (from_ is None or _aligned(from_[1], domain))
        verdict, rest = found.get("dkim", ("", ""))
        signed = re.search(r"header\.(?:d|i)=@?([\w.-]+)", rest)
        return verdict == "pass" and signed is not None and _aligned(signed[1], domain)
    return False


_RESULT = re.compile(r"\b(dmarc|dkim|spf)=(\w+)([^;]*)")


def _aligned(signed: str, domain: str) -> bool:
    return domain == signed or domain.endswith(f".{signed}")
