"""Threads that run what is submitted in order of arrival, except that urgent work overtakes everything else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count

URGENT, IN_TURN, LAST = range(3)


@dataclass(order=True)
class _Entry:
    rank: int
    number: int
    future: Future[bool] = field(compare=False)
    call: Callable[[], bool] | None = field(compare=False)
    """None ends the thread that takes it."""


class Threads:
    """A fixed number of threads, started when there is work for them."""

    def __init__(self, most: int, *, name: str) -> None:
        self.most, self.name = most, name
        self.waiting: queue.PriorityQueue[_Entry] = queue.PriorityQueue()
        self.numbers = count()
        self.threads: list[threading.Thread] = []

    def submit(self, call: Callable[[], bool], *, is_urgent: bool = False) -> Future[bool]:
        """Run the call in a thread; its future can be cancelled until the call begins."""
        future: Future[bool] = Future()
        self.waiting.put(_Entry(URGENT if is_urgent else IN_TURN, next(self.numbers), future, call))
        if len(self.threads) < self.most:
            self.threads.append(threading.Thread(target=self._work, name=f"{self.name}-{len(self.threads)}"))
            self.threads[-1].start()
        return future

    def cancel(self) -> None:
        """Cancel what has not begun."""
        while True:
            try:
                self.waiting.get_nowait().future.cancel()
            except queue.Empty:
                return

    def stop(self) -> None:
        """Let what has begun end, cancel the rest, and end the threads."""
        self.cancel()
        for _thread in self.threads:
            self.waiting.put(_Entry(LAST, next(self.numbers), Future(), None))
        for thread in self.threads:
            thread.join()
        self.threads = []

    def _work(self) -> None:
        while True:
            entry = self.waiting.get()
            if entry.call is None:
                return
            if entry.future.set_running_or_notify_cancel():
                try:
                    result = entry.call()
                except BaseException as error:
                    entry.future.set_exception(error)
                else:
                    entry.future.set_result(result)
