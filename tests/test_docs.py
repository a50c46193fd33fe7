"""The pages tell the truth: every setting, command and connector has its heading, every link leads somewhere."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from connectors.engine.registry import connectors_by_slug
from connectors.kit import quality
from connectors.kit.conformance import Conformance
from docs import include
from hub.core.jobs import registered
from hub.models import EventKind
from workflows.rules.registry import ACTIONS, GUARDS, Kind
from workflows.rules.triggers import TRIGGERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "connectors").rglob("README.md")])


def headings(page: str) -> set[str]:
    return set(re.findall(r"^## (\S+)$", (ROOT / page).read_text(), re.MULTILINE))


def test_every_setting_has_its_heading() -> None:
    source = "".join((ROOT / "hub" / name).read_text() for name in ("settings.py", "core/environment.py"))
    names = set(re.findall(r"environment\.\w+\(\s*\"([A-Z_]+)\"", source))

    assert names == headings("docs/settings.md")


def first_column(page: str) -> list[str]:
    return re.findall(r"^\| `([\w.]+)` \|", (ROOT / page).read_text(), re.MULTILINE)


def test_every_kind_of_event_has_its_row() -> None:
    assert sorted(first_column("docs/events.md")) == sorted(EventKind.values)


def test_every_timed_job_has_its_row_with_its_queue() -> None:
    page = (ROOT / "docs" / "timed-jobs.md").read_text()

    assert sorted(first_column("docs/timed-jobs.md")) == sorted(registered())
    for job in registered().values():
        assert f"| `{job.name}` | {job.queue} |" in page


@pytest.mark.parametrize(("heading", "kinds"), [("Triggers", TRIGGERS), ("Guards", GUARDS), ("Actions", ACTIONS)])
def test_every_kind_of_a_rule_has_its_row_as_the_builder_shows_it(heading: str, kinds: dict[str, Kind]) -> None:
    section = (ROOT / "docs" / "workflow-rules.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+? \|(.*) \|$", section, re.MULTILINE)

    assert [(slug, label, re.findall(r"`(\w+)`", params)) for slug, label, params in rows] == [
        (kind.slug, str(kind.label), [param.name for param in kind.params]) for kind in kinds.values()
    ]


def test_every_command_has_its_heading() -> None:
    commands = {
        path.stem
        for folder in ("hub", "connectors", "console", "workflows", "worker")
        for path in (ROOT / folder / "management" / "commands").glob("[a-z]*.py")
    }

    assert commands == headings("docs/commands.md")


def test_every_connector_has_its_page_and_its_evidence() -> None:
    assert list(connectors_by_slug()) == ["alerts", "autotask", "connectwise", "email", "rest"]
    for slug, kind in connectors_by_slug().items():
        claim = quality.of(kind)
        assert claim.slug == slug
        assert (ROOT / "connectors" / slug / "README.md").is_file()
        for test in (claim.evidence, *claim.also.values()):
            path, _, name = test.partition("::")
            assert re.search(rf"^(class|def) {name}\b", (ROOT / path).read_text(), re.MULTILINE), test


def test_the_matrix_in_the_docs_shows_every_capability_and_nothing_that_failed() -> None:
    page = (ROOT / "docs" / "connectors.md").read_text()
    for capability in Conformance.capabilities():
        assert f"| {capability} |" in page
    for kind in connectors_by_slug().values():
        assert all(f"| {what} |" in page for what in quality.of(kind).also)
    assert "✗" not in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_in_a_page_is_the_code_that_runs(page: Path) -> None:
    text = page.read_text()

    assert include.included(text) == text, "python docs/include.py puts it right"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)\)", prose)
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert gone == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_makefile_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    assert targets - set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)) == set()


def test_every_module_that_the_upgrade_notes_lead_to_is_there() -> None:
    page = (ROOT / "docs" / "upgrading.md").read_text()
    rows = re.findall(
        r"^\| `([\w.]+)` \| (`.+`) \|$", page.partition("| was | is |")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert len(rows) > 80
    for old, new in rows:
        first, *others = re.findall(r"`([\w.]+)`", new)
        package = first.rpartition(".")[0]
        for module in (first, *(f"{package}{other}" if other.startswith(".") else other for other in others)):
            assert find_spec(module), f"{old} is said to be {module}"
