"""The meaning of Autotask's errors.

Credentials: https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Security_Auth.htm
"""

from __future__ import annotations

from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Refused
from hub.core.sentences import sentence


def explain(status: int, body: Any) -> ConnectorError | None:
    """The error that a response stands for; None if its status says enough.

    A rejected value, an unknown tracking identifier and a missing permission are all returned as status 500 with a list
    `errors` in the body, and are permanent. A 500 without that list is a server error and can be retried. A wrong user
    name or secret, or a database in another zone, is a 401.
    """
    if status == 401:
        return LockedOut(
            sentence("Autotask rejected the user name and secret, or the database is not in this zone."),
            field="secret",
        )
    errors = body.get("errors") if isinstance(body, dict) else None
    words = " ".join(str(error) for error in errors)[:500] if isinstance(errors, list) else ""
    if status == 403:
        # A security level can deny one entity as well as all of them, so this does not stop the connection.
        if words:
            return Forbidden(sentence("Autotask denied access to the API user: %(reason)s", reason=words))
        return Forbidden(sentence("Autotask denied access to the API user."))
    if status < 400 or status in (404, 429) or not isinstance(errors, list) or not errors:
        return None
    if "IntegrationCode" in words:
        return LockedOut(sentence("Autotask rejected the tracking identifier."), field="integration_code")
    return Refused(sentence("Autotask refused the request: %(reason)s", reason=words))


def explain_zone(status: int, body: Any) -> ConnectorError | None:
    """As `explain`, for the zone lookup, which returns status 500 rather than 401 for an unknown user name."""
    if status == 500 and isinstance(body, dict) and body.get("errors"):
        return Refused(sentence("Autotask has no zone for this user name."), field="user_name")
    return None
