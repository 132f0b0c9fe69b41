"""The performance monitor: timings with percentiles, cache hit rates, memory; bounded and cheap."""

import json
import logging
import os
import threading

import pytest

from utils.data_cache import DataCache
from utils.performance_monitor import MOST_FUNCTIONS, NEWEST_CALLS, OTHERS, PerformanceMonitor


class HandClock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_percentiles_are_nearest_ranks_of_the_calls():
    monitor = PerformanceMonitor()
    for milliseconds in range(1, 101):
        monitor.record("work", milliseconds / 1_000)

    timings = monitor.get_metrics()["functions"]["work"]

    assert [round(timings[key], 6) for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")] == [50, 95, 99, 100]
    assert timings["count"] == 100
    assert timings["total_seconds"] == pytest.approx(5.05)


def test_a_block_is_timed_also_when_it_fails():
    clock = HandClock()
    monitor = PerformanceMonitor(clock=clock)

    with pytest.raises(KeyError), monitor.timed("work"):
        clock.seconds += 0.25
        raise KeyError("missing")

    timings = monitor.get_metrics()["functions"]["work"]
    assert (timings["count"], timings["failed"], timings["p50_ms"]) == (1, 1, 250)


def test_each_call_of_a_decorated_function_is_timed():
    clock = HandClock()
    monitor = PerformanceMonitor(clock=clock)

    @monitor.timed("descend")
    def descend(levels):
        clock.seconds += 1
        return levels and descend(levels - 1)

    descend(2)

    timings = monitor.get_metrics()["functions"]["descend"]
    assert (timings["count"], timings["max_ms"], descend.__name__) == (3, 3_000, "descend")


def test_memory_stays_bounded_and_nothing_goes_uncounted():
    monitor = PerformanceMonitor()
    for call in range(NEWEST_CALLS + 10):
        monitor.record("often", float(call))
    for name in range(MOST_FUNCTIONS + 50):
        monitor.record(f"name {name}", 0.001)

    functions = monitor.get_metrics()["functions"]

    assert functions["often"]["count"] == NEWEST_CALLS + 10
    assert functions["often"]["p50_ms"] > NEWEST_CALLS / 2 * 1_000
    assert len(functions) == MOST_FUNCTIONS + 1
    assert functions[OTHERS]["count"] == 51


def test_nothing_is_timed_while_logging_is_off(caplog):
    caplog.set_level(logging.INFO)
    monitor = PerformanceMonitor(is_logging=False)

    with monitor.timed("work"):
        monitor.log_summary()

    assert monitor.get_metrics()["functions"] == {}
    assert not caplog.records


def test_the_summary_names_the_costliest_first(caplog):
    caplog.set_level(logging.INFO)
    monitor = PerformanceMonitor()
    monitor.record("cheap", 0.001)
    monitor.record("dear", 2.0)

    monitor.log_summary(most=1)

    assert [record.getMessage() for record in caplog.records] == [
        "function timed name=dear calls=1 total_seconds=2.000 p50_ms=2000.000 p99_ms=2000.000"
    ]


def test_shows_the_statistics_of_watched_caches():
    monitor, cache = PerformanceMonitor(), DataCache()
    monitor.watch_cache("data", cache.get_stats)
    cache.get_or_compute("key", int)
    cache.get("key")

    assert monitor.get_metrics()["caches"]["data"]["hit_rate"] == 0.5


def test_memory_is_high_above_the_limit_and_only_while_watched():
    always = PerformanceMonitor(max_memory_percent=0.0)
    never = PerformanceMonitor(max_memory_percent=100.0)
    unwatched = PerformanceMonitor(max_memory_percent=0.0, is_memory_monitored=False)

    assert (always.is_memory_high(), never.is_memory_high(), unwatched.is_memory_high()) == (True, False, False)


def test_tells_the_machine_and_this_process_in_plain_json():
    info = PerformanceMonitor().get_system_info()

    assert info["process_pid"] == os.getpid()
    assert info["cpu_count"] >= 1
    assert 1 < info["process_rss_mb"] < info["memory_total_mb"]
    json.dumps(info, allow_nan=False)


def test_counts_every_call_of_many_threads():
    monitor = PerformanceMonitor()

    def work():
        for _ in range(500):
            with monitor.timed("work"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert monitor.get_metrics()["functions"]["work"]["count"] == 4_000
