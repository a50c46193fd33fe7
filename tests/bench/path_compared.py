"""The rows of `make bench ONLY=path` that are measured with `tests.bench.both`, most of them beside 602caa8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.bench import path
from tests.bench.before import Build
from tests.bench.path import Row

Found = dict[str, float]


@dataclass(frozen=True)
class Pair:
    """Both builds, each with a copy of one data set."""

    before: Build
    today: Build
    url: str
    """A database on the server that may be used; others are made beside it."""
    folder: str
    size: int
    """1, or 10 for `SIZE=full`."""
    rounds: int

    def database(self, name: str, *, like: str = "") -> str:
        """The URL of a new database, empty or a copy of another."""
        with psycopg.connect(self.url, autocommit=True) as session:
            template = sql.SQL(" TEMPLATE {}").format(sql.Identifier(like)) if like else sql.SQL("")
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + template)
        at = conninfo_to_dict(self.url)
        login = f"{at.get('user', '')}:{at['password']}" if at.get("password") else at.get("user", "")
        return f"postgresql://{login}@{at['host']}:{at.get('port', 5432)}/{name}"

    def drop(self, name: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def prepare(self) -> tuple[str, str]:
        """The data set in 602caa8's schema, and its migrated copy; both URLs."""
        old = self.database("bench_before")
        self.before.migrate(old, self.folder)
        self.before.measure("data", 250, 10_000, url=old, var=self.folder)
        new = self.database("bench_today", like="bench_before")
        self.today.migrate(new, self.folder)
        with psycopg.connect(new, autocommit=True) as session:  # nothing waits for the search index; see `dataset.copy`
            session.execute("UPDATE hub_ticket SET is_indexed = true")
        return old, new

    def turns(
        self, part: str, less: Sequence[int], more: Sequence[int], urls: tuple[str, str], *, rounds: int = 0
    ) -> Iterator[tuple[Found, Found]]:
        """Both builds in turn; 602caa8 with the lesser load."""
        for _ in range(rounds or self.rounds):
            before = self.before.measure(part, *less, url=urls[0], var=self.folder)
            yield before, self.today.measure(part, *more, url=urls[1], var=self.folder)


def _ratio(values: Sequence[float]) -> str:
    return f"{path.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def changes(pair: Pair, urls: tuple[str, str]) -> Iterator[Row]:
    """CPU of one change, and how many a second are passed on."""
    found = list(pair.turns("change", [10, 5], [60 * pair.size, 5], urls))
    shares = [now["cpu_ms"] / then["cpu_ms"] for then, now in found]
    yield Row(
        "one change at 5 a second, from intake to sending: CPU, hub and PostgreSQL",
        f"{path.median([now['cpu_ms'] for _then, now in found]):.0f} ms",
        f"602caa8: {path.median([then['cpu_ms'] for then, _now in found]):.0f} ms",
        f"a fifth of 602caa8's: {_ratio(shares)}",
        path.median(shares) <= 0.2,
    )
    found = list(pair.turns("sustained", [4, 1], [40 * pair.size, 2], urls, rounds=min(3, pair.rounds)))
    rates = [now["rate"] for _then, now in found]
    times = [now["rate"] / then["rate"] for then, now in found]
    yield Row(
        "sustained, five vendors, two workers",
        f"{_ratio(rates)} a second, CPU {path.median([now['cpu_ms'] for _then, now in found]):.0f} ms each",
        f"602caa8: {path.median([then['rate'] for then, _now in found]):.1f} a second",
        f"40 a second or 5 times 602caa8's: {_ratio(times)}",
        path.median(rates) >= 40 or path.median(times) >= 5,
    )


def acts(pair: Pair, urls: tuple[str, str]) -> Iterator[Row]:
    """A comment, a transition and an offer: beside 602caa8, and as contracts and events grow."""
    found = list(pair.turns("verbs", [4, 20], [20, 20], urls))
    names = {"comment": "a comment", "transition": "a transition with 3 guards and 4 actions", "offer": "an offer"}
    for name, label in names.items():
        shares = [now[name] / then[name] for then, now in found]
        yield Row(
            f"{label}, 250 contracts",
            f"{path.median([now[name] for _then, now in found]):.0f} ms",
            f"602caa8: {path.median([then[name] for then, _now in found]):.0f} ms",
            f"a quarter of 602caa8's: {_ratio(shares)}",
            path.median(shares) <= 0.25,
        )
    few = pair.database("bench_few")
    pair.today.migrate(few, pair.folder)
    pair.today.measure("data", 2, 0, url=few, var=pair.folder)
    many = pair.database("bench_many", like="bench_few")
    pair.today.measure("contracts", 1998, url=many, var=pair.folder)
    grown = []
    for _ in range(pair.rounds):
        one, other, long = (
            pair.today.measure("verbs", 20, events, url=url, var=pair.folder)
            for url, events in ((few, 20), (many, 20), (few, 2000))
        )
        grown.append((one, other, long))
    for name, label in names.items():
        for at, what in ((1, "2 to 2,000 contracts"), (2, "20 to 2,000 events")):
            growth = [each[at][name] / each[0][name] for each in grown]
            yield Row(
                f"{label}: from {what}",
                f"{path.median([each[at][name] for each in grown]):.0f} ms",
                f"{path.median([each[0][name] for each in grown]):.0f} ms",
                f"1.15 times: {_ratio(growth)}",
                path.median(growth) <= 1.15,
            )
    pair.drop("bench_many")
    pair.drop("bench_few")


def clocks(pair: Pair, urls: tuple[str, str]) -> Iterator[Row]:
    """Clocks that fall due together, beside 602caa8."""
    found = list(pair.turns("clocks", [150], [1500 * pair.size], urls))
    times = [now["rate"] / then["rate"] for then, now in found]
    rates = [now["rate"] for _then, now in found]
    yield Row(
        f"{found[0][1]['clocks']:.0f} clocks due at once",
        f"{_ratio(rates)} a second",
        f"602caa8: {path.median([then['rate'] for then, _now in found]):.0f} a second",
        f"600 a second or 37 times 602caa8's, none left: {_ratio(times)}",
        (path.median(rates) >= 600 or path.median(times) >= 37) and not any(now["left"] for _then, now in found),
    )


def outbox(pair: Pair, urls: tuple[str, str]) -> Iterator[Row]:
    """Many links with something to send; then calls that take 100 ms, and a vendor that hangs."""
    for links, each, what in ((1000, 1, "one row per link"), (100, 100, "100 rows per link")):
        [(then, now)] = pair.turns("outbox", [links // 10, each], [links * pair.size, each], urls, rounds=1)
        times = now["rate"] / then["rate"]
        yield Row(
            f"outbox, {links * pair.size:,} links, {what}",
            f"{now['rate']:.0f} a second, CPU {now['cpu_ms']:.1f} ms each",
            f"602caa8: {then['rate']:.0f} a second, CPU {then['cpu_ms']:.1f} ms each",
            f"10 times 602caa8's, in order: {times:.1f}",
            times >= 10 and now["in_order"] == 1,
        )
    alone, beside = [], []
    for _ in range(3):
        for rates, hangs in ((alone, 0), (beside, 1)):
            numbers = (60, 1, 5, 100, hangs)
            rates.append(pair.today.measure("outbox", *numbers, url=urls[1], var=pair.folder)["rate"])
    yield Row(
        "vendor calls of 100 ms, 50 in flight",
        f"{_ratio(alone)} a second",
        "calls in flight divided by latency: 500 a second",
        f"0.85 of it: {path.median(alone) / 500:.2f}",
        path.median(alone) >= 0.85 * 500,
    )
    lost = [1 - one / other for one, other in zip(beside, alone, strict=True)]
    yield Row(
        "the same beside a vendor that hangs",
        f"{_ratio(beside)} a second",
        f"{path.median(alone):.0f} a second without",
        f"the others lose under 5 %: {100 * path.median(lost):.1f} %",
        path.median(lost) < 0.05,
    )


def million(pair: Pair, urls: tuple[str, str]) -> Iterator[Row]:
    """One change in a hub with a million tickets."""
    large = pair.database("bench_million", like="bench_today")
    pair.today.measure("more", 990_000, url=large, var=pair.folder)
    ratios, found = [], []
    for _ in range(pair.rounds):
        one, other = (pair.today.measure("inline", 40, url=url, var=pair.folder) for url in (urls[1], large))
        ratios.append(other["ms"] / one["ms"])
        found.append((one["ms"], other["ms"]))
    pair.drop("bench_million")
    yield Row(
        "one change with a million tickets",
        f"{path.median([each[1] for each in found]):.1f} ms",
        f"with ten thousand: {path.median([each[0] for each in found]):.1f} ms",
        f"1.15 times: {_ratio(ratios)}",
        path.median(ratios) <= 1.15,
    )


def imports(pair: Pair, _urls: tuple[str, str]) -> Iterator[Row]:
    """The history import beside COPY of the same rows."""
    url = pair.database("bench_import")
    pair.today.migrate(url, pair.folder)
    ratio = pair.today.measure("import", url=url, var=pair.folder)["ratio"]
    pair.drop("bench_import")
    yield Row("history import", f"{ratio:.1f} times", "COPY of the same rows", "8 times", ratio <= 8)


def embedded(pair: Pair, _urls: tuple[str, str]) -> Iterator[Row]:
    """One change on SQLite, and the demo's story."""
    urls = []
    for build in (pair.before, pair.today):
        urls.append(f"sqlite:///{pair.folder}/{build.name}.sqlite3")
        build.migrate(urls[-1], pair.folder)
    found = list(pair.turns("inline", [20], [40], (urls[0], urls[1])))
    shares = [now["ms"] / then["ms"] for then, now in found]
    yield Row(
        "SQLite: one change, stored, read and sent",
        f"{path.median([now['ms'] for _then, now in found]):.0f} ms",
        f"602caa8: {path.median([then['ms'] for then, _now in found]):.0f} ms",
        f"a third of 602caa8's: {_ratio(shares)}",
        path.median(shares) <= 1 / 3,
    )
    [(then, now)] = pair.turns("story", [], [], (urls[0], urls[1]), rounds=1)
    share = now["cpu_s"] / then["cpu_s"]
    yield Row(
        "SQLite: make demo ONCE=1",
        f"{now['cpu_s']:.0f} s of CPU",
        f"602caa8: {then['cpu_s']:.0f} s of CPU",
        f"0.6 of 602caa8's: {share:.2f}",
        share <= 0.6,
    )


PARTS: Sequence[Callable[[Pair, tuple[str, str]], Iterator[Row]]] = (
    changes,
    acts,
    clocks,
    outbox,
    million,
    imports,
    embedded,
)
