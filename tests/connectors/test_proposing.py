"""What their labels probably mean: with its ground, and nothing doubtful folded away."""

from __future__ import annotations

import pytest

from connectors.engine.mapping import mapping_suggestions
from connectors.kit.contract import Choice
from connectors.wizard.forms.mapping import WordsForm


def proposed(label: str, **more: object) -> mapping_suggestions.StatusProposal:
    return mapping_suggestions.statuses([Choice(value="1", label=label, **more)])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "verb", "is_doubtful"),
    [
        ("Escalated: not resolved in time", "work", True),
        ("Not yet resolved", "", True),
        ("Unresolved", "", True),
        ("Unassigned", "", True),
        ("Nicht erledigt", "", True),
        ("Incomplete", "", True),
        ("Resolved, waiting for the customer", "wait", True),
        ("In progress", "work", False),
        ("Under investigation", "", False),
        ("Normal work", "", False),
        ("Returned as resolved", "return", False),
        ("Resolved", "done", False),
    ],
)
def test_a_label_that_denies_or_says_two_things_is_doubtful(label: str, verb: str, is_doubtful: bool) -> None:
    row = proposed(label)

    assert (row.verb, row.is_doubtful) == (verb, is_doubtful)


@pytest.mark.parametrize(
    ("row", "ground"),
    [
        (proposed("In progress"), "its name contains “progress”"),
        (proposed("Ended", is_closed=True), "it closes the ticket"),
        (proposed("On it", hint="Responded"), "the vendor's system marks it as “Responded”"),
        (proposed("Ready", hint="Resolved"), "the vendor's system marks it as “Resolved”"),
        (proposed("Mystery"), ""),
        (
            proposed("Escalated: not resolved in time"),
            "its name contains “escalat”, but the name also contains a negation",
        ),
    ],
)
def test_a_proposal_names_its_ground(row: mapping_suggestions.StatusProposal, ground: str) -> None:
    assert row.ground == ground


def test_nothing_doubtful_is_folded_away() -> None:
    labels = ("In progress", "Escalated: not resolved in time", "Resolved, waiting for the customer", "Resolved", "X")
    rows = mapping_suggestions.statuses([Choice(value=label, label=label) for label in labels])
    form = WordsForm(rows, {}, {}, [])

    assert [row["label"] for row in form.clear_rows()] == ["In progress", "Resolved"]
    assert [row["label"] for row in form.open_rows()] == [labels[1], labels[2], "X"]
