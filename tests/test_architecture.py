"""The house: who imports whom, which words stay where, no migration forgotten."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from hub.management.commands.makemigrations import WithoutWords

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("hub", "workflows", "connectors", "worker", "console", "api", "fixtures")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]


def test_left_may_import_right_never_back() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", ["hub", "workflows", "connectors/kit", "connectors/engine", "connectors/models"])
def test_no_vendors_name_stands_above_its_connector(folder: str) -> None:
    # "rest", "email" and "alerts" are words, and no vendors.
    vendors = [path.parent.name for path in (ROOT / "connectors").glob("*/connector.py")]
    vendors = [name for name in vendors if name not in ("rest", "email", "alerts")]
    assert "autotask" in vendors
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in vendors
        if re.search(name, path.read_text(), re.IGNORECASE)
    ]

    assert found == []


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_states_are_never_updated_past_the_law() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources(*PACKAGES)
        for line in path.read_text().splitlines()
        if re.search(r"\.update\(.*\b(phase|stage)=", line)
    ]

    assert found == []


def test_nothing_committed_names_a_registry_or_a_path_of_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not listed:
        pytest.skip("not a git checkout: run the suite from a clone")
    pattern = re.compile(
        r"--(extra-)?index-url|\"resolved\": *\"http|/(root|work)/[A-Za-z.]|registry\.npmjs|pypi\.org/simple"
    )
    found = [
        name
        for name in listed
        if name != "tests/test_architecture.py"
        and (ROOT / name).is_file()
        and (ROOT / name).suffix not in (".png",)
        and pattern.search((ROOT / name).read_text(errors="replace"))
    ]

    assert found == []


def _detected(**changes: Any) -> dict[str, Any]:
    """The migrations that a change of the field `Ticket.title` leads to, by app."""
    before, after = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    title = after.models["hub", "ticket"].fields["title"].clone()
    for name, value in changes.items():
        setattr(title, name, value)
    after.models["hub", "ticket"].fields["title"] = title
    return WithoutWords(before, after).changes(graph=MigrationLoader(None).graph)


def test_another_label_needs_no_migration_and_another_length_does() -> None:
    assert _detected(verbose_name="subject", help_text="What it is about.") == {}
    assert set(_detected(max_length=300)) == {"hub"}
