"""The connector of the how-to passes the conformance suite."""

# how-to: imports
from __future__ import annotations

import json
from typing import Any

from connectors.kit import quality
from connectors.kit.conformance import Conformance, Time
from connectors.kit.simulating import Simulator
from tests.connectors.deskling import simulator as double
from tests.connectors.deskling.connector import Deskling, signature


# how-to: conformance
class TestDeskling(Conformance):
    connector = Deskling
    domain, person = "acme", "1"
    statuses, priorities = ("1", "2"), ("1", "2")
    shown, hidden = "public", "private"
    ticket_path = "/tickets"
    wrong = {"api_key": "not-it", "queue_id": "99"}
    cannot = frozenset(quality.of(Deskling).cannot)
    hosts = frozenset({"acme.deskling.example"})

    def start(self, time: Time) -> Simulator[Any]:
        tenant = double.Tenant(domain=self.domain, lists=double.lists())
        return double.Simulator([tenant], base="https://acme.deskling.example", now=time)

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        return {"address": simulator.base, "api_key": "a-key", "queue_id": "7", "hook_secret": "a-secret"}

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].api_key = "another-one"

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        public = visibility == "public"
        simulator.act(self.domain, "note", ticket=key, by=self.person, text=text, public=public)

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"event": number, "ticket": key}).encode()
        return self.sign(simulator, body), body

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        return {"X-Deskling-Signature": signature("a-secret", body)}

    def switch_off(self, simulator: Simulator[Any]) -> None:
        for hook in simulator.tenants[self.domain].hooks.values():
            hook["active"] = False

    def registered(self, simulator: Simulator[Any]) -> int:
        return len(simulator.tenants[self.domain].hooks)

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.tenants[self.domain].tickets[key]["created_at"] = date

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.tenants[self.domain].comments[key]["created_at"] = date

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        for row in simulator.tenants[self.domain].lists["status"]:
            row["active"] = row["active"] and row["id"] != status
