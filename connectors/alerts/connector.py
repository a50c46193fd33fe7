"""What a monitoring or RMM tool posts: alerts that fire and end. Nothing is asked from it, and nothing is said to it
but, where an admin wants that, that somebody works on an alert.

Alertmanager's webhook is known by its shape; anything else is JSON whose parts are picked by expressions.
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
from connectors.kit.contract import Alert, AlertConnector, Checked, Choice, Hook, Setting
from connectors.kit.errors import BadSignature, Refused, TryLater
from connectors.kit.http import Http
from hub.expressions import BadExpression, Expression, Failed, expression
from hub.expressions import text as plain

LONGEST_KEY = 200
_MACRO = re.compile(r"\{[A-Z][A-Z0-9._]*\}|\$[A-Z0-9_:]+\$")
"""A macro without a value, which Zabbix and Nagios leave as it stands in the template."""


def _pick(name: str, label: str, help: str = "") -> Setting:
    return Setting(
        name=f"pick_{name}",
        label=f"JSON: {label}",
        is_required=False,
        is_rare=True,
        help=f"{help} Empty: where the tool has it, else {tools.USUAL[name]}".strip(),
    )


class Alerts(AlertConnector):
    """One tool that tells us of trouble."""

    slug: ClassVar[str] = "alerts"
    label: ClassVar[str] = "Alerts (monitoring, RMM)"
    signs_hooks: ClassVar[bool] = False
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="tool",
            label="Tool",
            is_required=False,
            choices=tools.TOOLS,
            help="How each is set up to post here: docs/how-to/take-alerts.md.",
        ),
        Setting(
            name="token",
            label="Token",
            is_secret=True,
            is_required=False,
            help="Sent as “Authorization: Bearer …” or “X-Token”. Empty: the secret address alone decides.",
        ),
        Setting(
            name="on_recovery",
            label="When an alert ends",
            default="note",
            is_required=False,
            choices=(
                ("note", "it is noted on the ticket"),
                ("resolve", "the ticket is resolved, if nobody has begun to work on it"),
            ),
        ),
        Setting(
            name="acknowledge",
            label="When somebody begins to work on its ticket",
            is_required=False,
            choices=(
                ("", "the tool is not told"),
                ("begun", "the alert is acknowledged there (Icinga 2, Zabbix)"),
            ),
        ),
        Setting(
            name="api_url",
            label="Address of its API",
            is_required=False,
            is_rare=True,
            is_address=True,
            help="To acknowledge: https://icinga.example.org:5665, or the address of Zabbix' frontend.",
        ),
        Setting(
            name="api_user",
            label="API user",
            is_required=False,
            is_rare=True,
            help="Of Icinga, with the permission actions/acknowledge-problem.",
        ),
        Setting(name="api_secret", label="Password or API token", is_required=False, is_rare=True, is_secret=True),
        Setting(
            name="api_authority",
            label="Certificate of the authority that signed theirs",
            is_required=False,
            is_rare=True,
            is_long=True,
            help="In PEM, as Icinga's ca.crt. Empty: a public authority signed it.",
        ),
        Setting(
            name="storm_count",
            label="A storm is more than … new alerts",
            default="10",
            is_required=False,
            help="From then on they are folded into one parent ticket.",
        ),
        Setting(name="storm_minutes", label="… within minutes", default="5", is_required=False),
        Setting(
            name="service_label",
            label="Label that names the service",
            default="service",
            is_required=False,
            is_rare=True,
            help="Of Alertmanager: its value is looked for among the services by name.",
        ),
        Setting(
            name="asset_label",
            label="Label that names the asset",
            default="instance",
            is_required=False,
            is_rare=True,
            help="Of Alertmanager and Grafana: its value is looked for among the assets by tag.",
        ),
        Setting(
            name="zone",
            label="Time zone of times without one",
            is_required=False,
            is_rare=True,
            help="For example Europe/Berlin. Empty: the time is shown on the ticket; the call's arrival counts.",
        ),
        Setting(
            name="date_order",
            label="Dates as 11-10-2026",
            is_required=False,
            is_rare=True,
            choices=(
                ("", "are not read, unless they leave no doubt"),
                ("month", "begin with the month"),
                ("day", "begin with the day"),
            ),
        ),
        Setting(
            name="ended_words",
            label="States that end an alert",
            default=tools.ENDED,
            is_long=True,
            is_required=False,
            is_rare=True,
            help="Separated by commas. A state that stands in neither list fires.",
        ),
        Setting(
            name="none_words",
            label="States that are no alert",
            default=tools.NONE,
            is_long=True,
            is_required=False,
            is_rare=True,
            help="Maintenance windows, custom notices, comments: they neither fire nor end one.",
        ),
        Setting(
            name="silent_hours",
            label="An alert is silent after … hours",
            default="24",
            is_required=False,
            is_rare=True,
            help="It neither repeated nor ended, and its ticket says so. 0: never.",
        ),
        _pick("items", "list of alerts", "Where they lie; an empty list takes nothing in."),
        _pick("key", "what is the same alert", "Repeats of it are one ticket."),
        _pick("title", "title"),
        _pick("text", "text"),
        _pick("status", "state"),
        _pick("severity", "severity"),
        _pick("at", "time", "ISO 8601, seconds of 1970, 2026.11.28 15:08:06 or 11-28-2026 15:07:11."),
        _pick("url", "address"),
        _pick("service", "service"),
        _pick("asset", "asset"),
        _pick("author", "who acknowledged or commented"),
        _pick("said", "what they said"),
    )

    def check(self) -> Checked:
        """Every expression can be one, and the numbers are such."""
        for name in ("items", *tools.PARTS):
            self._expression(name)
        for name, least in (("storm_count", 1), ("storm_minutes", 1), ("silent_hours", 0)):
            given = self._value(name)
            if not given.isdecimal() or not least <= int(given) <= 1000:
                raise Refused(f"A number between {least} and 1000.", field=name)
        self._zone()
        if self._value("acknowledge"):
            self._check_api()
        return Checked(own_user="alerts")

    # -- saying that somebody works on it

    def acknowledge(self, key: str, *, author: str, text: str) -> str:
        if self._value("tool") == "icinga":
            return Icinga.acknowledge(self._api(), key=key, author=author, text=text)
        return Zabbix.acknowledge(self._api(), key=key, token=self.values.get("api_secret", ""), text=text)

    def _check_api(self) -> None:
        """A real call with what is set; errors name the setting at fault."""
        tool = self._value("tool")
        if tool not in ("icinga", "zabbix"):
            raise Refused("Of these tools only Icinga 2 and Zabbix can be told.", field="acknowledge")
        if self._path("key") != tools.READY[tool]["key"]:
            raise Refused(
                "To acknowledge an alert there, its key has to be the one that is ready for this tool: leave it empty.",
                field="pick_key",
            )
        needed = ("api_url", "api_user", "api_secret") if tool == "icinga" else ("api_url", "api_secret")
        for name in needed:
            if not str(self.values.get(name, "")).strip():
                raise Refused("This is needed to acknowledge alerts there.", field=name)
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
                raise BadSignature("The token is not ours.")
        _decoded(body)
        return Hook(key="", delivery="")

    def read_alerts(self, body: bytes) -> Sequence[Alert]:
        told = _decoded(body)
        return list(self._manager(told) if _is_alertmanager(told) else self._plain(told))

    # -- Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4) and Grafana,
    # which sends the same and more (https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/)

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
                raise Refused("An alert has to be a JSON object.")
            yield self._alert({name: text(self._picked(name, pick, item)) for name, pick in picks.items()})

    def _alert(self, picked: Mapping[str, str]) -> Alert:
        found = {name: "" if _MACRO.fullmatch(value.strip()) else value for name, value in picked.items()}
        key = picked["key"] if found["key"] else ""
        if not key and not found["title"]:
            tried = ", ".join(f"{name}: {self._path(name)}" for name in ("key", "title", "status"))
            raise Refused(
                "Nothing in it tells which alert it is: there is neither a key nor a title. "
                f"These places were tried ({tried}). Choose the tool, or say where the parts lie, in the connection's "
                "settings; then read the call again."
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
        """What somebody said there. Where nobody said where that lies, only words that have an author are such."""
        words = _MACRO.sub("", found["said"]).strip().rstrip(":").strip()
        is_usual = self._path("said") == tools.USUAL["said"]
        return "" if is_usual and not found["author"].strip() else words

    def _items(self, told: Any) -> list[Any]:
        """The list of alerts, which may be empty; where there is none, the call is one alert itself."""
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
                f"There is no time zone {name!r}; write, for example, Europe/Berlin.", field="zone"
            ) from error

    def _is_day_first(self) -> bool | None:
        return {"day": True, "month": False}.get(self._value("date_order"))

    def _path(self, name: str) -> str:
        """Where a part is looked for: what the admin says, else what the tool has, else the usual place."""
        given = str(self.values.get(f"pick_{name}") or "").strip()
        if given and given != tools.USUAL[name]:
            return given
        return tools.READY.get(self._value("tool"), {}).get(name, tools.USUAL[name])

    def _picked(self, which: str, pick: Expression, told: Any, *, name: str = "item") -> Any:
        try:
            return pick({name: told})
        except Failed as error:
            raise Refused(f"{which} cannot be picked: {error}", field=f"pick_{which}") from error

    def _expression(self, name: str) -> Expression:
        try:
            return expression(self._path(name), names=["body"] if name == "items" else ["item"])
        except BadExpression as error:
            raise Refused(str(error), field=f"pick_{name}") from error


def text(value: Any) -> str:
    """What can be kept of a text: no half characters, no null."""
    return plain(value).encode("utf-8", "replace").decode().replace("\x00", "")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"This is no JSON: {str(error)[:100]}") from error


def _is_alertmanager(told: Any) -> bool:
    return isinstance(told, Mapping) and isinstance(told.get("alerts"), list) and "groupKey" in told


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _digest(parts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _key(key: str) -> str:
    """A key as it can be kept, however long it is there."""
    return key if len(key) <= LONGEST_KEY else _digest({"key": key})
