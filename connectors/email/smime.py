"""The content of an opaque-signed S/MIME part, in which the message is inside the signature.

https://www.rfc-editor.org/rfc/rfc8551#section-3.5.2

The signature is not verified: our own mail server verifies who sent a message.
"""

from __future__ import annotations

from asn1crypto import cms

LARGEST = 40 * 1024 * 1024
KINDS = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


def signed_content(der: bytes) -> bytes | None:
    """The message in a SignedData structure, DER or BER; None if it is encrypted, damaged or something else."""
    if not 0 < len(der) <= LARGEST:
        return None
    try:
        info = cms.ContentInfo.load(der)
        if info["content_type"].native != "signed_data":
            return None
        found = info["content"]["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    return found if isinstance(found, bytes) else None
