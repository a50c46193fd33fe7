"""How a REST system lets us in: an address that has to be asked for, tokens, signed requests.

Tokens live in this process only, by connection; a refresh token that was exchanged is sealed at once,
and a worker that finds its own refused looks whether another one was quicker.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, LockedOut, Refused
from connectors.kit.http import Reply
from connectors.rest.profile import Connect, Signed, Token
from hub.expressions import text

USUAL_LIFE = 300.0
"""Seconds a token is kept where nobody says how long it holds."""
_TOKENS: dict[str, tuple[float, str]] = {}
_ONE_AT_A_TIME = threading.Lock()


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
        self.key = hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def header(self) -> dict[str, str]:
        return {self.row.header: self.row.prefix + self.token()}

    def token(self) -> str:
        """One that still holds; asked for once, however many threads want it."""
        with _ONE_AT_A_TIME:
            until, known = _TOKENS.get(self.key, (0.0, ""))
            if known and time.monotonic() < until:
                return known
            answer = self._asked()
            found = text(self.row.pick({"answer": answer}) if self.row.pick else answer.get("access_token"))
            if not found:
                raise LockedOut("They answered our request for a token without one.", field=self.wrong)
            self.ports.hide(found)
            life = self.row.expires({"answer": answer}) if self.row.expires else answer.get("expires_in")
            seconds = float(life) if isinstance(life, int | float | str) and str(life).isdecimal() else USUAL_LIFE
            _TOKENS[self.key] = (time.monotonic() + max(seconds - self.row.skew_seconds, 1.0), found)
            return found

    def forget(self) -> None:
        with _ONE_AT_A_TIME:
            _TOKENS.pop(self.key, None)

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
            # Another worker was quicker: its new token is the one that counts.
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
        data = ("application/x-www-form-urlencoded", urlencode(form).encode()) if form and body is None else None

        def judge(reply: Reply) -> ConnectorError | None:
            if reply.status in (400, 401, 403):
                return LockedOut(
                    "They gave us no token: client id, secret or scope are not accepted.", field=self.wrong
                )
            return None

        answer = http.exchange(
            self.row.method, url, is_write=False, params=query, data=data, body=body, judge=judge
        ).body
        if not isinstance(answer, Mapping):
            raise Refused("They answered our request for a token with something else.")
        return answer


def discovered(connect: Connect, values: Mapping[str, Any], ports: Ports) -> str:
    """The address they tell us to use, remembered for as long as the profile says."""
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
        raise Refused("They did not tell the address to use.", field=connect.wrong)
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
    """The body as it goes out, for those who sign it."""
    if data is not None:
        return data[1].decode("utf-8", "replace")
    return "" if body is None else json.dumps(body)
