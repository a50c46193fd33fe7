"""Acknowledges an alert in the tool. Icinga 2 and Zabbix have an API for it; the other tools have none."""

from __future__ import annotations

import re
from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused
from connectors.kit.http import Http
from hub.core.sentences import sentence

PERMISSION = "actions/acknowledge-problem"
ZABBIX_PATH = "api_jsonrpc.php"
WITH_HEADER = (6, 4)
"""From this version on Zabbix accepts a token in a header; older versions need it in the body, where 7.2 refuses it:
https://www.zabbix.com/documentation/7.2/en/manual/api/changes"""
ACKNOWLEDGE_AND_SAY = 2 + 4
"""The sum of two actions: https://www.zabbix.com/documentation/6.0/en/manual/api/reference/event/acknowledge"""


class Icinga:
    """Icinga 2's action acknowledge-problem, tested on 2.13.6.

    A filter that matches nothing returns 500 and an empty list, an unknown name 404, and so does everything for which
    our user lacks the permission. 409 means that a problem needs no acknowledgement (any more); of a request about
    several problems it is the status of the whole response, although the others were acknowledged.

    https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#acknowledge-problem
    """

    @staticmethod
    def explain(status: int, body: Any) -> ConnectorError | None:
        """The error that a response of Icinga stands for."""
        if status == 401:
            return LockedOut(sentence("Icinga rejected our user name and password."), field="api_secret")
        results = body.get("results") if isinstance(body, dict) else None
        if status == 404 or (status == 500 and results == []):
            return Missing(
                sentence(
                    "Icinga has no such host or service, or our user lacks the permission %(permission)s for it.",
                    permission=PERMISSION,
                )
            )
        if status == 409 and isinstance(results, list):
            return None
        if status >= 400 and isinstance(results, list) and results:
            return Refused(sentence("Icinga refused the request: %(reason)s", reason=_said(results)))
        return None

    @staticmethod
    def check(http: Http) -> None:
        """Forbidden if our user lacks the permission: the action itself would only say that nothing was found.

        https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#icinga2-api-permissions
        """
        found = http.get("v1")
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list) or not results or not isinstance(results[0], dict):
            raise Refused(sentence("There is no Icinga 2 API at this address."), field="api_url")
        told = results[0]
        mine = [str(each.get("permission") if isinstance(each, dict) else each) for each in told.get("permissions", [])]
        if not any(_covers(each, PERMISSION) for each in mine):
            raise Forbidden(
                sentence(
                    "The API user %(user)s needs the permission %(permission)s.",
                    user=str(told.get("user", "")),
                    permission=PERMISSION,
                ),
                field="api_user",
            )

    @staticmethod
    def acknowledge(http: Http, *, key: str, author: str, text: str) -> str:
        """Acknowledge `key`, a host or host!service. It is not sticky: Icinga notifies again when the state changes."""
        kind = "Service" if "!" in key else "Host"
        told = {"author": author, "comment": text, "sticky": False, "notify": False}
        try:
            reply = http.exchange(
                "POST",
                f"v1/{PERMISSION}",
                is_write=True,
                judge=_already_known,
                body={"type": kind, kind.lower(): key, **told},
            )
        except AlreadySo as known:
            return str(known)
        return _said(reply.body.get("results", []))


def _already_known(reply: Any) -> ConnectorError | None:
    """409: already acknowledged by somebody else, or recovered. Both count as done."""
    if reply.status == 409:
        return AlreadySo(_said(reply.body["results"]))
    return None


class AlreadySo(ConnectorError):
    """There is nothing to acknowledge (any more); the message is Icinga's."""


def _said(results: Any) -> str:
    told = [str(each.get("status", "")) for each in results if isinstance(each, dict)]
    return "; ".join(each for each in told if each)[:300]


def _covers(granted: str, wanted: str) -> bool:
    """Whether a granted permission includes another one; Icinga's permissions may end in a star.

    >>> _covers("actions/*", "actions/acknowledge-problem"), _covers("*", "x"), _covers("actions/", "actions/x")
    (True, True, False)
    """
    return granted == wanted or (granted.endswith("*") and wanted.startswith(granted[:-1]))


class Zabbix:
    """Zabbix' JSON-RPC API, tested on 6.0.14. Errors come with status 200 and an object `error`.

    https://www.zabbix.com/documentation/6.0/en/manual/api
    https://www.zabbix.com/documentation/current/en/manual/api/reference/problem/get
    """

    @staticmethod
    def explain(status: int, body: Any) -> ConnectorError | None:
        """The error that a response of Zabbix stands for."""
        wrong = body.get("error") if isinstance(body, dict) else None
        if not isinstance(wrong, dict):
            return None
        said = " ".join(str(wrong.get(name, "")) for name in ("message", "data")).strip()[:300]
        if any(word in said.lower() for word in ("not authori", "re-login", "api token")):
            return LockedOut(sentence("Zabbix rejected our API token: %(reason)s", reason=said), field="api_secret")
        refusal = sentence("Zabbix refused the request: %(reason)s", reason=said)
        return Forbidden(refusal) if "no permissions" in said.lower() else Refused(refusal)

    @staticmethod
    def check(http: Http, *, token: str) -> None:
        """Read one problem, to test the address and the token."""
        Zabbix._ask(http, token, "problem.get", {"limit": 1, "output": ["eventid"]})

    @staticmethod
    def acknowledge(http: Http, *, key: str, token: str, text: str) -> str:
        """Acknowledge the newest open problem of a trigger; `key` begins with the trigger's ID."""
        trigger = key.partition("!")[0]
        found = Zabbix._ask(
            http,
            token,
            "problem.get",
            {
                "objectids": [trigger],
                "output": ["eventid", "acknowledged"],
                "sortfield": ["eventid"],
                "sortorder": "DESC",
                "limit": 1,
            },
        )
        if not found:
            return sentence("Zabbix has no open problem for this trigger any more.")
        if str(found[0]["acknowledged"]) == "1":
            return sentence("It was already acknowledged in Zabbix.")
        event = found[0]["eventid"]
        Zabbix._ask(
            http,
            token,
            "event.acknowledge",
            {"eventids": [event], "action": ACKNOWLEDGE_AND_SAY, "message": text},
            is_write=True,
        )
        return sentence("Event %(event)s was acknowledged.", event=str(event))

    @staticmethod
    def _ask(http: Http, token: str, method: str, params: dict[str, Any], *, is_write: bool = False) -> Any:
        call: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        asked = {"jsonrpc": "2.0", "method": "apiinfo.version", "params": [], "id": 1}
        found = http.ask(ZABBIX_PATH, asked)
        version = re.match(r"(\d+)\.(\d+)", str(found.get("result") if isinstance(found, dict) else ""))
        if version is None:
            raise Refused(sentence("There is no Zabbix frontend at this address."), field="api_url")
        is_new = (int(version[1]), int(version[2])) >= WITH_HEADER
        headers = {"Authorization": f"Bearer {token}"} if is_new else {}
        body = call if is_new else call | {"auth": token}
        return http.call("POST", ZABBIX_PATH, is_write=is_write, body=body, headers=headers)["result"]
