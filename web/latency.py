"""How long each endpoint takes to answer: counted in narrow classes, since the start and over the last minutes."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEPT = "kept answers"  # whatever the cache in front of the site had
NOWHERE = "no such page"
_MARK = "candela.endpoint"
WINDOW_SECONDS = 300
_SLOT_SECONDS = 30
_SLOTS = WINDOW_SECONDS // _SLOT_SECONDS
_FASTEST_SECONDS = 1e-6
CLASSES_A_DECADE = 24  # each class ends 10 % above where it begins
_LAST_CLASS = 8 * CLASSES_A_DECADE  # 100 s


@dataclass(frozen=True, slots=True)
class Latency:
    """One endpoint over the last minutes; percentiles are the upper ends of their classes, at most 10 % too high."""

    endpoint: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """One endpoint since the start: answers by class, and the seconds of all of them together."""

    endpoint: str
    classes: dict[int, int]
    seconds: float


class Latencies:
    """The times of all endpoints: a few kilobytes each, about a microsecond an answer, safe in threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing noted; `clock` tells seconds that never run back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: dict[str, _Endpoint] = {}

    def note(self, endpoint: str, seconds: float) -> None:
        """Take in one answer of `endpoint`, one of the few names of the site, never a path."""
        place, slot = _class_of(seconds), int(self._clock() // _SLOT_SECONDS)
        with self._lock:
            noted = self._endpoints.get(endpoint)
            if noted is None:
                noted = self._endpoints[endpoint] = _Endpoint()
            noted.add(slot, place, seconds)

    def recent(self) -> list[Latency]:
        """Return the endpoints that answered in the last `WINDOW_SECONDS`, the one asked most first."""
        since = int(self._clock() // _SLOT_SECONDS) - _SLOTS
        with self._lock:
            found = {name: noted.since(since) for name, noted in self._endpoints.items()}
        rows = [_latency(name, classes) for name, classes in found.items() if classes]
        return sorted(rows, key=lambda row: (-row.count, row.endpoint))

    def histograms(self) -> list[Histogram]:
        """Return the endpoints that ever answered, by name."""
        with self._lock:
            return [
                Histogram(name, dict(noted.classes), noted.seconds) for name, noted in sorted(self._endpoints.items())
            ]


class _Endpoint:
    """The answers of one endpoint."""

    def __init__(self) -> None:
        self.classes: dict[int, int] = {}
        self.seconds = 0.0
        self._slots: dict[int, dict[int, int]] = {}

    def add(self, slot: int, place: int, seconds: float) -> None:
        counts = self._slots.get(slot)
        if counts is None:
            self._slots = {one: kept for one, kept in self._slots.items() if one > slot - _SLOTS}
            counts = self._slots[slot] = {}
        counts[place] = counts.get(place, 0) + 1
        self.classes[place] = self.classes.get(place, 0) + 1
        self.seconds += seconds

    def since(self, slot: int) -> Counter[int]:
        """Return the classes of what was noted after `slot`."""
        found: Counter[int] = Counter()
        for one, counts in self._slots.items():
            if one > slot:
                found.update(counts)
        return found


def register(site: Flask) -> None:
    """Have every request that reaches the site leave the name of its endpoint; do this before all other hooks."""

    def leave_name() -> None:
        request.environ[_MARK] = request.endpoint or NOWHERE

    site.before_request(leave_name)


def timed(site: "WSGIApplication", latencies: Latencies) -> "WSGIApplication":
    """Return `site` with each answer timed until it begins; what is sent after that depends on the visitor.

    An answer that took no endpoint is one of those that were kept.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        try:
            return site(environ, start_response)
        finally:
            latencies.note(environ.get(_MARK, KEPT), time.perf_counter() - started)

    return answer


def upper_seconds(place: int) -> float:
    """Return where a class ends."""
    return float(_FASTEST_SECONDS * 10 ** (place / CLASSES_A_DECADE))


def _class_of(seconds: float) -> int:
    if seconds <= _FASTEST_SECONDS:
        return 0
    return min(math.ceil(CLASSES_A_DECADE * math.log10(seconds / _FASTEST_SECONDS)), _LAST_CLASS)


def _latency(endpoint: str, classes: Counter[int]) -> Latency:
    count, ordered = classes.total(), sorted(classes)

    def rank_ms(percent: int) -> float:
        left = -(-count * percent // 100)
        for place in ordered:
            left -= classes[place]
            if left <= 0:
                break
        return 1_000 * upper_seconds(place)

    return Latency(endpoint, count, rank_ms(50), rank_ms(95), rank_ms(99), rank_ms(100))
