"""Alerts that a monitoring or RMM tool posts when they start and when they end.

The tool is never polled. If the connection is set to do so, an alert is acknowledged in the tool when somebody starts
to work on its ticket. The webhooks of Alertmanager and Grafana are recognised by their structure; other JSON is read
with expressions.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.alerts import times, tools
from connectors.alerts.acknowledging import ZABBIX_PATH, Icinga, Zabbix
from connectors.alerts.settings import SETTINGS
from connectors.kit.contract import Alert, AlertConnector, Checked, Choice, Hook, Setting
from connectors.kit.errors import BadSignature, Refused, TryLater
from connectors.kit.http import Http
from hub.core.sentences import sentence
from hub.expressions import BadExpression, Expression, Failed, expression
from hub.expressions import text as plain

LONGEST_KEY = 200
_MACRO = re.compile(r"\{[A-Z][A-Z0-9._]*\}|\$[A-Z0-9_:]+\$")
"""A macro without a value, which Zabbix and Nagios leave unchanged."""


class Alerts(AlertConnector):
    """One monitoring or RMM tool that posts alerts."""

    slug: ClassVar[str] = "alerts"
    label: ClassVar[str] = "Alerts (monitoring, RMM)"
    signs_hooks: ClassVar[bool] = False
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    def check(self) -> Checked:
        """Check the expressions, the numbers, the time zone and, if it is used, the tool's API."""
        for name in ("items", *tools.PARTS):
            self._expression(name)
        for name, least in (("storm_count", 1), ("storm_minutes", 1), ("silent_hours", 0)):
            given = self._value(name)
            if not given.isdecimal() or not least <= int(given) <= 1000:
                raise Refused(sentence("Enter a number between %(least)s and 1000.", least=least), field=name)
        self._zone()
        if self._value("acknowledge"):
            self._check_api()
        return Checked(own_user="alerts")

    # -- acknowledging

    def acknowledge(self, key: str, *, author: str, text: str) -> str:
        if self._value("tool") == "icinga":
            return Icinga.acknowledge(self._api(), key=key, author=author, text=text)
        return Zabbix.acknowledge(self._api(), key=key, token=self.values.get("api_secret", ""), text=text)

    def _check_api(self) -> None:
        """Make a real request with these settings; errors name the setting at fault."""
        tool = self._value("tool")
        if tool not in ("icinga", "zabbix"):
            raise Refused(sentence("Alerts can be acknowledged only in Icinga 2 and Zabbix."), field="acknowledge")
        if self._path("key") != tools.READY[tool]["key"]:
            raise Refused(
                sentence("Leave the alert ID empty: alerts can be acknowledged only by the tool's own ID."),
                field="pick_key",
            )
        needed = ("api_url", "api_user", "api_secret") if tool == "icinga" else ("api_url", "api_secret")
        for name in needed:
            if not str(self.values.get(name, "")).strip():
                raise Refused(sentence("This is required to acknowledge alerts in the tool."), field=name)
        try:
            if tool == "icinga":
                Icinga.check(self._api())
            else:
                Zabbix.check(self._api(), token=self.values["api_secret"])
        except TryLater as error:
            error.field = error.field or "api_url"
            raise

    def _api(self) -> Http:
        base = self._value("api_url").removesuffix(ZABBIX_PATH)
        authority = {"authority": self._value("api_authority")} if self._value("api_authority") else {}
        if self._value("tool") == "icinga":
            named = f"{self._value('api_user')}:{self.values.get('api_secret', '')}".encode()
            headers = {"Accept": "application/json", "Authorization": f"Basic {b64encode(named).decode()}"}
            return self.ports.open_http(base=base, headers=headers, explain=Icinga.explain, **authority)
        return self.ports.open_http(
            base=base, headers={"Accept": "application/json"}, explain=Zabbix.explain, **authority
        )

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        self.check()
        known = ("critical", "error", "warning", "info")
        return {"priority": tuple(Choice(value=word, label=word) for word in known)}

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        wanted = self.values.get("token", "")
        if wanted:
            told = {name.lower(): value for name, value in headers.items()}
            given = told.get("x-token") or told.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
                raise BadSignature(sentence("The token of the call is wrong."))
        _decoded(body)
        return Hook(key="", delivery="")

    def read_alerts(self, body: bytes) -> Sequence[Alert]:
        told = _decoded(body)
        return list(self._manager(told) if _is_alertmanager(told) else self._plain(told))

    # -- Alertmanager (webhook version 4), and Grafana, which sends the same fields and more

    def _manager(self, told: Mapping[str, Any]) -> Iterator[Alert]:
        for item in told["alerts"]:
            labels = {text(name): text(value) for name, value in _table(item.get("labels")).items()}
            notes = {text(name): text(value) for name, value in _table(item.get("annotations")).items()}
            name = labels.get("alertname", "")
            where = labels.get("instance", "")
            is_firing = item.get("status") != "resolved"
            more = "\n".join(f"{label}: {value}" for label, value in sorted(labels.items()))
            yield Alert(
                key=_key(text(item.get("fingerprint")) or _digest(labels)),
                is_firing=is_firing,
                title=notes.get("summary") or " on ".join(part for part in (name, where) if part) or "Alert",
                text="\n\n".join(part for part in (notes.get("description", ""), more) if part),
                severity=labels.get("severity", ""),
                at=times.told(text(item.get("startsAt") if is_firing else item.get("endsAt"))).at,
                url=text(item.get("generatorURL") or told.get("externalURL")),
                service=labels.get(self.values.get("service_label") or "service", ""),
                asset=labels.get(self.values.get("asset_label") or "instance", ""),
            )

    # -- any JSON

    def _plain(self, told: Any) -> Iterator[Alert]:
        items = told if isinstance(told, list) else self._items(told)
        picks = {name: self._expression(name) for name in tools.PARTS}
        for item in items:
            if not isinstance(item, Mapping):
                raise Refused(sentence("Each alert has to be a JSON object."))
            yield self._alert({name: text(self._picked(name, pick, item)) for name, pick in picks.items()})

    def _alert(self, picked: Mapping[str, str]) -> Alert:
        found = {name: "" if _MACRO.fullmatch(value.strip()) else value for name, value in picked.items()}
        key = picked["key"] if found["key"] else ""
        if not key and not found["title"]:
            tried = ", ".join(f"{name}: {self._path(name)}" for name in ("key", "title", "status"))
            raise Refused(
                sentence(
                    "The call does not identify an alert: it has neither an ID nor a title. These fields were tried: "
                    "%(fields)s. Choose the tool or the fields in the connection's settings, then read the call again.",
                    fields=tried,
                )
            )
        when = times.told(found["at"], zone=self._zone(), is_day_first=self._is_day_first())
        state = found["status"].strip().lower()
        return Alert(
            key=_key(key or _digest({"title": found["title"], "asset": found["asset"]})),
            is_firing=None if state in self._words("none_words") else state not in self._words("ended_words"),
            title=found["title"] or key,
            text=found["text"],
            state=found["status"].strip(),
            severity=found["severity"].lower(),
            at=when.at,
            or_at=when.or_at,
            written_at=when.written,
            url=found["url"],
            service=found["service"],
            asset=found["asset"],
            author=found["author"].strip(),
            said=self._said(found),
        )

    def _said(self, found: Mapping[str, str]) -> str:
        """The text of an acknowledgement or comment. If its field is not set, it counts only with an author."""
        words = _MACRO.sub("", found["said"]).strip().rstrip(":").strip()
        is_usual = self._path("said") == tools.USUAL["said"]
        return "" if is_usual and not found["author"].strip() else words

    def _items(self, told: Any) -> list[Any]:
        """The list of alerts, which may be empty; without a list, the call itself is one alert."""
        found = self._picked("items", self._expression("items"), told, name="body")
        return list(found) if isinstance(found, list | tuple) else [told]

    def _value(self, name: str) -> str:
        default = next(setting.default for setting in self.settings if setting.name == name)
        return str(self.values.get(name, default)).strip()

    def _words(self, name: str) -> frozenset[str]:
        return frozenset(word.strip().lower() for word in re.split(r"[,\n]", self._value(name))) - {""}

    def _zone(self) -> ZoneInfo | None:
        name = self._value("zone")
        try:
            return ZoneInfo(name) if name else None
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Refused(
                sentence("There is no time zone “%(name)s”. Enter a name such as Europe/Berlin.", name=name[:60]),
                field="zone",
            ) from error

    def _is_day_first(self) -> bool | None:
        return {"day": True, "month": False}.get(self._value("date_order"))

    def _path(self, name: str) -> str:
        """The expression for a part: from the settings, else the tool's own, else the usual one."""
        given = str(self.values.get(f"pick_{name}") or "").strip()
        if given and given != tools.USUAL[name]:
            return given
        return tools.READY.get(self._value("tool"), {}).get(name, tools.USUAL[name])

    def _picked(self, which: str, pick: Expression, told: Any, *, name: str = "item") -> Any:
        try:
            return pick({name: told})
        except Failed as error:
            raise Refused(
                sentence("The field %(field)s cannot be read: %(reason)s", field=which, reason=str(error)),
                field=f"pick_{which}",
            ) from error

    def _expression(self, name: str) -> Expression:
        try:
            return expression(self._path(name), names=["body"] if name == "items" else ["item"])
        except BadExpression as error:
            raise Refused(str(error), field=f"pick_{name}") from error


def text(value: Any) -> str:
    """The value as text, without lone surrogates and NUL."""
    return plain(value).encode("utf-8", "replace").decode().replace("\x00", "")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(sentence("This is not valid JSON: %(reason)s", reason=str(error)[:100])) from error


def _is_alertmanager(told: Any) -> bool:
    return isinstance(told, Mapping) and isinstance(told.get("alerts"), list) and "groupKey" in told


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _digest(parts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _key(key: str) -> str:
    """The key, or a digest of it if it is too long to be stored."""
    return key if len(key) <= LONGEST_KEY else _digest({"key": key})
