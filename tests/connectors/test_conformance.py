"""Both vendors against the kit's conformance suite; every call and every answer against their wire contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from connectors.autotask import connector as autotask
from connectors.autotask import webhooks as autotask_webhooks
from connectors.autotask.simulated_tenant import Tenant as AutotaskTenant
from connectors.autotask.simulator import Simulator as AutotaskSimulator
from connectors.connectwise import connector as connectwise
from connectors.connectwise import signing as connectwise_signing
from connectors.connectwise.simulated_tenant import Tenant as ConnectWiseTenant
from connectors.connectwise.simulator import Simulator as ConnectWiseSimulator
from connectors.kit import quality
from connectors.kit.conformance import Conformance, Time
from connectors.kit.simulating import Simulator
from tests import wire


class Watched(Conformance):
    """Fails where a call or an answer is not as the vendor's document says."""

    contract: ClassVar[Any]
    wrong_calls: list[str]

    @pytest.fixture(autouse=True)
    def _as_the_document_says(self) -> Iterator[None]:
        self.wrong_calls = []
        yield
        assert self.wrong_calls == []

    def judged(self, simulator: Simulator[Any]) -> Any:
        self.wrong_calls = wire.watched(simulator, type(self).contract())
        return simulator


class TestAutotask(Watched):
    connector = autotask.Autotask
    contract = staticmethod(wire.autotask)
    domain, person = "deskside.test", "501"
    statuses, priorities = ("1", "8"), ("1", "4")
    shown, hidden, hidden_time = "1", "2", "time.internal"
    ticket_path = "/Tickets"
    wrong: ClassVar[dict[str, str]] = {
        "user_name": "hub@nowhere.test",
        "secret": "not-it",
        "integration_code": "not-it",
        "queue_id": "99",
        "note_type": "99",
        "company_id": "99",
        "impersonate_id": "99",
    }
    cannot = frozenset(quality.of(autotask.Autotask).cannot)
    hosts = frozenset({"webservices5.autotask.test"})

    def start(self, time: Time) -> Simulator[Any]:
        tenant = AutotaskTenant(
            name="Deskside", domain=self.domain, companies={"175": "Northwind"}, people={"501": "Dora Desk"}
        )
        tenant.publish["4"] = "Internal & Co-Managed"
        return self.judged(AutotaskSimulator([tenant], base="https://webservices5.autotask.test", now=time))

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        tenant = AutotaskTenant(name="", domain=self.domain)
        return {
            "user_name": tenant.api_user,
            "secret": tenant.secret,
            "integration_code": tenant.integration_code,
            "hook_secret": "a-hook-secret",
            "company_id": "175",
            "queue_id": "8",
            "note_type": "1",
            "zone_lookup": f"{simulator.base}/ATServicesRest",
        }

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].secret = "another-one"

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        simulator.act(self.domain, "note", ticket=key, by=self.person, text=text, publish=int(visibility))

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        news = {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": int(key), "SequenceNumber": number}
        body = json.dumps(news).encode()
        return self.sign(simulator, body), body

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        return {"X-Hook-Signature": autotask_webhooks.signature("a-hook-secret", body)}

    def switch_off(self, simulator: Simulator[Any]) -> None:
        for hook in simulator.tenants[self.domain].hooks.values():
            hook["isActive"] = False

    def registered(self, simulator: Simulator[Any]) -> int:
        return len(simulator.tenants[self.domain].hooks)

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.watchers.clear()
        simulator.tenants[self.domain].tickets[key]["createDate"] = date

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.watchers.clear()
        simulator.tenants[self.domain].notes[key]["createDateTime"] = date

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        simulator.tenants[self.domain].inactive.append(f"status:{status}")


class TestConnectWise(Watched):
    connector = connectwise.ConnectWise
    contract = staticmethod(wire.connectwise)
    domain, person = "ledgerline.test", "lledger"
    statuses, priorities = ("16", "17"), ("3", "1")
    shown, hidden = "discussion", "internal"
    ticket_path = "/service/tickets"
    wrong: ClassVar[dict[str, str]] = {
        "company": "nobody",
        # A wrong public key is answered like a wrong private one.
        "private_key": "not-it",
        "client_id": "not-it",
        "member": "nobody",
        "company_id": "99",
        "board_id": "99",
    }
    hosts = frozenset({"na.myconnectwise.net", "api-na.myconnectwise.net"})

    def start(self, time: Time) -> Simulator[Any]:
        connectwise_signing._KEYS.clear()
        tenant = ConnectWiseTenant(
            name="Ledgerline",
            domain=self.domain,
            company="ledgerline",
            companies={"250": "Northwind"},
            people={"lledger": "Lena Ledger"},
            per_minute=10_000,
        )
        return self.judged(ConnectWiseSimulator([tenant], base="https://na.myconnectwise.net", now=time))

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        tenant = ConnectWiseTenant(name="", domain="", company="")
        return {
            "site": "na.myconnectwise.net",
            "company": "ledgerline",
            "public_key": tenant.public_key,
            "private_key": tenant.private_key,
            "client_id": tenant.client_id,
            "member": tenant.api_member,
            "company_id": "250",
            "board_id": "1",
        }

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].private_key = "another-one"

    def note(self, simulator: Simulator[Any], key: str, text: str, visibility: str) -> None:
        simulator.act(self.domain, "note", ticket=key, by=self.person, text=text, place=visibility)

    def hook(self, simulator: Simulator[Any], key: str, number: int) -> tuple[dict[str, str], bytes]:
        tenant = simulator.tenants[self.domain]
        news = {
            "MessageId": f"m{number}",
            "Action": "updated",
            "Type": "ticket",
            "ID": int(key),
            "Entity": "{}",
            "Metadata": {"key_url": simulator.key_url(tenant)},  # type: ignore[attr-defined]
        }
        body = json.dumps(news).encode()
        return self.sign(simulator, body), body

    def sign(self, simulator: Simulator[Any], body: bytes) -> dict[str, str]:
        key = simulator.tenants[self.domain].signing_key
        return {"x-content-signature": connectwise_signing.signature(key, body)}

    def switch_off(self, simulator: Simulator[Any]) -> None:
        for callback in simulator.tenants[self.domain].callbacks.values():
            callback["inactiveFlag"] = True

    def registered(self, simulator: Simulator[Any]) -> int:
        return len(simulator.tenants[self.domain].callbacks)

    def spoil_record(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.watchers.clear()
        simulator.tenants[self.domain].tickets[key]["_info"]["dateEntered"] = date

    def spoil_note(self, simulator: Simulator[Any], key: str, date: Any) -> None:
        simulator.watchers.clear()
        simulator.tenants[self.domain].notes[key]["dateCreated"] = date

    def switch_off_value(self, simulator: Simulator[Any], status: str) -> None:
        simulator.tenants[self.domain].boards["1"]["statuses"][status]["inactive"] = True

    def spoil_write(self, simulator: Simulator[Any], key: str) -> None:
        simulator.tenants[self.domain].ignores.append("status")
