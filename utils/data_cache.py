"""Keep what was fetched or processed for a while, and let many askers share one computation."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

import cachetools

from utils.sizes import Emptied, bytes_of

T = TypeVar("T")


class _Shelf(cachetools.TTLCache[Hashable, Any]):
    """A TTL and LRU shelf that counts what it gives away."""

    evictions = 0
    expirations = 0

    def popitem(self) -> tuple[Hashable, Any]:
        """Give away the entry that was unused longest."""
        self.evictions += 1
        return super().popitem()

    def expire(self, time: float | None = None) -> list[tuple[Hashable, Any]]:
        """Give away what is too old."""
        expired = list(super().expire(time))
        self.expirations += len(expired)
        return expired


class DataCache:
    """Fetched and processed data in memory.

    Key: whatever the asker says names the data completely (any hashable).
    How long: `ttl_seconds` from the moment it was put in. How many: `max_size`, the one unused longest goes first.
    Who clears it: `clear()` (the memory watch and the system page), and every `configure()`.
    """

    def __init__(
        self,
        ttl_seconds: float = 300.0,
        max_size: int = 100,
        is_enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty; `clock` tells seconds that never run back."""
        self._lock = threading.Lock()
        self._clock = clock
        self._emptied: Emptied | None = None
        self.configure(ttl_seconds, max_size, is_enabled)

    def configure(self, ttl_seconds: float, max_size: int, is_enabled: bool) -> None:
        """Start anew with these limits: entries and statistics are gone."""
        with self._lock:
            self._shelf = _Shelf(max_size, ttl_seconds, timer=self._clock)
            self._bytes: dict[Hashable, int] = {}  # of each entry, and of some that have left since
            self._is_enabled = is_enabled
            self._running: dict[Hashable, Future[Any]] = {}
            self._hits = self._misses = 0

    def get_or_compute(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the kept value, or compute and keep it; who asks meanwhile waits for that one computation.

        An error goes to every waiter and is not kept. `compute` must not ask for its own key.
        """
        with self._lock:
            found, value = self._look_up(key)
            if found:
                return cast("T", value)
            running = self._running.get(key) if self._is_enabled else None
            if running is None:
                mine: Future[Any] = Future()
                if self._is_enabled:
                    self._running[key] = mine
        if running is not None:
            return cast("T", running.result())
        return self._compute(key, compute, mine)

    def get(self, key: Hashable, default: T | None = None) -> Any | T | None:
        """Return the kept value, or `default`."""
        with self._lock:
            found, value = self._look_up(key)
        return value if found else default

    def set(self, key: Hashable, value: object) -> None:
        """Keep `value` under `key`; without effect while the cache is off."""
        size_bytes = bytes_of(value)
        with self._lock:
            if self._is_enabled:
                self._put(key, value, size_bytes)

    def clear(self) -> Emptied:
        """Forget every entry and tell what went; what is being computed now reaches its askers but is not kept."""
        with self._lock:
            self._emptied = emptied = Emptied(len(self._shelf), self._held_bytes())
            self._shelf.clear()
            self._bytes.clear()
            self._running = {}
        return emptied

    def get_stats(self) -> dict[str, Any]:
        """Return counts since the start and what is held.

        `hit_rate` is a share of 1, 0 before the first question; `emptied` tells what went with the last `clear`.
        """
        with self._lock:
            self._shelf.expire()
            asked = self._hits + self._misses
            return {
                "size_bytes": self._held_bytes(),
                "emptied": self._emptied,
                "hits": self._hits,
                "misses": self._misses,
                "hit_rate": self._hits / asked if asked else 0.0,
                "size": len(self._shelf),
                "max_size": int(self._shelf.maxsize),
                "ttl_seconds": float(self._shelf.ttl),
                "evictions": self._shelf.evictions,
                "expirations": self._shelf.expirations,
                "is_enabled": self._is_enabled,
            }

    def _look_up(self, key: Hashable) -> tuple[bool, Any]:
        try:
            value = self._shelf[key]
        except KeyError:
            self._misses += 1
            return False, None
        self._hits += 1
        return True, value

    def _put(self, key: Hashable, value: object, size_bytes: int) -> None:
        self._shelf[key] = value
        self._bytes[key] = size_bytes
        if len(self._bytes) > 2 * self._shelf.maxsize:
            self._held_bytes()

    def _held_bytes(self) -> int:
        """Return the bytes of what is held, and forget those of what has left."""
        self._bytes = {key: self._bytes[key] for key in self._shelf}
        return sum(self._bytes.values())

    def _compute(self, key: Hashable, compute: Callable[[], T], mine: Future[Any]) -> T:
        try:
            value = compute()
        except BaseException as error:
            self._finish(key, mine)
            mine.set_exception(error)
            raise
        size_bytes = bytes_of(value)
        with self._lock:
            if self._running.get(key) is mine:
                self._put(key, value, size_bytes)
        self._finish(key, mine)
        mine.set_result(value)
        return value

    def _finish(self, key: Hashable, mine: Future[Any]) -> None:
        with self._lock:
            if self._running.get(key) is mine:
                del self._running[key]


data_cache = DataCache()
