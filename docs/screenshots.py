"""Take the pictures of the README from a running demonstration.

make demo            (in one terminal)
make screenshots     (in another)
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("TICKETHUB_VAR") or HERE.parent / "var" / "demo")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is missing: apt-get install chromium, or set CHROMIUM to its path.")
    state = json.loads((VAR / "demo.json").read_text())
    base = f"http://127.0.0.1:{state['web']}"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "images"
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1360, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = context.new_page()
            log_in(page, base)
            page.screenshot(path=target / f"board-{scheme}.png")
            page.goto(f"{base}/tickets/{state['told']}/")
            page.screenshot(path=target / f"ticket-{scheme}.png")
            if len(sys.argv) > 1:
                page.screenshot(path=target / f"ticket-full-{scheme}.png", full_page=True)
                page.goto(f"{base}/tickets/")
                page.screenshot(path=target / f"tickets-{scheme}.png")
                page.goto(f"{base}/sync/")
                page.screenshot(path=target / f"sync-{scheme}.png")
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 1360, "height": 1000}, color_scheme=scheme)
            page = context.new_page()
            log_in(page, base, who="admin")
            page.goto(f"{base}/admin/hub/workflowversion/")
            page.locator("tr", has_text="Payroll P1").get_by_role("link", name="Build").click()
            page.screenshot(path=target / f"builder-{scheme}.png")
        browser.close()
    print(f"Pictures are in {target}.")


def log_in(page: Page, base: str, *, who: str = "manager") -> None:
    page.goto(f"{base}/log-in/")
    page.get_by_label("E-mail address").fill(f"{who}@northwind.example")
    page.get_by_label("Password").fill("ticket-hub-demo")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{base}/")


if __name__ == "__main__":
    main()
