"""The Redmine profile against the kit's conformance suite, on the double."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, ClassVar

from connectors.kit.simulating import Simulator
from connectors.kit.testing import Conformance, Time
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
        return {"address": simulator.base, "api_key": double.Tenant(domain="").api_key, "project": "1", "tracker": "3",
                "reference_field": "1"}  # fmt: skip

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].api_key = "another-one"

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        is_private = visibility == self.hidden
        simulator.act(self.domain, "note", ticket=key, by=self.person, text=text, is_private=is_private)

    def spoil_record(self, simulator: Simulator[Any], key: str, date: str) -> None:
        simulator.tenants[self.domain].tickets[key]["created_on"] = date

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        simulator.tenants[self.domain].forbidden.append(self.statuses[1])
