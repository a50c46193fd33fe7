"""OAuth 2 access tokens for mailboxes of Microsoft 365 and Gmail.

Microsoft: https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
Google: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.kit import oauth
from connectors.kit.contract import Ports
from connectors.kit.errors import Refused
from hub.core.sentences import sentence

MICROSOFT = "https://login.microsoftonline.com"
GOOGLE = "https://oauth2.googleapis.com"
USUAL_LIFE = 300.0
"""Seconds for which a token is kept where the server does not say when it expires."""
MARGIN = 60.0
"""A token is no longer used this many seconds before it expires."""
CREDENTIALS = ("auth", "tenant", "client_id", "client_secret", "user")


def access_token(values: Mapping[str, str], ports: Ports) -> str:
    """A token that has not expired; Microsoft's by client credentials, Google's by the refresh token."""

    def granted() -> oauth.Granted:
        answer = _microsoft(values, ports) if values.get("auth") == "microsoft" else _google(values, ports)
        seconds = float(answer.get("expires_in") or USUAL_LIFE) - MARGIN
        return oauth.Granted(token=str(answer.get("access_token") or ""), seconds=seconds)

    key = oauth.key_of(values.get(name, "") for name in CREDENTIALS)
    return oauth.access_token(key, granted, ports, field="client_secret")


def _microsoft(values: Mapping[str, str], ports: Ports) -> Mapping[str, Any]:
    tenant = values.get("tenant", "")
    if not tenant:
        raise Refused(sentence("Enter the tenant ID."), field="tenant")
    form = {"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default"}
    return _asked(ports, values, MICROSOFT, f"{quote(tenant, safe='')}/oauth2/v2.0/token", form)


def _google(values: Mapping[str, str], ports: Ports) -> Mapping[str, Any]:
    refresh = ports.secret("refresh_token") or values.get("refresh_token", "")
    if not refresh:
        raise Refused(sentence("Enter the refresh token of the mailbox."), field="refresh_token")
    return _asked(ports, values, GOOGLE, "token", {"grant_type": "refresh_token", "refresh_token": refresh})


def _asked(ports: Ports, values: Mapping[str, str], base: str, path: str, form: dict[str, str]) -> Mapping[str, Any]:
    form |= {"client_id": values.get("client_id", ""), "client_secret": values.get("client_secret", "")}
    return oauth.answered(
        ports.open_http(base=base, headers={"Accept": "application/json"}),
        "POST",
        path,
        refusal=sentence("The client ID, the secret or the consent for the mailbox was rejected."),
        field="client_secret",
        data=oauth.form_data(form),
    )
