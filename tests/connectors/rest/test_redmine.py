"""The Redmine profile against the kit's conformance suite, on the double."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, ClassVar

import pytest

from connectors.kit.conformance import Conformance, Time
from connectors.kit.errors import LockedOut, Refused
from connectors.kit.simulating import Simulator
from connectors.kit.wiring import wired
from connectors.rest import simulator as double
from connectors.rest.connector import Rest

PROFILE = (files("connectors.rest") / "profiles" / "redmine" / "profile.toml").read_text()


class TestRedmine(Conformance):
    connector = Rest.of_profile(PROFILE)
    domain, person = "redmine.test", "7"
    statuses, priorities = ("1", "2"), ("2", "4")
    shown, hidden = "public", "private"
    ticket_path, note_method = "/issues", "PUT"
    wrong: ClassVar[dict[str, str]] = {"api_key": "not-it", "project": "987654", "tracker": "987654"}
    cannot = frozenset({"time", "hooks", "value_off"})
    hosts = frozenset({"redmine.test"})

    def start(self, time: Time) -> Simulator[Any]:
        tenant = double.Tenant(domain=self.domain, people={"7": "Rita Red"})
        return double.Simulator([tenant], base="https://redmine.test", now=time)

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        return {
            "address": simulator.base,
            "api_key": double.Tenant(domain="").api_key,
            "project": "1",
            "tracker": "3",
            "reference_field": "1",
        }

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].api_key = "another-one"

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        is_private = visibility == self.hidden
        simulator.act(self.domain, "note", ticket=key, by=self.person, text=text, is_private=is_private)

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.tenants[self.domain].tickets[key]["created_on"] = date

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.tenants[self.domain].journals[key]["created_on"] = date

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        simulator.tenants[self.domain].forbidden.append(self.statuses[1])


def searching(field: str) -> tuple[Any, list[str]]:
    """A connector on the double, and the addresses it asks."""
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    simulator = double.Simulator([tenant], base="https://redmine.test", now=lambda: datetime.now(UTC))
    simulator.act("redmine.test", "open", by="7", title="Theirs")
    asked: list[str] = []
    values = {
        "address": "https://redmine.test",
        "api_key": tenant.api_key,
        "project": "1",
        "tracker": "3",
        "reference_field": field,
    }
    made = wired(
        Rest.of_profile(Rest.shipped_profiles()["redmine"]),
        values,
        simulator,
        now=lambda: datetime.now(UTC),
        watch=lambda request: asked.append(str(request.url)),
    )
    return made, asked


def test_a_search_names_the_field_of_our_reference() -> None:
    connector, asked = searching("1")
    assert connector.find("TH-X") == ()
    assert "cf_1=TH-X" in asked[-1]
    assert connector.check().own_user


def test_a_field_that_is_not_ours_is_noticed_and_named() -> None:
    connector, _asked = searching("99")
    with pytest.raises(Refused, match="not the right one") as refused:
        connector.check()
    assert refused.value.field == "reference_field"


def test_a_key_that_nobody_knows_is_noticed_before_lists_that_strangers_may_read() -> None:
    connector, _asked = searching("1")
    connector.caller.known["secrets"]["api_key"] = "wrong"
    with pytest.raises(LockedOut) as locked:
        connector.picklists()
    assert locked.value.field == "api_key"
