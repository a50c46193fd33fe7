"""Who sent a mail, as far as our own mail server verified it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def verified(results: Sequence[str], authserv: str, domain: str) -> bool:
    """Whether our own server says that this domain sent it: DMARC, else an aligned DKIM signature (RFC 8601).

    Only the topmost header of our server counts: what a sender wrote himself stands below it.

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
