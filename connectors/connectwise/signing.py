"""How ConnectWise signs its callbacks, and the key it signs them with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.connectwise.api import Api
from connectors.kit.errors import BadSignature, ConnectorError, TryLater, Unclear
from hub.core.sentences import sentence

KEY_SECONDS = 3.0
KEY_KEPT_SECONDS = 3600
MOST_KEYS = 200
SIGNING_KEY = "signing_key"
"""The sealed setting that stores the key for all processes: when it was read, its URL, and the key."""

_KEYS: dict[str, tuple[float, str]] = {}
"""The keys of this process by URL, and when they were read."""
_ASKING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""Locks by host, so that one slow vendor does not delay the callbacks of others."""


def signature(signing_key: str, body: bytes) -> str:
    """The x-content-signature of a raw body: HMAC-SHA256 in base64, keyed with the SHA-256 digest of the key.

    https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide

    >>> signature("key", b"{}")
    '2P5ugu8P+WJqFxImlwA/l6MOomxD1EiS06BC3IwNbbE='
    """
    key = hashlib.sha256(signing_key.encode()).digest()
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


def check_signature(signing_key: str, headers: Mapping[str, str], body: bytes) -> None:
    """BadSignature unless the body was signed with this key."""
    sent = {name.lower(): value for name, value in headers.items()}.get("x-content-signature", "")
    if not signing_key or not hmac.compare_digest(
        sent.encode("utf-8", "replace"), signature(signing_key, body).encode()
    ):
        raise BadSignature(sentence("The callback is not signed by ConnectWise."))


class SigningKeys:
    """The keys of one connection's callbacks: read from the vendor, and kept for an hour."""

    def __init__(self, api: Api) -> None:
        self.api, self.ports = api, api.ports

    def key(self, key_url: Any) -> str:
        """The key at the URL in a callback.

        The URL comes from a body that is not verified yet, so only the connection's own host is called.
        """
        ours = urlsplit(self.api.site())
        try:
            asked = urlsplit(key_url if isinstance(key_url, str) else "")
            is_theirs = (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)
        except ValueError:
            is_theirs = False
        if not is_theirs or "/callbackkey/" not in asked.path or asked.username:
            raise BadSignature(sentence("The callback's key is not on the vendor's own host."))
        # Callbacks often arrive together: the second one waits for the key that the first one is reading.
        with _ASKING[ours.netloc]:
            kept, found = _KEYS.get(key_url, (0.0, ""))
            if found and time.monotonic() - kept < KEY_KEPT_SECONDS:
                return found
            found = self._kept(key_url) or self._read(key_url)
            if len(_KEYS) > MOST_KEYS:
                _KEYS.clear()
            _KEYS[key_url] = (time.monotonic(), found)
            return found

    def _kept(self, key_url: str) -> str:
        """The key that another process of this hub has read; empty if there is none or it is too old."""
        at, _space, rest = self.ports.secret(SIGNING_KEY).partition(" ")
        known_url, _space, found = rest.partition(" ")
        is_fresh = at.isdecimal() and self.ports.now().timestamp() - int(at) < KEY_KEPT_SECONDS
        return found if known_url == key_url and is_fresh else ""

    def _read(self, key_url: str) -> str:
        if not self.ports.may_ask_for_key():
            raise TryLater(sentence("The callback key was requested less than a minute ago."), after=60)
        http = self.ports.open_http(base=self.api.site(), headers={}, seconds=KEY_SECONDS)
        try:
            answer = http.get(key_url)
        except (TryLater, Unclear) as error:
            why = sentence("The callback key cannot be read at the moment: %(error)s", error=str(error))
            raise TryLater(why, after=60) from error
        except ConnectorError as error:
            raise BadSignature(sentence("There is no key at the URL in the callback.")) from error
        found = str(answer.get("signing_key") or "") if isinstance(answer, dict) else ""
        if not found:
            raise BadSignature(sentence("There is no key at the URL in the callback."))
        self.ports.hide(found)
        self.ports.keep_secret(SIGNING_KEY, f"{self.ports.now().timestamp():.0f} {key_url} {found}")
        return found
