"""What a monitoring or RMM tool posts: alerts that fire and end. Nothing is asked from it, nothing is said to it.

Alertmanager's webhook is known by its shape; anything else is JSON whose parts are picked by expressions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.kit.contract import Alert, Checked, Choice, Connector, Hook, Setting
from connectors.kit.errors import BadSignature, Refused
from hub.expr import BadExpression, Expression, Failed, expression
from hub.expr import text as plain

"""Of one call; what is beyond is said in the last one's text."""
LONGEST_KEY = 200
_PICKS = ("key", "title", "text", "status", "severity", "at", "url", "service", "asset")


def _pick(name: str, label: str, default: str, help: str = "") -> Setting:
    return Setting(name=f"pick_{name}", label=f"JSON: {label}", default=default, help=help, is_required=False,
                   is_rare=True)  # fmt: skip


class Alerts(Connector):
    """One tool that tells us of trouble."""

    slug: ClassVar[str] = "alerts"
    label: ClassVar[str] = "Alerts (monitoring, RMM)"
    keeps_records: ClassVar[bool] = False
    has_hooks: ClassVar[bool] = True
    signs_hooks: ClassVar[bool] = False
    takes_alerts: ClassVar[bool] = True
    settings: ClassVar[tuple[Setting, ...]] = (
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
        Setting(name="asset_label", label="Label that names the asset", default="instance", is_required=False,
                is_rare=True, help="Of Alertmanager: its value is looked for among the assets by tag."),
        _pick("items", "list of alerts", "body.alerts", "Where they lie; one alert alone, or a list, needs nothing."),
        _pick("key", "what is the same alert", "item.id", "Repeats of it are one ticket."),
        _pick("title", "title", "item.title"),
        _pick("text", "text", "item.message"),
        _pick("status", "state", "item.status", "Words for its end: resolved, ok, closed, cleared, recovered, up."),
        _pick("severity", "severity", "item.severity"),
        _pick("at", "time", "item.time", "ISO 8601, or seconds of 1970; empty: when it came."),
        _pick("url", "address", "item.url"),
        _pick("service", "service", "item.service"),
        _pick("asset", "asset", "item.asset"),
    )  # fmt: skip

    def check(self) -> Checked:
        """Every expression can be one, and the numbers are such."""
        for name in ("items", *_PICKS):
            self._expression(name)
        for name in ("storm_count", "storm_minutes"):
            if not self.values.get(name, "").isdecimal() or not 0 < int(self.values[name]) <= 1000:
                raise Refused("A number between 1 and 1000.", field=name)
        return Checked(own_user="alerts")

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
        found = list(self._manager(told) if _is_alertmanager(told) else self._plain(told))
        if not found:
            raise Refused("There is no alert in it.")
        return found

    # -- Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4)

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
                at=_time(item.get("startsAt") if is_firing else item.get("endsAt")),
                url=text(item.get("generatorURL") or told.get("externalURL")),
                service=labels.get(self.values.get("service_label") or "service", ""),
                asset=labels.get(self.values.get("asset_label") or "instance", ""),
            )

    # -- any JSON

    def _plain(self, told: Any) -> Iterator[Alert]:
        items = told if isinstance(told, list) else self._items(told)
        picks = {name: self._expression(name) for name in _PICKS}
        for item in items:
            if not isinstance(item, Mapping):
                raise Refused("An alert has to be a JSON object.")
            found = {name: self._picked(name, pick, item) for name, pick in picks.items()}
            key = text(found["key"]) or _digest({"title": text(found["title"]), "asset": text(found["asset"])})
            yield Alert(
                key=_key(key),
                is_firing=text(found["status"]).strip().lower() not in _ENDED,
                title=text(found["title"]) or "Alert",
                text=text(found["text"]),
                severity=text(found["severity"]).lower(),
                at=_time(found["at"]),
                url=text(found["url"]),
                service=text(found["service"]),
                asset=text(found["asset"]),
            )

    def _items(self, told: Any) -> list[Any]:
        found = self._picked("items", self._expression("items"), told, name="body")
        return list(found) if isinstance(found, list | tuple) and found else [told]

    def _picked(self, which: str, pick: Expression, told: Any, *, name: str = "item") -> Any:
        try:
            return pick({name: told})
        except Failed as error:
            raise Refused(f"{which} cannot be picked: {error}", field=f"pick_{which}") from error

    def _expression(self, name: str) -> Expression:
        default = next(setting.default for setting in self.settings if setting.name == f"pick_{name}")
        try:
            return expression(
                self.values.get(f"pick_{name}") or default, names=["body"] if name == "items" else ["item"]
            )
        except BadExpression as error:
            raise Refused(str(error), field=f"pick_{name}") from error


_ENDED = frozenset({"resolved", "ok", "closed", "cleared", "clear", "recovered", "recovery", "up", "normal", "end",
                    "ended", "inactive", "good"})  # fmt: skip


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


def _time(value: Any) -> datetime | None:
    """When it happened, as far as they say it; None for what is no time or lies outside of any.

    >>> _time("2026-11-25T13:15:40.826643398Z")
    datetime.datetime(2026, 11, 25, 13, 15, 40, 826643, tzinfo=datetime.timezone.utc)
    >>> _time("0001-01-01T00:00:00Z") is None, _time(1e20) is None, _time("soon") is None
    (True, True, True)
    >>> _time("1760000000")
    datetime.datetime(2025, 10, 9, 8, 53, 20, tzinfo=datetime.timezone.utc)
    """
    told = text(value).strip()
    try:
        if told.replace(".", "", 1).isdecimal():
            seconds = float(told)
            found = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        else:
            written = told[:10] + told[10:].replace("Z", "+00:00")
            head, dot, rest = written.partition(".")
            digits = len(rest) - len(rest.lstrip("0123456789"))
            found = datetime.fromisoformat(f"{head}{dot}{rest[: min(digits, 6)]}{rest[digits:]}")
    except (ValueError, OverflowError, OSError):
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC) if 2000 <= found.year <= 9000 else None
