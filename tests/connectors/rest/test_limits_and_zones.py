"""Sizes in the unit they have, and a time zone that is set wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from connectors.engine.operations.capability_check import Bench
from connectors.kit.contract import Change
from connectors.kit.errors import Refused
from connectors.kit.simulating import Answer, Request
from hub.models import Organisation
from tests.connectors.rest.vendor import START, Clock, Vendor, connector, document, ticket

ZONED = document(
    top='[[settings]]\nname = "zone"\nlabel = "Time zone"\ndefault = "UTC"\n\n'
    '[times]\nread = ["%Y-%m-%d %H:%M:%S"]\nzone = "{settings.zone}"\n\n[since]\nwrite = "%Y-%m-%d %H:%M:%S"\n'
    'zone = "{settings.zone}"',
)


def zoned(zone: str, *, date: str = "Mon, 16 Mar 2026 10:00:00 GMT") -> Mapping[str, str]:
    """A system in Paris (UTC+1 in March) that answers at ten, with a record of half past nine."""
    there = {"id": 7, "title": "x", "made": "2026-03-16 10:30:00", "changed": "2026-03-16 10:30:00", "ref": ""}

    def answer(request: Request) -> Answer:
        since = request.query.get("since", "")
        headers = [("Date", date)] if date else []
        return Answer(body={"items": [there] if since <= "2026-03-16 10:30:00" else []}, headers=headers)

    clock = Clock()
    clock.at = START + timedelta(hours=1)
    return connector(ZONED, Vendor(answer), clock=clock, zone=zone).check().facts


def test_times_of_the_right_zone_pass() -> None:
    assert zoned("Europe/Paris")["last change"] == "7, 0 h 30 min ago (vendor's clock)"


def test_a_last_change_hours_before_their_clock_names_the_setting_that_may_be_to_blame() -> None:
    """A quiet day, or the wrong zone: only a person who changed a record just now can tell."""
    said = zoned("Asia/Karachi")["last change"]

    assert said.startswith("7, 4 h 30 min ago (vendor's clock) – ")
    assert said.endswith("the time zone is wrong: check the setting “Time zone”")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "said"),
    [("Europe/Paris", ""), ("UTC", "1 h 0 min later"), ("Asia/Karachi", "4 h 0 min earlier")],
)
def test_the_workbench_compares_what_was_made_just_now(us: Organisation, zone: str, said: str) -> None:
    """They write Paris' local time; what was made just now was made now, so any other zone is noticed for certain."""
    local = "2026-03-16 11:00:00"
    kept = {"id": 7, "title": "x", "made": local, "changed": local, "ref": ""}

    def answer(request: Request) -> Answer:
        if request.method in ("POST", "PATCH"):
            kept["ref"] = json.loads(request.body).get("ref") or kept["ref"]
        is_list = request.path == "/tickets" and request.method == "GET"
        return Answer(body={"items": []} if is_list else kept)

    one = connector(ZONED, Vendor(answer), clock=Clock(), zone=zone)
    made = next(each for each in Bench(one).tries(writes=True) if each.what == "creating a ticket")

    assert made.outcome == ("fails" if said else "works")
    assert said in made.told
    assert not said or "Check the setting “Time zone”" in made.told


def test_a_record_of_the_future_names_the_setting_that_is_to_blame() -> None:
    with pytest.raises(Refused, match="30 minutes after its own clock \\(10:00 UTC\\)") as refused:
        zoned("UTC")
    assert refused.value.field == "zone"


@pytest.mark.parametrize("date", ["", "soon", "Mon, 16 Mar 2026 10:25:00 GMT"])
def test_without_a_clock_of_theirs_or_within_minutes_nothing_is_said(date: str) -> None:
    zoned("UTC", date=date)


@pytest.mark.parametrize(("limit", "told"), [(1_024_000, "1.02 MB"), (200_000, "200 kB"), (5_000_000, "5 MB")])
def test_a_file_that_is_too_large_is_told_in_the_right_unit(limit: int, told: str) -> None:
    text = f"largest_file = {limit}\n" + document(
        operations='[operations.file]\nmethod = "POST"\npath = "/tickets/{key}/files"\nraw = true\n',
    )
    vendor = Vendor(lambda _request: Answer(body=ticket(1)))
    change = Change(id="x", kind="file", key="1", name="dump.bin", content=b"x" * 5_100_000, visibility="")

    with pytest.raises(Refused, match=f"dump.bin has 5.1 MB; Desk accepts at most {told}"):
        connector(text, vendor).push(change)
