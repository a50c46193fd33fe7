"""Pages of the console, measured in one process, in this build and in 602caa8 alike.

    python -m tests.bench.console_pages 20 board.manager list.manager

Prints one line of JSON: for each page milliseconds of CPU (`python`, `database`), of time in all (`wall`), the number
of `queries` and of compressed `bytes`. The database is that of DATABASE_URL and must be on this machine.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

Figures = dict[str, float]
PAGES: Mapping[str, tuple[str, str]] = {
    "board.manager": ("manager", "/"),
    "list.manager": ("manager", "/tickets/"),
    "list.last": ("manager", "/tickets/?{last}"),
    "list.breached": ("manager", "/tickets/?show=breached"),
    "list.ended": ("manager", "/tickets/?show=ended"),
    "board.vendor": ("vendor3", "/"),
    "list.vendor": ("vendor3", "/tickets/"),
    "search.vendor": ("vendor3", "/tickets/?{anywhere}q=restarted"),
    "search.number": ("manager", "/tickets/?{anywhere}q=TH-{number}"),
    "search.remote": ("manager", "/tickets/?{anywhere}q=VN-{remote}"),
    "search.rare": ("manager", "/tickets/?{anywhere}q={rare}"),
    "search.common": ("manager", "/tickets/?{anywhere}q={common}"),
    "search.none": ("manager", "/tickets/?{anywhere}q=qqqxxxjjj"),
    "ticket.events": ("manager", "/tickets/{events}/"),
    "ticket.messages": ("manager", "/tickets/{messages}/"),
    "new": ("manager", "/tickets/new/"),
}
"""Who reads which page; both builds have them."""
OWN: Mapping[str, tuple[str, str]] = {
    "list.next": ("manager", "/tickets/?{next}"),
    "pinned": ("manager", "/views/pinned/"),
    "choices": ("manager", "/tickets/?edit=service"),
}
"""What 602caa8 has not."""
PINNED = 20


class Cpu:
    """Seconds of CPU that the sessions of the database have used, from /proc; without those of other processes."""

    def __init__(self, url: str) -> None:
        self.session = psycopg.connect(url, autocommit=True)

    def used(self) -> dict[int, float]:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return {pid: _seconds(pid) for (pid,) in self.session.execute(query)}


def _seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def measure(client: Any, path: str, times: int, cpu: Cpu) -> Figures:
    """One page, so many times after two that do not count."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    size = 0
    for _ in range(2):
        size = _read(client, path)
    before, spent, walls = cpu.used(), time.process_time(), []
    for _ in range(times):
        began = time.perf_counter()
        _read(client, path)
        walls.append(1000 * (time.perf_counter() - began))
    spent, after = time.process_time() - spent, cpu.used()
    database = sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
    with CaptureQueriesContext(connection) as queries:
        _read(client, path)
    return {
        "python": 1000 * spent / times,
        "database": 1000 * database / times,
        "wall": statistics.median(walls),
        "queries": sum(query["sql"] not in ("BEGIN", "COMMIT") for query in queries),
        "bytes": size,
    }


def _read(client: Any, path: str) -> int:
    """The compressed size of a page. RuntimeError unless it is there. Nothing that was kept helps."""
    from django.core.cache import cache

    cache.clear()
    answer = client.get(path)
    if answer.status_code not in (200, 204):
        raise RuntimeError(f"{path}: {answer.status_code}")
    return len(gzip.compress(answer.content, 6, mtime=0))


def names() -> dict[str, str]:
    """What stands for the words in braces of PAGES."""
    from hub.models import Leg, Ticket
    from tests.bench.build import IS_BEFORE
    from tests.bench.console_data import word_of

    tickets = Ticket.objects.order_by("-number")
    middle = tickets.filter(number__gte=9_000_000)[tickets.count() // 3]
    return {
        "last": f"page={-(-tickets.filter(phase__in=['new', 'active', 'waiting']).count() // 50)}"
        if IS_BEFORE
        else "before=end",
        "anywhere": "show=all&" if IS_BEFORE else "show=any&",
        "number": str(middle.number),
        "remote": str(Leg.objects.exclude(remote_number="").order_by("pk")[tickets.count() // 9].pk),
        "rare": middle.title.split()[-1],
        "common": "vpn" if IS_BEFORE else "vpn+restarted",
        "events": tickets.filter(title="Two hundred events").values_list("public_id", flat=True)[0],
        "messages": tickets.filter(title="Eight hundred messages").values_list("public_id", flat=True)[0],
        "word": word_of(middle.pk),
        **({} if IS_BEFORE else _own_names()),
    }


def _own_names() -> dict[str, str]:
    """Those of OWN; the manager gets views in the navigation."""
    from django.test import Client
    from django.utils import timezone

    from hub.models import SavedView, User, ViewPreference

    user = User.objects.get(email="manager@bench.test")
    for number in range(PINNED):
        query = f"priority=P{1 + number % 4}&sort=due" if number % 2 else f"holder.not=us&priority=P{1 + number % 4}"
        view, _made = SavedView.objects.get_or_create(owner=user, name=f"View {number:02}", defaults={"query": query})
        ViewPreference.objects.get_or_create(user=user, view=view, defaults={"pinned_at": timezone.now()})
    client = Client()
    client.force_login(user)
    found = re.search(r'rel="next" href="\?([^"]+)"', client.get("/tickets/").content.decode())
    if found is None:
        raise RuntimeError("The list has no second page.")
    return {"next": found[1].replace("&amp;", "&")}


def measured(times: int, pages: Sequence[str]) -> dict[str, Figures]:
    from django.test import Client

    from hub.models import User

    known, cpu, found = names(), Cpu(os.environ["DATABASE_URL"]), {}
    pages_of_both = {**PAGES, **OWN}
    for name in pages:
        who, path = pages_of_both[name]
        client = Client()
        client.force_login(User.objects.get(email=f"{who}@bench.test"))
        found[name] = measure(client, path.format_map(known), times, cpu)
    return found


def main() -> None:
    import django

    django.setup()
    from tests.bench.build import IS_BEFORE

    times, *pages = sys.argv[1:]
    if times == "data":
        from tests.bench import console_data, dataset

        dataset.start_sequences(int(1000 * time.time()))
        console_data.make(*map(int, pages))
        found: object = {}
    else:
        found = measured(int(times), pages or [*PAGES, *(() if IS_BEFORE else OWN)])
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
