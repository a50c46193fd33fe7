"""Telling a tool that somebody works on a problem. Icinga 2 and Zabbix have an API for that; the others have none."""

from __future__ import annotations

import re
from typing import Any

from connectors.kit.errors import ConnectorError, Forbidden, LockedOut, Missing, Refused
from connectors.kit.http import Http
from hub.core.sentences import sentence

PERMISSION = "actions/acknowledge-problem"
ZABBIX_PATH = "api_jsonrpc.php"
WITH_HEADER = (6, 4)
"""From this version on Zabbix takes a token as a header; before it stands in the body (gone in 7.2)."""
ACKNOWLEDGE_AND_SAY = 2 + 4
"""https://www.zabbix.com/documentation/6.0/en/manual/api/reference/event/acknowledge: a sum of actions."""


class Icinga:
    """https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/ (tried on 2.13.6).

    A filter that nothing fits is answered with 500 and an empty list, a name that nothing has with 404, and so is
    everything that our user has no right to. 409 is one problem that needs no acknowledgement (any more), and also
    the answer as a whole where that is true of one of several, although the others were done.
    """

    @staticmethod
    def explain(status: int, body: Any) -> ConnectorError | None:
        if status == 401:
            return LockedOut("Icinga does not accept our user name and password.", field="api_secret")
        results = body.get("results") if isinstance(body, dict) else None
        if status == 404 or (status == 500 and results == []):
            return Missing(
                f"Icinga knows no such host or service, or our user has not the permission {PERMISSION} for it."
            )
        if status == 409 and isinstance(results, list):
            return None
        if status >= 400 and isinstance(results, list) and results:
            return Refused(f"Icinga refused: {_said(results)}")
        return None

    @staticmethod
    def check(http: Http) -> None:
        """Forbidden where our user may not acknowledge: the action itself would only say that nothing is found."""
        found = http.get("v1")
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list) or not results or not isinstance(results[0], dict):
            raise Refused(sentence("The address does not lead to the API of Icinga 2: check it."), field="api_url")
        told = results[0]
        mine = [str(each.get("permission") if isinstance(each, dict) else each) for each in told.get("permissions", [])]
        if not any(_covers(each, PERMISSION) for each in mine):
            raise Forbidden(f"The API user {told.get('user', '')} needs the permission {PERMISSION}.", field="api_user")

    @staticmethod
    def acknowledge(http: Http, *, key: str, author: str, text: str) -> str:
        """`key` is host or host!service. Not sticky: when the state changes, they notify again."""
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
    """409: acknowledged by somebody else, or over. Both are as good as done, and are told."""
    if reply.status == 409:
        return AlreadySo(_said(reply.body["results"]))
    return None


class AlreadySo(ConnectorError):
    """There is nothing to acknowledge there (any more); the message is theirs."""


def _said(results: Any) -> str:
    told = [str(each.get("status", "")) for each in results if isinstance(each, dict)]
    return "; ".join(each for each in told if each)[:300]


def _covers(granted: str, wanted: str) -> bool:
    """Icinga's permissions may end in a star.

    >>> _covers("actions/*", "actions/acknowledge-problem"), _covers("*", "x"), _covers("actions/", "actions/x")
    (True, True, False)
    """
    return granted == wanted or (granted.endswith("*") and wanted.startswith(granted[:-1]))


class Zabbix:
    """https://www.zabbix.com/documentation/6.0/en/manual/api: JSON-RPC, where also a no is a 200."""

    @staticmethod
    def explain(status: int, body: Any) -> ConnectorError | None:
        wrong = body.get("error") if isinstance(body, dict) else None
        if not isinstance(wrong, dict):
            return None
        said = " ".join(str(wrong.get(name, "")) for name in ("message", "data")).strip()[:300]
        if any(word in said.lower() for word in ("not authori", "re-login", "api token")):
            return LockedOut(f"Zabbix does not accept our API token: {said}", field="api_secret")
        if "no permissions" in said.lower():
            return Forbidden(f"Zabbix refused: {said}")
        return Refused(f"Zabbix refused: {said}")

    @staticmethod
    def check(http: Http, *, token: str) -> None:
        Zabbix._ask(http, token, "problem.get", {"limit": 1, "output": ["eventid"]})

    @staticmethod
    def acknowledge(http: Http, *, key: str, token: str, text: str) -> str:
        """`key` begins with the id of the trigger: the newest problem of it that is not over is acknowledged."""
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
            return "Zabbix has no open problem of this trigger any more."
        if str(found[0]["acknowledged"]) == "1":
            return "It was acknowledged there already."
        event = found[0]["eventid"]
        Zabbix._ask(
            http,
            token,
            "event.acknowledge",
            {"eventids": [event], "action": ACKNOWLEDGE_AND_SAY, "message": text},
            is_write=True,
        )
        return f"Event {event} was acknowledged."

    @staticmethod
    def _ask(http: Http, token: str, method: str, params: dict[str, Any], *, is_write: bool = False) -> Any:
        call: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        asked = {"jsonrpc": "2.0", "method": "apiinfo.version", "params": [], "id": 1}
        found = http.ask(ZABBIX_PATH, asked)
        version = re.match(r"(\d+)\.(\d+)", str(found.get("result") if isinstance(found, dict) else ""))
        if version is None:
            raise Refused(sentence("The address does not lead to the frontend of Zabbix: check it."), field="api_url")
        is_new = (int(version[1]), int(version[2])) >= WITH_HEADER
        headers = {"Authorization": f"Bearer {token}"} if is_new else {}
        body = call if is_new else call | {"auth": token}
        return http.call("POST", ZABBIX_PATH, is_write=is_write, body=body, headers=headers)["result"]
