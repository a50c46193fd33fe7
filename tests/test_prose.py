"""The prose check reads what people read, and no code."""

from __future__ import annotations

from pathlib import Path

from docs import check_prose


def test_code_and_addresses_of_a_page_are_left_out() -> None:
    page = check_prose.page("# Set up\n\nRun `very unique`, [see](very-unique.md).\n\n```\nvery unique\n```\n")

    assert "unique" not in page
    assert "# Set up." in page
    assert page.count("\n") == 7


def test_only_texts_for_people_are_taken_from_code(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        'log("one")\n_("two %(name)s")\nngettext("%(n)d file", "%(n)d files", n)\nsentence(\n  "three")\n'
    )

    assert sorted(check_prose.texts_of(module)) == [(2, "two ……"), (3, "…… file"), (3, "…… files"), (5, "three")]


def test_a_fault_is_found_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Title\n\nIt is the\nthe same, `the the`.\n")

    [fault] = check_prose.faults(tmp_path)

    assert fault.startswith("README.md:3: lexical_illusions: ")
