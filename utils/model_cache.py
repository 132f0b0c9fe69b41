"""Keep loaded models in memory: one load for many askers, the least used goes first."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar, cast

from utils.sizes import Emptied, bytes_of

T = TypeVar("T")


class ModelCache:
    """Models by name.

    Key: the name of a model, which its content gives it. How long: until pushed out. How many: `max_size`, the one
    unused longest goes first. Who clears it: `clear_cache()` and `configure()`.
    """

    def __init__(self, max_size: int = 100, load_timeout_seconds: float = 30.0, is_enabled: bool = True) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._models: OrderedDict[str, Any] = OrderedDict()
        self._loading: dict[str, Future[Any]] = {}
        self._hits = self._misses = self._loads = self._evictions = self._timeouts = 0
        self._load_seconds = 0.0
        self._emptied: Emptied | None = None
        self._bytes: dict[str, int] = {}
        self.configure(max_size, load_timeout_seconds, is_enabled)

    def configure(self, max_size: int, load_timeout_seconds: float, is_enabled: bool) -> None:
        """Set the limits and forget all models; switched off, every question is a load."""
        with self._lock:
            self._max_size, self._load_timeout_seconds, self._is_enabled = max_size, load_timeout_seconds, is_enabled
            self._models.clear()
            self._bytes.clear()
            self._loading = {}

    def get(self, key: str, loader: Callable[[], T]) -> T:
        """Return the model `key`, loading it when it is not here; who asks meanwhile waits for that one load.

        What the loader raises reaches every asker and is not kept. A load that takes too long raises TimeoutError;
        it goes on, and its model is kept for the next asker.
        """
        with self._lock:
            if key in self._models:
                self._hits += 1
                self._models.move_to_end(key)
                return cast("T", self._models[key])
            self._misses += 1
            flight = self._loading.get(key) if self._is_enabled else None
            if flight is None:
                flight = self._take_off(key, loader)
        return cast("T", self._wait(key, flight))

    def clear_cache(self) -> Emptied:
        """Forget every model and tell what went; a model that is being loaded now reaches its askers only."""
        with self._lock:
            self._emptied = emptied = Emptied(len(self._models), sum(self._bytes.values()))
            self._models.clear()
            self._bytes.clear()
            self._loading = {}
        return emptied

    def get_stats(self) -> dict[str, Any]:
        """Return the counters since the start, and what is held.

        `load_seconds` sums all loads; `emptied` tells what went with the last `clear_cache`.
        """
        with self._lock:
            asked = self._hits + self._misses
            return {
                "hits": self._hits,
                "misses": self._misses,
                "hit_rate": self._hits / asked if asked else 0.0,
                "loads": self._loads,
                "timeouts": self._timeouts,
                "evictions": self._evictions,
                "size": len(self._models),
                "size_bytes": sum(self._bytes.values()),
                "emptied": self._emptied,
                "max_size": self._max_size,
                "load_seconds": round(self._load_seconds, 6),
                "is_enabled": self._is_enabled,
            }

    def _take_off(self, key: str, loader: Callable[[], Any]) -> Future[Any]:
        """Begin a load on a thread of its own, so that a stuck disk holds up nobody longer than the timeout."""
        flight: Future[Any] = Future()
        if self._is_enabled:
            self._loading[key] = flight
        threading.Thread(target=self._load, args=(key, loader, flight), name=f"load {key}", daemon=True).start()
        return flight

    def _load(self, key: str, loader: Callable[[], Any], flight: Future[Any]) -> None:
        started = time.perf_counter()
        try:
            model = loader()
        except BaseException as error:  # noqa: BLE001 - it belongs to the askers, whatever it is
            self._land(key, flight)
            flight.set_exception(error)
            return
        seconds, size_bytes = time.perf_counter() - started, bytes_of(model)
        with self._lock:
            self._loads += 1
            self._load_seconds += seconds
            if self._loading.get(key) is flight:
                self._keep(key, model, size_bytes)
        self._land(key, flight)
        flight.set_result(model)

    def _keep(self, key: str, model: Any, size_bytes: int) -> None:
        self._models[key], self._bytes[key] = model, size_bytes
        while len(self._models) > self._max_size:
            oldest, _ = self._models.popitem(last=False)
            del self._bytes[oldest]
            self._evictions += 1

    def _land(self, key: str, flight: Future[Any]) -> None:
        with self._lock:
            if self._loading.get(key) is flight:
                del self._loading[key]

    def _wait(self, key: str, flight: Future[Any]) -> Any:
        try:
            return flight.result(self._load_timeout_seconds)
        except FutureTimeoutError:
            if flight.done():
                raise
            with self._lock:
                self._timeouts += 1
        raise TimeoutError(
            f"model {key} is not loaded after {self._load_timeout_seconds:g} s: raise MODEL_LOAD_TIMEOUT"
        )


model_cache = ModelCache()
