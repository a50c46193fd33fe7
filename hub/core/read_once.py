"""What never changes once it exists, such as a published version, is read once by each process."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_caches: list[Callable[[], None]] = []


def read_once(*, maxsize: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the results of a function that reads what never changes, by its arguments.

    The arguments must name the version, so that a new one is another entry: nothing is ever invalidated. At most
    `maxsize` results are kept, those used last. An exception is not kept.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(maxsize=maxsize)(function)
        _caches.append(cached.cache_clear)
        return cached  # type: ignore[return-value]

    return decorate


def forget() -> None:
    """Read everything again: for tests, which change such rows in place."""
    for clear in _caches:
        clear()
