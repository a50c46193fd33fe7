"""The code of the how-to for settings does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "add-a-setting.md").read_text()
READING, USING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_setting_of_the_how_to_is_read_and_used(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    made: dict[str, Any] = {}
    exec(READING, made)
    assert made["GUEST_LINK_DAYS"] == 30

    monkeypatch.setenv("TICKETHUB_GUEST_LINK_DAYS", "7")
    exec(READING, made)
    exec(USING, made)
    settings.GUEST_LINK_DAYS = made["GUEST_LINK_DAYS"]
    assert made["days"]() == 7


def test_a_wrong_value_is_refused_with_the_message_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETHUB_GUEST_LINK_DAYS", "0")

    with pytest.raises(ImproperlyConfigured) as refused:
        exec(READING, {})

    assert str(refused.value) in PAGE.replace("\n  ", " ")
