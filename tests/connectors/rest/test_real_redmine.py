"""The Redmine profile on a real Redmine: the whole conformance suite, and a journey both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.kit.conformance import Time
from connectors.kit.simulating import Simulator
from hub.domain.actors import Actor
from tests.connectors.rest import journey, real_redmine, test_redmine
from tests.connectors.rest.real_redmine import Puma, Redmine

FOUND = real_redmine.settings()
# By a mark, so that each test is there to be named: connector_matrix asks for one of them.
pytestmark = pytest.mark.skipif(
    not FOUND, reason="no Redmine runs here: start one with ../shared/peers/start-redmine.sh"
)


class TestRealRedmine(test_redmine.TestRedmine):
    """The same on a real Redmine: ../shared/peers/start-redmine.sh starts one."""

    many = (130, 230)
    cannot = test_redmine.TestRedmine.cannot | {"clock", "spoilt_record", "false_yes"}

    def start(self, time: Time) -> Simulator[Any]:
        return Redmine(FOUND, domain=self.domain, now=time)

    def values(self, simulator: Simulator[Any]) -> dict[str, str]:
        tenant = simulator.tenants[self.domain]
        return {
            "address": simulator.base,
            "api_key": tenant.key,
            "project": tenant.project,
            "tracker": "3",
            "reference_field": simulator.reference_field,
        }  # type: ignore[attr-defined]

    def lock_out(self, simulator: Simulator[Any]) -> None:
        simulator.tenants[self.domain].is_locked = True


@pytest.mark.django_db
@pytest.mark.skipif(bool(Puma.cannot()), reason=Puma.cannot() or "-")
def test_the_journey_on_a_real_redmine_that_restarts_in_the_middle(agent: Actor, settings: Any) -> None:
    """The hub speaks to the very process, with nothing between; that process ends and comes again on the way."""
    puma = Puma()
    try:
        first = puma.process.pid
        settings.EGRESS_ALLOW = [f"127.0.0.1:{puma.port}"]
        app = Redmine({**FOUND, "REDMINE_URL": puma.url}, domain="redmine.test", now=lambda: datetime.now(UTC))
        tenant = app.tenants["redmine.test"]
        connection = journey.connected(puma, key=tenant.key, project=tenant.project, field=app.reference_field)
        journey.travel(puma, connection, app, "redmine.test", agent)
        assert puma.process.pid != first
    finally:
        puma.stop()
