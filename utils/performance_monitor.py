"""Time functions, watch caches and memory, and tell what the machine is."""

import logging
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)

NEWEST_CALLS = 1_024  # timings kept per function for its percentiles
MOST_FUNCTIONS = 256  # names kept; later ones are timed together
OTHERS = "(others)"
PERCENTS = (50, 95, 99)
_MEGABYTE = 1_048_576


class PerformanceMonitor:
    """How long functions take, how often caches hit, how much memory is used. Bounded in memory, safe in threads."""

    def __init__(
        self,
        is_memory_monitored: bool = True,
        max_memory_percent: float = 80.0,
        is_logging: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Start with nothing timed; `clock` tells seconds."""
        self._lock = threading.Lock()
        self._clock = clock
        self._functions: dict[str, _Timings] = {}
        self._caches: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self.configure(is_memory_monitored, max_memory_percent, is_logging)

    def configure(self, is_memory_monitored: bool, max_memory_percent: float, is_logging: bool) -> None:
        """Choose whether memory is watched, which share of the machine's is too much, and whether calls are timed."""
        self._is_memory_monitored = is_memory_monitored
        self._max_memory_percent = max_memory_percent
        self.is_logging = is_logging

    def timed(self, name: str) -> "_Timing":
        """Return what times a `with` block, or each call of the function it decorates, under `name`."""
        return _Timing(self, name)

    def record(self, name: str, seconds: float, has_failed: bool = False) -> None:
        """Take in one call that took `seconds`."""
        with self._lock:
            timings = self._functions.get(name)
            if timings is None:
                name = name if len(self._functions) < MOST_FUNCTIONS else OTHERS
                timings = self._functions.setdefault(name, _Timings())
            timings.add(seconds, has_failed)

    def watch_cache(self, name: str, get_stats: Callable[[], Mapping[str, Any]]) -> None:
        """Show the statistics of a cache under `name` from now on; a second one of that name replaces the first."""
        with self._lock:
            self._caches[name] = get_stats

    def get_metrics(self) -> dict[str, Any]:
        """Return timings per function, statistics per cache, and memory."""
        with self._lock:
            functions = {name: timings.summary() for name, timings in sorted(self._functions.items())}
            caches = dict(self._caches)
        return {
            "functions": functions,
            "caches": {name: dict(get_stats()) for name, get_stats in sorted(caches.items())},
            "memory": self._memory(),
        }

    def get_system_info(self) -> dict[str, Any]:
        """Return the machine and this process: processors, memory, Python, age."""
        import psutil

        process = psutil.Process()
        with process.oneshot():
            cpu_times = process.cpu_times()
            return {
                "platform": platform.platform(),
                "python_version": platform.python_version(),
                "cpu_count": os.cpu_count() or 1,
                "cpu_percent": psutil.cpu_percent(),
                "load_1m": os.getloadavg()[0],
                **self._memory(),
                "process_pid": process.pid,
                "process_threads": process.num_threads(),
                "process_cpu_seconds": cpu_times.user + cpu_times.system,
                "process_uptime_seconds": max(0.0, time.time() - process.create_time()),
            }

    def is_memory_high(self) -> bool:
        """Return whether the machine uses more memory than allowed; False while memory is not watched."""
        return self._is_memory_monitored and self._memory()["memory_used_percent"] > self._max_memory_percent

    def log_summary(self, most: int = 5) -> None:
        """Log the functions that took the most time altogether, one line each; nothing while logging is off."""
        if not self.is_logging:
            return
        functions = self.get_metrics()["functions"]
        costly = sorted(functions.items(), key=lambda entry: entry[1]["total_seconds"], reverse=True)
        for name, timings in costly[:most]:
            logger.info(
                "function timed name=%s calls=%d total_seconds=%.3f p50_ms=%.3f p99_ms=%.3f",
                *(name, timings["count"], timings["total_seconds"], timings["p50_ms"], timings["p99_ms"]),
            )

    def clear(self) -> None:
        """Forget all timings; watched caches stay watched."""
        with self._lock:
            self._functions.clear()

    def _memory(self) -> dict[str, float]:
        import psutil

        machine = psutil.virtual_memory()
        return {
            "memory_total_mb": machine.total / _MEGABYTE,
            "memory_available_mb": machine.available / _MEGABYTE,
            "memory_used_percent": machine.percent,
            "process_rss_mb": psutil.Process().memory_info().rss / _MEGABYTE,
        }


class _Timings:
    """The calls of one function: all of them counted, the newest kept."""

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.total_seconds = 0.0
        self.newest: deque[float] = deque(maxlen=NEWEST_CALLS)

    def add(self, seconds: float, has_failed: bool) -> None:
        """Take in one call."""
        self.count += 1
        self.failed += has_failed
        self.total_seconds += seconds
        self.newest.append(seconds)

    def summary(self) -> dict[str, float | int]:
        """Return counts and total over all calls, percentiles (nearest rank) over the newest."""
        ordered = sorted(self.newest)
        ranks = {f"p{percent}_ms": _rank(ordered, percent) * 1_000 for percent in PERCENTS}
        return {
            "count": self.count,
            "failed": self.failed,
            "total_seconds": self.total_seconds,
            "mean_ms": self.total_seconds / self.count * 1_000,
            **ranks,
            "max_ms": ordered[-1] * 1_000,
        }


class _Timing:
    """One measured block. As a decorator it makes a fresh one for each call, so calls may overlap."""

    def __init__(self, monitor: PerformanceMonitor, name: str) -> None:
        self._monitor = monitor
        self._name = name
        self._started: float | None = None

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return `function` with each call timed."""

        @wraps(function)
        def timed_function(*args: P.args, **kwargs: P.kwargs) -> T:
            with _Timing(self._monitor, self._name):
                return function(*args, **kwargs)

        return timed_function

    def __enter__(self) -> None:
        """Start the watch, unless timing is off."""
        self._started = self._monitor._clock() if self._monitor.is_logging else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the watch; the error of the block goes on."""
        if self._started is not None:
            self._monitor.record(self._name, self._monitor._clock() - self._started, has_failed=kind is not None)


def _rank(ordered: list[float], percent: int) -> float:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


performance_monitor = PerformanceMonitor()
