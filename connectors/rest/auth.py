"""Authentication at a REST system: discovery of its address, OAuth 2 tokens, signed requests.

A new refresh token is sealed at once. A worker whose refresh token is rejected checks whether another worker has
renewed it. The grants are those of RFC 6749, sections 4.4 and 6; Basic authentication is RFC 7617; signatures are HMAC
(RFC 2104).

https://www.rfc-editor.org/rfc/rfc6749
https://www.rfc-editor.org/rfc/rfc7617
https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.kit import oauth
from connectors.kit.contract import Ports
from connectors.kit.errors import LockedOut, Refused
from connectors.rest.profile import Connect, Signed, Token
from hub.core.sentences import sentence
from hub.expressions import text

USUAL_LIFE = 300.0
"""Seconds for which a token is kept if the vendor's system does not say when it expires."""


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Tokens:
    """OAuth 2 tokens of one connection."""

    def __init__(self, row: Token, values: Mapping[str, Any], ports: Ports, wrong: str) -> None:
        self.row, self.values, self.ports, self.wrong = row, values, ports, wrong
        secret = self.row.client_secret.text(values) if self.row.client_secret else ""
        client = row.client_id.text(values) if row.client_id else ""
        told = sorted(f"{name}: {each.text(values)}" for name, each in row.headers.items())
        parts = (row.url.text(values), client, secret, row.grant, *told)
        self.key = oauth.key_of(parts)

    def header(self) -> dict[str, str]:
        return {self.row.header: self.row.prefix + self.token()}

    def token(self) -> str:
        """An access token that has not expired."""
        return oauth.access_token(self.key, self._granted, self.ports, field=self.wrong)

    def forget(self) -> None:
        """Request a new token the next time, because this one was rejected."""
        oauth.forget(self.key)

    def _granted(self) -> oauth.Granted:
        answer = self._asked()
        found = text(self.row.pick({"answer": answer}) if self.row.pick else answer.get("access_token"))
        life = self.row.expires({"answer": answer}) if self.row.expires else answer.get("expires_in")
        seconds = float(life) if isinstance(life, int | float | str) and str(life).isdecimal() else USUAL_LIFE
        return oauth.Granted(token=found, seconds=seconds - self.row.skew_seconds)

    def _asked(self) -> Mapping[str, Any]:
        if self.row.grant == "none":
            return self._exchange({})
        if self.row.grant == "client_credentials":
            return self._exchange({"grant_type": "client_credentials"})
        name = self.row.refresh
        mine = self.ports.secret(name) or text(self.values["secrets"].get(name))
        try:
            answer = self._exchange({"grant_type": "refresh_token", "refresh_token": mine})
        except LockedOut:
            theirs = self.ports.secret(name)
            if not theirs or theirs == mine:
                raise
            # Another worker has renewed the token meanwhile.
            answer = self._exchange({"grant_type": "refresh_token", "refresh_token": theirs})
        renewed = text(answer.get("refresh_token"))
        if renewed and renewed != mine:
            self.ports.keep_secret(name, renewed)
        return answer

    def _exchange(self, grant: Mapping[str, str]) -> Mapping[str, Any]:
        url = self.row.url.text(self.values)
        form = dict(grant) | {name: each.text(self.values) for name, each in self.row.form.items()}
        headers = {"Accept": "application/json"}
        headers |= {name: each.text(self.values) for name, each in self.row.headers.items()}
        client, secret = self.row.client_id.text(self.values) if self.row.client_id else "", ""
        if self.row.client_secret:
            secret = self.row.client_secret.text(self.values)
        if self.row.client == "basic":
            headers["Authorization"] = basic(client, secret)
        elif client:
            form |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        http = self.ports.open_http(base=f"{urlsplit(url).scheme}://{urlsplit(url).netloc}", headers=headers)
        query = {name: each.text(self.values) for name, each in self.row.query.items()}
        body = self.row.body.value(self.values) if self.row.body is not None else None
        data = oauth.form_data(form) if form and body is None else None
        return oauth.answered(
            http,
            self.row.method,
            url,
            refusal=sentence("No token was granted: the client ID, secret or scope was rejected."),
            field=self.wrong,
            params=query,
            data=data,
            body=body,
        )


def discovered(connect: Connect, values: Mapping[str, Any], ports: Ports) -> str:
    """The address that the discovery request returns, kept for as long as the profile says."""
    row = connect.discover
    if row is None:
        return ""
    known, until = ports.memory.get("discovered", ""), float(ports.memory.get("discovered_until", "0"))
    now = ports.now().timestamp()
    if known and now < until:
        return known
    url = row.url.text(values)
    http = ports.open_http(base=f"{urlsplit(url).scheme}://{urlsplit(url).netloc}", headers={})
    found = text(row.pick({"answer": http.get(url), "settings": values["settings"]})).rstrip("/")
    if not found.startswith(("https://", "http://")):
        raise Refused(sentence("The response to the discovery request contains no address."), field=connect.wrong)
    ports.memory["discovered"], ports.memory["discovered_until"] = found, str(now + row.keep_seconds)
    return found


def forget_discovered(ports: Ports) -> bool:
    return ports.memory.pop("discovered", None) is not None


def signature(row: Signed, values: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, str]:
    """The header that signs this request."""
    told = {**values, **call}
    mac = hmac.new(row.key.text(told).encode(), row.content.text(told).encode(), getattr(hashlib, row.algorithm))
    value = mac.hexdigest() if row.encoding == "hex" else base64.b64encode(mac.digest()).decode()
    return {row.header: (row.prefix.text(told) if row.prefix else "") + value}


def body_text(body: Any, data: tuple[str, bytes] | None) -> str:
    """The body as it is sent, for its signature."""
    if data is not None:
        return data[1].decode("utf-8", "replace")
    return "" if body is None else json.dumps(body)
