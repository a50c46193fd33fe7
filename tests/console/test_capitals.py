"""A label at the start of a sentence keeps its own capitals: German nouns, and names such as E-Mail."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_shown_label_is_lowered() -> None:
    """`str.capitalize` lowers the rest of a text; `capfirst` only raises its first letter."""
    lowered = [
        path.relative_to(ROOT).as_posix()
        for app in ("hub", "workflows", "connectors", "console", "api", "worker")
        for path in (ROOT / app).rglob("*.py")
        if re.search(r"_display\(\)\)?\.capitalize\(\)", path.read_text())
    ]

    assert lowered == []
