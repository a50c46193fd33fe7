"""A system reached by a profile, through the whole engine; the profile's versions; its pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.rest import simulator as double
from hub.domain.actors import Actor
from tests.connectors.rest import journey

pytestmark = pytest.mark.django_db


def test_the_journey_on_the_double(agent: Actor, settings: Any) -> None:
    tenant = double.Tenant(domain="redmine.test", people={"7": "Rita Red"})
    app = double.Simulator([tenant], base="http://127.0.0.1", now=lambda: datetime.now(UTC))
    with journey.serving(app, settings) as server:
        connection = journey.connected(server, key=tenant.api_key, project="1")
        journey.travel(server, connection, app, "redmine.test", agent)
