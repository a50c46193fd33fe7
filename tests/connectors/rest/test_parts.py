"""Two of our stages on one status of theirs: a part of a value, by a condition, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.kit.contract import Change
from connectors.kit.errors import Refused
from connectors.kit.simulating import Answer, Request
from connectors.rest import editing, validation
from connectors.rest.schema import BadProfile
from tests.connectors.rest.vendor import Vendor, connector, document, ticket

PICKLIST = """
[picklists.status]
values = [
  { value = "open", label = "Open" },
  { value = "pending", label = "Pending: the caller" },
  { value = "supplier", label = "Pending: a supplier", of = "pending", when = "lower(item.reason) == 'supplier'" },
]
"""
UPDATE = "body = { status = \"{fields.status_of}\", reason = \"{fields.status == 'supplier' ? 'Supplier' : null}\" }"


def profile(picklist: str = PICKLIST, update: str = UPDATE) -> str:
    text = document(fields='status = "item.status"', rest=picklist)
    old = 'body = { title = "{fields.title}", ref = "{change.reference == \'\' ? null : change.reference}" }'
    assert old in text
    return text.replace(old, update)


@pytest.mark.parametrize(
    ("status", "reason", "read"),
    [
        ("pending", "Supplier", "supplier"),
        ("pending", "Caller", "pending"),
        ("pending", None, "pending"),
        ("open", "Supplier", "open"),
        ("odd", "Supplier", "odd"),
    ],
)
def test_the_condition_says_which_part_a_record_is(status: str, reason: str | None, read: str) -> None:
    more = {"status": status} | ({"reason": reason} if reason else {})
    one = connector(profile(), Vendor(lambda _request: Answer(body=ticket(1, **more))))

    assert one.glance("1").fields["status"] == read


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ("supplier", {"status": "pending", "reason": "Supplier"}),
        ("pending", {"status": "pending"}),
        ("open", {"status": "open"}),
    ],
)
def test_what_is_written_is_their_own_value_and_the_part_beside_it(wanted: str, sent: dict[str, str]) -> None:
    kept: dict[str, Any] = ticket(1, status="open")
    calls: list[dict[str, Any]] = []

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            calls.append(json.loads(request.body))
            kept.update(reason="", **calls[-1] if wanted != "supplier" else {})
            kept.update(calls[-1])
        return Answer(body=kept)

    pushed = connector(profile(), Vendor(answer)).push(
        Change(id="x", kind="fields", key="1", fields={"status": wanted})
    )

    assert calls == [sent]
    assert pushed.ticket is not None
    assert pushed.ticket.fields["status"] == wanted


def test_a_part_that_they_did_not_keep_is_noticed() -> None:
    def answer(request: Request) -> Answer:
        return Answer(body=ticket(1, status="pending", reason="Caller"))

    with pytest.raises(Refused, match="did not change: status"):
        connector(profile(), Vendor(answer)).push(Change(id="x", kind="fields", key="1", fields={"status": "supplier"}))


def test_parts_stand_in_the_picklist_beside_their_own() -> None:
    one = connector(profile(), Vendor(lambda _request: Answer(body={})))
    assert [choice.value for choice in one.picklists()["status"]] == ["open", "pending", "supplier"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (", when = \"lower(item.reason) == 'supplier'\"", "", "Enter both, or neither"),
        (', of = "pending"', "", "Enter both, or neither"),
        ('of = "pending"', 'of = "waiting"', "There is no value “waiting” of which this one could be a part."),
        ("[picklists.status]", "[picklists.place]", "Only a field of [ticket.fields] can have parts"),
    ],
)
def test_what_does_not_fit_is_named(old: str, new: str, told: str) -> None:
    assert old in PICKLIST
    with pytest.raises(BadProfile) as refused:
        validation.read(profile(PICKLIST.replace(old, new)))
    assert told in str(refused.value)


def test_a_field_without_parts_has_no_value_of_its_own_beside_it() -> None:
    whole = PICKLIST[: PICKLIST.index('  { value = "supplier"')] + "]\n"
    with pytest.raises(BadProfile, match=r"There is no “fields\.status_of”"):
        validation.read(profile(whole))


def test_the_form_of_a_profile_shows_them() -> None:
    section = editing.section_at(profile(), "picklists.status")
    assert "lower(item.reason)" in next(key.value for key in section.keys if key.name == "values")
