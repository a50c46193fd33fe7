"""Autotask's picklists: how they are read, and how their values are written.

A picklist is part of the metadata of its field:
https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/API_Calls/REST_EntityInformationCall.htm
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.autotask.api import Api
from connectors.autotask.values import Json
from connectors.kit.contract import Choice
from connectors.kit.errors import Refused
from hub.core.sentences import sentence

COMPLETE = "5"
"""The only status with the same id in every database: it is a system value. All others are the tenant's."""
TIME_SUMMARY, TIME_INTERNAL = "time.summary", "time.internal"
"""A time entry has no publish value. Its two texts have separate visibilities, mapped like the others."""

_LISTS: Mapping[str, Mapping[str, str]] = {
    "Tickets": {"status": "status", "priority": "priority", "queueID": "queue", "source": "source"},
    "TicketNotes": {"noteType": "noteType", "publish": "visibility"},
}
"""The picklist fields of each entity, and the kit's names for them."""
_TIME_CHOICES = (
    Choice(value=TIME_SUMMARY, label=sentence("Time entry: summary")),
    Choice(value=TIME_INTERNAL, label=sentence("Time entry: internal notes")),
)
_NUMBERS = frozenset({"status", "priority"})


def read(api: Api) -> dict[str, tuple[Choice, ...]]:
    """The picklists of tickets and notes, from the metadata of their fields.

    Inactive values are included, because old tickets still have them; they cannot be written.
    """
    http = api.http()
    found: dict[str, tuple[Choice, ...]] = {}
    for entity, names in _LISTS.items():
        for field in http.get(f"V1.0/{entity}/entityInformation/fields")["fields"]:
            if field["name"] in names and field.get("isPickList"):
                found[names[field["name"]]] = tuple(
                    _choice(field["name"], v) for v in field.get("picklistValues") or ()
                )
    found["visibility"] = (*found.get("visibility", ()), *_TIME_CHOICES)
    return found


def _choice(field: str, value: Json) -> Choice:
    # A value is a string in the metadata and an integer on the ticket.
    key = str(value["value"])
    return Choice(
        value=key,
        label=value["label"],
        is_active=value.get("isActive", True),
        is_closed=field == "status" and key == COMPLETE,
    )


def typed(fields: Mapping[str, str]) -> Json:
    """Fields for a ticket's body: picklist values as integers."""
    return {name: int(value) if name in _NUMBERS and value else value for name, value in fields.items()}


def publish_value(visibility: str) -> int:
    """The publish value of a note; Refused for the visibilities of time entries, which cannot be written."""
    if not visibility.isdecimal():
        raise Refused(
            sentence(
                "Notes cannot be written with the visibility %(visibility)s. Map the audience to a publish value.",
                visibility=visibility,
            )
        )
    return int(visibility)
