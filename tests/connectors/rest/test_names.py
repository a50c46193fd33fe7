"""People by name where the profile can ask for it, and journals without their markup."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.simulating import Answer, Request
from tests.connectors.rest.vendor import Vendor, connector

PROFILES = Path("connectors/rest/profiles")
NUMBERS = count(1)
"""An address of its own for each vendor: a process keeps the names it has learned by connection."""


def zendesk(person: Answer) -> tuple[Vendor, Any]:
    ticket = {
        "id": 5,
        "subject": "s",
        "description": "d",
        "status": "open",
        "priority": "normal",
        "group_id": 7,
        "submitter_id": 9,
        "assignee_id": 31,
        "external_id": "",
        "created_at": "2026-02-03T09:00:00Z",
        "updated_at": "2026-02-03T09:00:00Z",
        "tags": [],
    }
    notes = [
        {
            "id": n,
            "plain_body": f"note {n}",
            "public": True,
            "author_id": 31,
            "attachments": [],
            "created_at": "2026-02-03T09:10:00Z",
        }
        for n in (1, 2)
    ]

    def answer(request: Request) -> Answer:
        if request.path.endswith("/users/me.json"):
            return Answer(body={"user": {"id": 9, "name": "Hub"}})
        if "/users/" in request.path:
            return person
        if "comments" in request.path:
            return Answer(body={"comments": notes, "meta": {"has_more": False}, "links": {}})
        return Answer(body={"ticket": ticket})

    vendor = Vendor(answer)
    text = (PROFILES / "zendesk" / "profile.toml").read_text()
    return vendor, connector(
        text, vendor, address=f"https://d{next(NUMBERS)}.zendesk.com", email="h@n.test", token="t", group="7"
    )


def test_a_name_is_asked_for_once() -> None:
    vendor, made = zendesk(Answer(body={"user": {"id": 31, "name": "Zora Desk"}}))
    there = made.fetch("5")

    assert (there.assignee, {note.author for note in there.notes}) == ("Zora Desk", {"Zora Desk"})
    assert len([call for call in vendor.calls if "/users/31" in call.path]) == 1


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_name_that_cannot_be_had_is_no_reason_to_read_nothing(status: int) -> None:
    _vendor, made = zendesk(Answer(status=status, body={"error": "no"}))
    there = made.fetch("5")

    assert (there.assignee, [note.text for note in there.notes]) == ("31", ["note 1", "note 2"])


def test_servicenow_names_people_by_either_key_and_journals_lose_their_markup() -> None:
    incident = {
        "sys_id": "a" * 32,
        "number": "INC1",
        "short_description": "s",
        "description": "",
        "state": "2",
        "impact": "2",
        "urgency": "2",
        "assignment_group": "g1",
        "assigned_to": "b" * 32,
        "sys_created_on": "2026-02-03 09:00:00",
        "sys_updated_on": "2026-02-03 09:30:00",
        "sys_created_by": "ida",
        "sys_updated_by": "ida",
        "correlation_id": "",
    }
    entry = {
        "sys_id": "c" * 32,
        "element": "work_notes",
        "sys_created_by": "ida",
        "sys_created_on": "2026-02-03 09:30:00",
        "value": "Done. [code]<p>Rebooted <b>2</b>x</p>[/code]",
    }

    def answer(request: Request) -> Answer:
        asked = request.query.get("sysparm_query", "")
        if "sys_user" in request.path and "name,user_name" not in request.query.get("sysparm_fields", ""):
            names = {"b" * 32: "Bruno Desk", "ida": "Ida Agent"}
            found = next((name for key, name in names.items() if f"sys_id={key}^" in asked), None)
            return Answer(body={"result": [{"name": found or "Hub", "user_name": "hub"}]})
        if "sys_journal_field" in request.path:
            return Answer(body={"result": [entry]})
        return Answer(body={"result": [] if "attachment" in request.path else incident})

    text = (PROFILES / "servicenow" / "profile.toml").read_text()
    made = connector(text, Vendor(answer), address="https://d.service-now.com", user="hub", password="p", group="g1")
    there = made.fetch("a" * 32)

    assert there.assignee == "Bruno Desk"
    [note] = there.notes or ()
    assert (note.author, note.text) == ("Ida Agent", "Done. Rebooted 2x")
