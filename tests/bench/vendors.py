"""Two simulated vendors engaged on the same ticket, for benches: what the first changes is sent to the second."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler

from django.conf import settings
from django.test import Client, override_settings

from connectors.autotask.simulator import Simulator, Tenant
from connectors.engine import vault
from connectors.kit.simulating import QuietServer
from connectors.models import Connection, Inbound, Link, Outbound
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Contract, Leg, Organisation, Ticket, Workflow
from tests import factories
from tests.bench.build import dispatcher, engagements, reading, sending, signature

SECRET = "hook-secret"
GOALS = {"resolve": {"P1": 4 * 3600, "P2": 8 * 3600, "P3": 72 * 3600}}


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _copy(row: Any, **changes: Any) -> Any:
    """A copy of a row that is not saved, with an id of its own."""
    fields = {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}
    kept = {name: value for name, value in fields.items() if name not in ("id", "public_id")}
    for name in changes:
        kept.pop(row._meta.get_field(name).attname, None)
    return type(row)(**kept, **changes)


class TwoVendors:
    """A ticket that two vendors work on, each in a simulated Autotask; `contracts` are published besides theirs.

    `name` tells several such worlds in one database apart.
    """

    def __init__(self, *, contracts: int = 0, name: str = "") -> None:
        self.contracts, self.name = contracts, name
        self.stack = ExitStack()
        self.numbers = count(1)

    def __enter__(self) -> Self:
        us = Organisation.objects.filter(is_us=True).first() or factories.UsFactory()
        self.agent_user = factories.member("agent", us)
        self.agent = Actor.person(self.agent_user, us)
        Workflow.objects.get_or_create(name="Standard", defaults={"is_default": True})
        if not Contract.objects.filter(kind="sla", organisation=us).exists():
            factories.contract(us, kind="sla", goals=GOALS)
        for _ in range(self.contracts):
            factories.contract(factories.OrganisationFactory(), kind="uc", goals=GOALS)
        self.ticket = tickets.open_ticket(title="VPN down", priority="P3", actor=self.agent, at=now())
        self.links = [self._engage(name) for name in ("first", "second")]
        return self

    def __exit__(self, *_error: object) -> None:
        self.stack.close()

    def _engage(self, name: str) -> Link:
        vendor = factories.OrganisationFactory(name=f"Vendor {name}{self.name}")
        factories.contract(vendor, kind="uc", goals=GOALS)
        made = self._connection(name, vendor)
        leg = engagements.offer(
            ticket=self.ticket, organisation=vendor, actor=self.agent, at=now(), is_lead=name == "first"
        )
        dispatcher.drain(most=3)
        simulator = self.simulators[name]
        link = Link.objects.select_related("connection", "leg").get(leg=leg)
        simulator.act(f"{name}.test", "set", ticket=link.remote_key, by="501", status=8)
        dispatcher.drain(most=3)
        Connection.objects.filter(pk=made.pk).update(poll_seconds=3600, next_poll_at=None)
        return link

    simulators: dict[str, Simulator] = {}

    def _connection(self, name: str, vendor: Organisation) -> Connection:
        tenant = Tenant(name=name, domain=f"{name}.test", companies={"175": "Northwind"}, people={"501": "Dora Desk"})
        tenant.statuses["15"] = "Returned"
        tenant.publish["4"] = "Internal & Co-Managed"
        server = QuietServer(("127.0.0.1", 0), _Silent)
        address = f"127.0.0.1:{server.server_port}"
        simulator = Simulator([tenant], base=f"http://{address}", now=lambda: datetime.now(UTC))
        server.set_app(simulator)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.stack.callback(server.server_close)
        self.stack.callback(server.shutdown)
        self.stack.enter_context(
            override_settings(EGRESS_ALLOW=[*settings.EGRESS_ALLOW, address], WRITES_PER_LINK_PER_HOUR=1_000_000)
        )
        self.simulators = {**self.simulators, name: simulator}
        made = Connection.objects.create(
            name=f"Autotask of {name}{self.name}",
            organisation=vendor,
            connector="autotask",
            state=Connection.State.ACTIVE,
            settings={
                "user_name": tenant.api_user,
                "company_id": "175",
                "queue_id": "8",
                "note_type": "1",
                "zone_lookup": f"{simulator.base}/ATServicesRest",
            },
            poll_seconds=0,
            share=100,
            cursor="2020-01-01T00:00:00Z",
        )
        vault.seal(made, {"secret": tenant.secret, "integration_code": tenant.integration_code, "hook_secret": SECRET})
        made.save()
        rules = factories.mapping(made).fields
        if name == "first":
            rules.filter(field="title").update(direction="both", authority="theirs")
        return made

    def multiply(self, count: int) -> list[str]:
        """So many more tickets with an engagement and a record at both vendors; the keys of the first one's records."""
        first = max(10_000_000, Ticket.objects.order_by("-number").values_list("number", flat=True)[0]) + 1
        tickets = Ticket.objects.bulk_create(_copy(self.ticket, number=first + n) for n in range(count))
        keys: list[str] = []
        for link in self.links:
            link.refresh_from_db()
            legs = Leg.objects.bulk_create(_copy(link.leg, ticket=ticket) for ticket in tickets)
            at = next(name for name, made in self.simulators.items() if made.base in str(link.connection.settings))
            records = self.simulators[at].tenants[f"{at}.test"].tickets
            links = []
            for number, leg in enumerate(legs):
                key, reference = str(900_000 + number), f"{link.reference}.{number}"
                records[key] = {**records[link.remote_key], "id": int(key), "externalID": reference}
                links.append(
                    _copy(
                        link,
                        leg=leg,
                        remote_key=key,
                        reference=reference,
                        agreed=link.agreed | {"reference": {"ours": reference, "theirs": reference}},
                    )
                )
            Link.objects.bulk_create(links)
            keys = keys or [each.remote_key for each in links]
        return keys

    # -- one change

    def change_title(self, number: int) -> None:
        """The first vendor, whose title counts, writes another one."""
        title = f"VPN down, step {number}"
        self.simulators["first"].act("first.test", "set", ticket=self.links[0].remote_key, by="501", title=title)

    def add_note(self, number: int) -> None:
        """The first vendor writes a note that everybody engaged may read."""
        self.simulators["first"].act(
            "first.test", "note", ticket=self.links[0].remote_key, by="501", text=f"Step {number}", publish=4
        )

    def news(self) -> bytes:
        """The body of the first vendor's next hook."""
        change = {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": int(self.links[0].remote_key)}
        return json.dumps(change | {"SequenceNumber": next(self.numbers)}).encode()

    def news_of(self, key: str) -> bytes:
        """The body of a hook about another record of the first vendor."""
        change = {"Action": "Update", "Guid": "g", "EntityType": "Ticket", "Id": int(key)}
        return json.dumps(change | {"SequenceNumber": next(self.numbers)}).encode()

    def call(self, body: bytes) -> None:
        """The first vendor calls the hub."""
        answer = Client().post(
            f"/hooks/{self.links[0].connection.public_id}/",
            body,
            content_type="application/json",
            headers={"X-Hook-Signature": signature(SECRET, body)},
        )
        if answer.status_code != 202:
            raise RuntimeError(f"The hook was answered with {answer.status_code}.")

    def read(self) -> None:
        """Read the hook that came last."""
        row = Inbound.objects.order_by("-pk").values_list("pk", flat=True).first()
        assert row is not None
        reading.read(inbound_id=row)

    def send(self) -> None:
        """Send to the second vendor what the change means for it."""
        if sending.send(link_id=self.links[1].pk) != 1:
            waiting = list(Outbound.objects.filter(link=self.links[1]).values_list("kind", "state", "error"))
            raise RuntimeError(f"One item should have been sent; the queue holds {waiting}.")
