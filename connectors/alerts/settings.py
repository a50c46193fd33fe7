"""The settings of an alerts connection."""

from __future__ import annotations

from connectors.alerts import tools
from connectors.kit.contract import Setting
from hub.core.sentences import Sentence, sentence


def _pick(name: str, label: Sentence, help: Sentence | None = None) -> Setting:
    """A setting for the expression that picks one part of an alert."""
    usual = tools.USUAL[name]
    where = sentence("Leave empty to use the tool's own field, or %(expression)s.", expression=usual)
    if help is not None:
        where = sentence(
            "%(help)s Leave empty to use the tool's own field, or %(expression)s.", help=help, expression=usual
        )
    return Setting(name=f"pick_{name}", label=label, is_required=False, is_rare=True, help=where)


SETTINGS = (
    Setting(
        name="tool",
        label=sentence("Tool"),
        is_required=False,
        choices=tools.TOOLS,
        help=sentence("docs/how-to/take-alerts.md explains how to set up each tool."),
    ),
    Setting(
        name="token",
        label=sentence("Token"),
        is_secret=True,
        is_required=False,
        help=sentence(
            "Sent as “Authorization: Bearer …” or “X-Token”. Without it, only the secret address protects calls."
        ),
    ),
    Setting(
        name="on_recovery",
        label=sentence("When an alert ends"),
        default="note",
        is_required=False,
        choices=(
            ("note", sentence("record it on the ticket")),
            ("resolve", sentence("resolve the ticket unless somebody has started to work on it")),
        ),
    ),
    Setting(
        name="acknowledge",
        label=sentence("When somebody starts to work on the ticket"),
        is_required=False,
        choices=(
            ("", sentence("do not notify the tool")),
            ("begun", sentence("acknowledge the alert in the tool (Icinga 2, Zabbix)")),
        ),
    ),
    Setting(
        name="api_url",
        label=sentence("API address"),
        is_required=False,
        is_rare=True,
        is_address=True,
        help=sentence("For acknowledgements: https://icinga.example.org:5665, or the address of the Zabbix frontend."),
    ),
    Setting(
        name="api_user",
        label=sentence("API user"),
        is_required=False,
        is_rare=True,
        help=sentence("For Icinga: a user with the permission actions/acknowledge-problem."),
    ),
    Setting(
        name="api_secret",
        label=sentence("Password or API token"),
        is_required=False,
        is_rare=True,
        is_secret=True,
    ),
    Setting(
        name="api_authority",
        label=sentence("Certificate authority of the API"),
        is_required=False,
        is_rare=True,
        is_long=True,
        help=sentence("In PEM, such as Icinga's ca.crt. Leave empty for a public certificate authority."),
    ),
    Setting(
        name="storm_count",
        label=sentence("Alert storm: number of new alerts"),
        default="10",
        is_required=False,
        help=sentence("If more new alerts arrive within the minutes below, they are grouped under a parent ticket."),
    ),
    Setting(
        name="storm_minutes",
        label=sentence("Alert storm: period in minutes"),
        default="5",
        is_required=False,
    ),
    Setting(
        name="service_label",
        label=sentence("Label with the service"),
        default="service",
        is_required=False,
        is_rare=True,
        help=sentence("For Alertmanager and Grafana: the value is matched with the names of services."),
    ),
    Setting(
        name="asset_label",
        label=sentence("Label with the asset"),
        default="instance",
        is_required=False,
        is_rare=True,
        help=sentence("For Alertmanager and Grafana: the value is matched with the tags of assets."),
    ),
    Setting(
        name="zone",
        label=sentence("Time zone of times without one"),
        is_required=False,
        is_rare=True,
        help=sentence(
            "For example Europe/Berlin. If empty, such a time is only shown, and the time of the call counts."
        ),
    ),
    Setting(
        name="date_order",
        label=sentence("Dates such as 11-10-2026"),
        is_required=False,
        is_rare=True,
        choices=(
            ("", sentence("are read only if they are unambiguous")),
            ("month", sentence("start with the month")),
            ("day", sentence("start with the day")),
        ),
    ),
    Setting(
        name="ended_words",
        label=sentence("States that end an alert"),
        default=tools.ENDED,
        is_long=True,
        is_required=False,
        is_rare=True,
        help=sentence("Separated by commas. An alert with a state in neither list is active."),
    ),
    Setting(
        name="none_words",
        label=sentence("States that are not an alert"),
        default=tools.NONE,
        is_long=True,
        is_required=False,
        is_rare=True,
        help=sentence("Separated by commas: maintenance windows, custom notices, comments and similar states."),
    ),
    Setting(
        name="silent_hours",
        label=sentence("Hours until an alert counts as silent"),
        default="24",
        is_required=False,
        is_rare=True,
        help=sentence("If an alert neither repeats nor ends within this time, its ticket says so. 0 means never."),
    ),
    _pick(
        "items",
        sentence("JSON: list of alerts"),
        sentence("The place of the list in the call; an empty list imports nothing."),
    ),
    _pick(
        "key",
        sentence("JSON: alert ID"),
        sentence("Calls with the same value are about the same alert and ticket."),
    ),
    _pick("title", sentence("JSON: title")),
    _pick("text", sentence("JSON: text")),
    _pick("status", sentence("JSON: state")),
    _pick("severity", sentence("JSON: severity")),
    _pick(
        "at",
        sentence("JSON: time"),
        sentence("ISO 8601, a Unix timestamp, 2026.11.28 15:08:06 or 11-28-2026 15:07:11."),
    ),
    _pick("url", sentence("JSON: link")),
    _pick("service", sentence("JSON: service")),
    _pick("asset", sentence("JSON: asset")),
    _pick("author", sentence("JSON: author of an acknowledgement or comment")),
    _pick("said", sentence("JSON: text of an acknowledgement or comment")),
)
