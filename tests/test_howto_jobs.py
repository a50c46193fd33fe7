"""The code of the how-to for timed jobs does what the page says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.core import jobs
from hub.domain import tickets
from hub.domain.actors import Actor
from tests import factories
from worker import dispatcher
from workflows.handoffs import engagements, guest_links
from workflows.models import GuestLink

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "add-a-timed-job.md"

pytestmark = pytest.mark.django_db


def test_the_job_of_the_how_to_runs(agent: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_jobs", dict(jobs.registered()))  # the page's job ends with the test
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)
    at = datetime.now(UTC).replace(microsecond=0)
    ticket = tickets.open_ticket(title="Slow", actor=agent, at=at)
    leg = engagements.offer(ticket=ticket, organisation=factories.OrganisationFactory(), actor=agent, at=at)
    link = guest_links.open_for(leg, at=at)
    assert dispatcher.Job("revoke", link.pk) not in list(dispatcher.due())
    GuestLink.objects.update(expires_at=at - timedelta(days=1))

    assert dispatcher.Job("revoke", link.pk) in list(dispatcher.due())
    dispatcher.run(dispatcher.Job("revoke", link.pk))
    link.refresh_from_db()
    assert link.revoked_at is not None
    assert dispatcher.Job("revoke", link.pk) not in list(dispatcher.due())
    with pytest.raises(ValueError, match="There is a timed job named “revoke” already"):
        exec(code, {})
