"""OAuth 2 access tokens for mailboxes of Microsoft 365 and Gmail."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from connectors.kit.contract import Ports
from connectors.kit.errors import ConnectorError, LockedOut, Refused
from connectors.kit.http import Reply

MICROSOFT = "https://login.microsoftonline.com"
GOOGLE = "https://oauth2.googleapis.com"
_KEPT: dict[str, tuple[float, str]] = {}
_LOCK = threading.Lock()


def access_token(values: Mapping[str, str], ports: Ports) -> str:
    """A token that still holds; Microsoft's by client credentials, Google's by the refresh token."""
    parts = (
        values.get("auth", ""),
        values.get("tenant", ""),
        values.get("client_id", ""),
        values.get("client_secret", ""),
        values.get("user", ""),
    )
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with _LOCK:
        until, known = _KEPT.get(key, (0.0, ""))
        if known and time.monotonic() < until:
            return known
        answer = _microsoft(values, ports) if values.get("auth") == "microsoft" else _google(values, ports)
        token = str(answer.get("access_token") or "")
        if not token:
            raise LockedOut("We were given no token for the mailbox.", field="client_secret")
        ports.hide(token)
        _KEPT[key] = (time.monotonic() + max(float(answer.get("expires_in") or 300) - 60, 1.0), token)
        return token


def _microsoft(values: Mapping[str, str], ports: Ports) -> Mapping[str, Any]:
    tenant = values.get("tenant", "")
    if not tenant:
        raise Refused("Enter the directory's id.", field="tenant")
    form = {"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default"}
    return _asked(ports, values, MICROSOFT, f"{quote(tenant, safe='')}/oauth2/v2.0/token", form)


def _google(values: Mapping[str, str], ports: Ports) -> Mapping[str, Any]:
    refresh = ports.secret("refresh_token") or values.get("refresh_token", "")
    if not refresh:
        raise Refused("Enter the refresh token of the mailbox.", field="refresh_token")
    return _asked(ports, values, GOOGLE, "token", {"grant_type": "refresh_token", "refresh_token": refresh})


def _asked(ports: Ports, values: Mapping[str, str], base: str, path: str, form: dict[str, str]) -> Mapping[str, Any]:
    form |= {"client_id": values.get("client_id", ""), "client_secret": values.get("client_secret", "")}

    def judge(reply: Reply) -> ConnectorError | None:
        if reply.status in (400, 401, 403):
            return LockedOut("Client id, secret or consent for the mailbox is not accepted.", field="client_secret")
        return None

    http = ports.open_http(base=base, headers={"Accept": "application/json"})
    data = ("application/x-www-form-urlencoded", urlencode(form).encode())
    answer = http.exchange("POST", path, is_write=False, data=data, judge=judge).body
    if not isinstance(answer, Mapping):
        raise Refused("We were answered with something else than a token.")
    return answer
