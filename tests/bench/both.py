"""What is measured in this build and in 602caa8 alike, each in its own work tree and process.

    python -m tests.bench.both change 60

Prints one line of JSON. The database is that of DATABASE_URL; `data` makes the data set that all other parts need.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
Found = dict[str, float]


def data(contracts: int, tickets: int) -> Found:
    """Contracts of other organisations, a workflow with a transition of three guards and four actions, and tickets."""
    from tests.bench import dataset

    dataset.make(contracts, tickets)
    return {"contracts": contracts, "tickets": tickets}


def change(changes: int, rate: int) -> Found:
    """CPU of one change of a title at a given rate, from intake to sending, with web server and worker as processes."""
    from tests.bench import path
    from tests.bench.vendors import TwoVendors

    with TwoVendors(name=f" {os.getpid()}") as world, path.web(workers=1) as (port, server):
        egress = [each.base.removeprefix("http://") for each in world.simulators.values()]
        with path.worker(egress) as process, requests.Session() as http:
            for number in range(4):
                path.arrives(world, http, port, number)
            cpu, taken = path.Cpu(os.environ["DATABASE_URL"], [server.pid, process.pid]), []
            idle, since = cpu.used(), time.perf_counter()
            for number in range(10, 10 + changes):
                began = time.perf_counter()
                taken.append(path.arrives(world, http, port, number))
                path.until(lambda began=began: time.perf_counter() - began >= 1 / rate)
            used, seconds = cpu.used() - idle, time.perf_counter() - since
    return {"cpu_ms": 1000 * used / changes, "p50_ms": 1000 * statistics.median(taken), "rate": changes / seconds}


def sustained(changes: int, workers: int) -> Found:
    """Notes of five vendors that come faster than they can be passed on to five others."""
    from contextlib import ExitStack

    from tests.bench import path
    from tests.bench.vendors import TwoVendors

    with ExitStack() as stack:
        worlds = [stack.enter_context(TwoVendors(name=f" {os.getpid()} {number}")) for number in range(5)]
        egress = [each.base.removeprefix("http://") for world in worlds for each in world.simulators.values()]
        port, server = stack.enter_context(path.web(workers=1))
        http = stack.enter_context(requests.Session())
        processes = [stack.enter_context(path.worker(egress)) for _ in range(workers)]
        for world in worlds:
            path.arrives(world, http, port, 0)
        cpu = path.Cpu(os.environ["DATABASE_URL"], [server.pid, *(each.pid for each in processes)])
        began = time.perf_counter()
        for number in range(1, changes + 1):
            for world in worlds:
                world.add_note(number)
                path.post(world, http, port)
        total = changes * len(worlds)
        path.until(lambda: sum(map(_notes, worlds)) >= total, seconds=300)
        seconds = time.perf_counter() - began
        return {"rate": total / seconds, "cpu_ms": 1000 * cpu.used() / total}


def _notes(world: Any) -> int:
    notes = world.simulators["second"].tenants["second.test"].notes.values()
    return sum("Step " in note["description"] for note in list(notes))


def inline(changes: int) -> Found:
    """One change of a title, stored, read and sent in this thread: milliseconds of CPU and in all."""
    from tests.bench.vendors import TwoVendors

    with TwoVendors(name=f" inline {os.getpid()}") as world, _as_in_the_worker():
        for number in range(4):
            _through(world, number)
        cpu, all_ = [], []
        for number in range(10, 10 + changes):
            world.change_title(number)
            body = world.news()
            began, spent = time.perf_counter(), time.thread_time()
            world.call(body)
            world.read()
            world.send()
            cpu.append(1000 * (time.thread_time() - spent))
            all_.append(1000 * (time.perf_counter() - began))
    return {"cpu_ms": statistics.median(cpu), "ms": statistics.median(all_)}


@contextmanager
def _as_in_the_worker() -> Iterator[None]:
    from tests.bench.build import IS_BEFORE

    if IS_BEFORE:
        yield
        return
    from connectors.engine import rate_limits

    with rate_limits.passing_slots_on():
        yield


def _through(world: Any, number: int) -> None:
    world.change_title(number)
    world.call(world.news())
    world.read()
    world.send()


def verbs(times: int, events: int) -> Found:
    """A comment, a transition with four actions and an offer, on tickets with so many events: milliseconds each."""
    from hub.domain import tickets
    from tests.bench import dataset
    from tests.bench.build import comments, engagements, firing

    world, numbers, now = dataset.World(), count(), dataset.now

    def ticket() -> Any:
        made = tickets.open_ticket(title=f"Verb {next(numbers)}", service=world.service, actor=world.actor, at=now())
        dataset.add_events(made, events - 1)
        return type(made).objects.get(pk=made.pk)

    def fire(each: Any) -> None:
        done = firing.fire(ticket=each, verb="take", actor=world.actor, at=now())
        if len(done.done) != 4:
            raise RuntimeError(str(done.failed))

    acts: dict[str, Callable[[Any], object]] = {
        "comment": lambda each: comments.comment(ticket=each, body="Seen", actor=world.actor, at=now()),
        "transition": fire,
        "offer": lambda each: engagements.offer(ticket=each, organisation=world.vendor, actor=world.actor, at=now()),
    }
    found: Found = {}
    for name, act in acts.items():
        ready = [ticket() for _ in range(times + 2)]
        for each in ready:  # the first call of each kind keeps what the later ones start from
            comments.comment(ticket=each, body="Before", actor=world.actor, at=now())
        taken = []
        for each in ready:
            began = time.perf_counter()
            act(each)
            taken.append(1000 * (time.perf_counter() - began))
        found[name] = statistics.median(taken[2:])
    return found


def due_clocks(tickets: int) -> Found:
    """Clocks that fall due at the same time, stored by one thread."""
    from hub.models import Clock
    from tests.bench import dataset
    from tests.bench.build import fire_due_clocks

    dataset.overdue(tickets)
    at = datetime.now(UTC).replace(microsecond=0)
    due = Clock.objects.filter(next_fire_at__lte=at).count()
    began = time.perf_counter()
    fire_due_clocks(at)
    seconds, left = time.perf_counter() - began, Clock.objects.filter(is_breached=False, next_fire_at__lte=at).count()
    return {"clocks": due, "rate": due / seconds, "left": left}


def outbox(links: int, each: int, systems: int = 1, pause_ms: int = 0, hangs: int = 0) -> Found:
    """Notes that wait on many links, sent by the dispatcher in this process; a connector takes them at once.

    With `pause_ms`, each call takes as long; `hangs` more systems do not answer at all, and are not waited for.
    """
    from tests.bench import dataset
    from tests.bench.build import working_dispatcher

    done, total = threading.Event(), links * each * systems
    taken = dataset.instant_vendors(links, each, systems, pause_ms / 1000, hangs, total=total, done=done)
    worker = working_dispatcher(calls=50)
    thread = threading.Thread(target=worker.run)
    spent, began = time.process_time(), time.perf_counter()
    thread.start()
    is_done = done.wait(300)
    seconds, cpu = time.perf_counter() - began, time.process_time() - spent
    dataset.let_go()
    worker.stop()
    thread.join()
    if not is_done:
        raise RuntimeError(f"{len(taken)} of {total} were sent.")
    in_order = all(numbers == sorted(numbers) for numbers in dataset.by_link(taken).values())
    return {"rate": total / seconds, "cpu_ms": 1000 * cpu / total, "in_order": float(in_order)}


def story() -> Found:
    """CPU of the demo's story, with everything that it starts."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--once"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "DATABASE_URL": "", "TICKETHUB_VAR": os.environ["TICKETHUB_VAR"] + "/demo"},
    ) as process:
        status = process.wait(400)
    if status:
        raise RuntimeError(f"The demo ended with status {status}.")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": used.ru_utime + used.ru_stime}


def more(tickets: int) -> Found:
    """More tickets in the data set, by SQL."""
    from tests.bench import dataset

    dataset.clone(tickets)
    return {"tickets": tickets}


def contracts(added: int) -> Found:
    """More contracts that concern no ticket."""
    from tests.bench import dataset

    dataset.add_contracts(added)
    return {"contracts": added}


def imported() -> Found:
    """The history import as a multiple of COPY of the same rows."""
    from tests.bench import importing

    return {"ratio": importing.entry().ratio}


PARTS: dict[str, Callable[..., Found]] = {
    "data": data,
    "change": change,
    "sustained": sustained,
    "inline": inline,
    "verbs": verbs,
    "clocks": due_clocks,
    "outbox": outbox,
    "story": story,
    "more": more,
    "contracts": contracts,
    "import": imported,
}


def main() -> None:
    import django

    django.setup()
    from tests.bench import dataset

    dataset.start_sequences(int(1000 * time.time()))
    name, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(PARTS[name](*map(int, numbers))) + "\n")


if __name__ == "__main__":
    main()
