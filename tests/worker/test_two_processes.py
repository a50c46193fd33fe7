"""What one process publishes counts for the next change in every other process, whatever these keep in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("own_database")

ROOT = Path(__file__).resolve().parents[2]

SETUP = """
import sys, django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from connectors.models import Connection
from hub.models import Workflow
from tests import factories
us = factories.UsFactory()
factories.member("agent", us)
factories.contract(us, kind="sla", goals={"resolve": {"P3": 3600}})
connection = Connection.objects.create(name="Desk", organisation=factories.OrganisationFactory(), connector="autotask",
                                       state="active")
factories.mapping(connection)
"""

KEEPS = """
import sys, django; django.setup()
from connectors.engine import mapping
from connectors.models import Connection
from hub.core.clock import now
from hub.domain import tickets
from hub.domain.actors import Actor
from hub.models import Clock, Organisation, User
actor = Actor.person(User.objects.get(), Organisation.objects.get(is_us=True))
while True:
    ticket = tickets.open_ticket(title="T", priority="P3", actor=actor, at=now())
    goal = Clock.objects.get(ticket=ticket, target="resolve").goal_seconds
    print(goal, mapping.published(Connection.objects.get()).value_out("priority", "P3"), flush=True)
    if not sys.stdin.readline():
        break
"""

PUBLISHES = """
import django; django.setup()
from connectors.engine.operations import publishing
from connectors.models import Mapping, ValueRule
from hub.domain import policies
from hub.models import Contract, Target
contract = policies.new_contract_version(Contract.objects.get())
Target.objects.filter(contract=contract).update(goal_seconds=7200)
policies.publish_contract(contract)
draft = publishing.new_mapping_version(Mapping.objects.get())
ValueRule.objects.filter(mapping=draft, field="priority", ours="P3").update(theirs="9")
publishing.publish_mapping(draft)
"""


def test_a_publication_counts_at_once_in_a_process_that_has_read_the_version_before(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/hub.sqlite3",
        "TICKETHUB_VAR": str(tmp_path),
    }

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, timeout=300)

    run(SETUP)
    keeps = subprocess.Popen(
        [sys.executable, "-c", KEEPS], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert keeps.stdin is not None
    assert keeps.stdout is not None
    try:
        said = [keeps.stdout.readline().strip()]
        for code in ("", PUBLISHES):
            if code:
                run(code)
            keeps.stdin.write("\n")
            keeps.stdin.flush()
            said.append(keeps.stdout.readline().strip())
    finally:
        keeps.kill()
        keeps.communicate()
    assert said == ["3600 2", "3600 2", "7200 9"]
