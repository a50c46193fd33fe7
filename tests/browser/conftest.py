"""A headless browser, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from hub.domain import undo
from tests.conftest import need

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

UNDO_SECONDS = 120
"""A browser on a busy machine may need more than the ten seconds that people get to undo something."""


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    need(chromium, "Chromium: apt-get install chromium, or set CHROMIUM to its path")
    need(
        (Path(settings.BASE_DIR) / "node_modules/.hub-static/vendor/htmx.min.js").exists(),
        "front-end packages: make test installs them",
    )
    monkeypatch.setattr(undo, "SECONDS", UNDO_SECONDS)
    # Playwright's loop runs in this thread; what Django does here is no async code all the same.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
