"""Where the parts of an alert are in the calls of each tool, so that an admin need not enter it.

The state is read, never the type of a notification: Icinga and Nagios send no recovery for a service that started to
flap when it became OK, but the notifications they do send (FLAPPINGSTART, FLAPPINGSTOP) contain the state. The key is
host and service, or the trigger, so that a recurring problem is the same alert. The calls are made by the scripts in
docs/how-to/take-alerts.md.

https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/flapping.html
https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#notifications
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.sentences import sentence

PARTS = ("key", "title", "text", "status", "severity", "at", "url", "service", "asset", "author", "said")
USUAL = {
    "items": "body.alerts",
    "key": "item.id",
    "title": "item.title",
    "text": "item.message",
    "status": "item.status",
    "severity": "item.severity",
    "at": "item.time",
    "url": "item.url",
    "service": "item.service",
    "asset": "item.asset",
    "author": "either(item.author, item.notificationauthor, item['USER.FULLNAME'])",
    "said": "either(item.comment, item.notificationcomment, item['EVENT.UPDATE.MESSAGE'])",
}
"""The expressions that apply if neither the settings nor the tool define one."""

_ICINGA_NAME = 'item.host + (has(item.service) && item.service != "" ? "!" + item.service : "")'
_NAGIOS_IS_SERVICE = 'has(item.servicedesc) && item.servicedesc != "" && !item.servicedesc.startsWith("$")'
_NAGIOS_NAME = f'item.hostname + ({_NAGIOS_IS_SERVICE} ? "!" + item.servicedesc : "")'
READY: Mapping[str, Mapping[str, str]] = {
    # https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#notification-commands
    "icinga": {
        "key": _ICINGA_NAME,
        "title": f'{_ICINGA_NAME} + ": " + item.output',
        "text": "item.output",
        "status": "item.state",
        "severity": "item.state",
        "at": "item.changed",
        "asset": "item.host",
        "author": "item.author",
        "said": "item.comment",
    },
    # https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html
    "nagios": {
        "key": _NAGIOS_NAME,
        "title": f'{_NAGIOS_NAME} + ": " + ({_NAGIOS_IS_SERVICE} ? item.serviceoutput : item.hostoutput)',
        "text": f"{_NAGIOS_IS_SERVICE} ? item.serviceoutput : item.hostoutput",
        "status": f"{_NAGIOS_IS_SERVICE} ? item.servicestate : item.hoststate",
        "severity": f"{_NAGIOS_IS_SERVICE} ? item.servicestate : item.hoststate",
        "at": "item.timet",
        "asset": "item.hostname",
        "author": "item.notificationauthor",
        "said": "item.notificationcomment",
    },
    # https://www.zabbix.com/documentation/6.0/en/manual/appendix/macros/supported_by_location
    "zabbix": {
        "key": "item['TRIGGER.ID'] + '!' + item['HOST.HOST']",
        "title": "item['HOST.HOST'] + ': ' + item['EVENT.NAME']",
        "text": "item['EVENT.OPDATA']",
        "status": "item['EVENT.VALUE'] == '0' ? 'resolved' : item['EVENT.STATUS']",
        "severity": "item['EVENT.SEVERITY']",
        "at": "item['EVENT.VALUE'] == '0' ? item['EVENT.RECOVERY.DATE'] + ' ' + item['EVENT.RECOVERY.TIME'] "
        ": item['EVENT.DATE'] + ' ' + item['EVENT.TIME']",
        "asset": "item['HOST.HOST']",
        "author": "item['USER.FULLNAME']",
        "said": "item['EVENT.UPDATE.STATUS'] == '1' "
        "? item['EVENT.UPDATE.ACTION'] + ': ' + item['EVENT.UPDATE.MESSAGE'] : ''",
    },
}
TOOLS = (
    ("", sentence("another tool (enter its fields below)")),
    ("alertmanager", "Prometheus Alertmanager"),
    ("grafana", "Grafana"),
    ("icinga", "Icinga 2"),
    ("nagios", "Nagios"),
    ("zabbix", "Zabbix"),
)
"""Alertmanager and Grafana are recognised by the structure of their calls."""

ENDED = "resolved, ok, closed, cleared, clear, recovered, recovery, up, normal, end, ended, inactive, good"
NONE = (
    "downtimestart, downtimeend, downtimeremoved, downtimecancelled, flappingstart, flappingend, flappingstop, "
    "flappingdisabled, acknowledgement, acknowledged, custom, comment, pending, suppressed"
)
