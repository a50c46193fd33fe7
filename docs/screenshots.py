"""Take the pictures of the README from a running demonstration.

make demo                            (in one terminal)
make screenshots                     (in another)
make screenshots ARGS=var/pages      every page in both themes and three widths, each checked by axe
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("TICKETHUB_VAR") or HERE.parent / "var" / "demo")
AXE = HERE.parent / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
  const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']});
  return found.violations.map(each => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`);
}"""
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
        if len(sys.argv) > 1:
            faults = list(every_page(browser, base, state["told"], target))
            browser.close()
            print("\n".join([*faults, f"Pictures are in {target}; axe found {len(faults)} faults."]))
            sys.exit(1 if faults else 0)
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1360, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = context.new_page()
            log_in(page, base)
            page.screenshot(path=target / f"board-{scheme}.png")
            page.goto(f"{base}/tickets/{state['told']}/")
            page.screenshot(path=target / f"ticket-{scheme}.png")
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 1360, "height": 1000}, color_scheme=scheme)
            page = context.new_page()
            log_in(page, base, who="admin")
            page.goto(f"{base}/admin/hub/workflowversion/")
            page.locator("tr", has_text="Payroll P1").get_by_role("link", name="Build").click()
            page.screenshot(path=target / f"builder-{scheme}.png")
        browser.close()
    print(f"Pictures are in {target}.")


def every_page(browser: Browser, base: str, told: str, target: Path) -> Iterator[str]:
    """Pictures of every page of a manager; what axe finds by the rules of WCAG 2.2 AA."""
    ticket = f"/tickets/{told}/"
    pages = {"board": "/", "work": "/work/", "tickets": "/tickets/", "search": "/tickets/?q=printer"}
    pages |= {"totals": "/tickets/totals/", "new": "/tickets/new/", "vendors": "/vendors/", "sync": "/sync/"}
    pages |= {"notices": "/notices/", "account": "/account/", "permissions": "/permissions/", "ticket": ticket}
    pages |= {name: f"{ticket}{name}/" for name in ("edit", "fields", "audiences", "print")}
    for scheme in ("light", "dark"):
        for width in (390, 1366, 1920):
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
                bypass_csp=True,  # type: ignore[arg-type]
            )
            page = context.new_page()
            log_in(page, base)
            for name, url in pages.items():
                page.goto(f"{base}{url}")
                page.screenshot(path=target / f"{name}-{width}-{scheme}.png", full_page=True)
                page.add_script_tag(path=str(AXE))
                yield from (f"{url} {width} {scheme}: {fault}" for fault in page.evaluate(RUN))
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    yield f"{url} {width} {scheme}: wider than the screen"


def log_in(page: Page, base: str, *, who: str = "manager") -> None:
    page.goto(f"{base}/log-in/")
    page.get_by_label("E-mail address").fill(f"{who}@northwind.example")
    page.get_by_label("Password").fill("ticket-hub-demo")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{base}/")


if __name__ == "__main__":
    main()
