"""Open pages that poll, for `tests.bench.console_load`: prints p95 in milliseconds, seconds, and the number of polls.

python -m tests.bench.console_polls PORT PATH CONSOLES SECONDS
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

ROUNDS = 8


async def _console(port: int, path: str, every: float, taken: list[float]) -> None:
    await asyncio.sleep(random.random() * every)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 204 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode())
        taken.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(max(0.0, every - (time.perf_counter() - began)))
    writer.close()


async def _all(port: int, path: str, consoles: int, every: float) -> list[float]:
    taken: list[float] = []
    await asyncio.gather(*(_console(port, path, every, taken) for _ in range(consoles)))
    return taken


def main() -> None:
    port, path, consoles, every = sys.argv[1:]
    began = time.perf_counter()
    taken = sorted(asyncio.run(_all(int(port), path, int(consoles), float(every))))
    sys.stdout.write(f"{taken[int(0.95 * len(taken))]} {time.perf_counter() - began} {len(taken)}\n")


if __name__ == "__main__":
    main()
