"""The code of the how-to for timed jobs does what the page says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.core import jobs
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import EventKind
from tests import factories
from worker import dispatcher
from workflows.handoffs import engagements, guest_links
from workflows.models import GuestLink

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "add-a-timed-job.md"

pytestmark = pytest.mark.django_db


def test_the_job_of_the_how_to_runs_once(agent: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", dict(jobs.registered()))  # the page's job ends with the test
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(code, {})
    at = datetime.now(UTC).replace(microsecond=0)
    began = at - timedelta(days=40)
    ticket = tickets.open_ticket(title="Slow", actor=agent, at=began)
    leg = engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=began)
    link = guest_links.open_for(leg, at=began)
    GuestLink.objects.update(expires_at=at + timedelta(days=50))
    job = dispatcher.Job("close_guest_links", leg.pk)
    assert job not in list(dispatcher.due())
    engagements.recall(leg=leg, reason="", actor=agent, at=at - timedelta(days=31))

    assert job in list(dispatcher.due())
    dispatcher.run(job)
    link.refresh_from_db()
    assert link.revoked_at is not None
    assert job not in list(dispatcher.due())
    dispatcher.run(job)
    assert ticket.events.filter(kind=EventKind.DOOR_CLOSED).count() == 1
    with pytest.raises(ValueError, match="A timed job named “close_guest_links” is already registered"):
        exec(code, {})
