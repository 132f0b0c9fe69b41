"""The figures of the house for a monitoring system, in Prometheus' text format."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from web.latency import CLASSES_A_DECADE, Histogram, upper_seconds
from web.site_stores import kept_answers, latencies, stores, used
from web.system_rows import cache_rows

if TYPE_CHECKING:
    from prometheus_client import Metric

# Ends of the classes that are told: three a decade, from a tenth of a millisecond to ten seconds.
_TOLD = range(2 * CLASSES_A_DECADE, 7 * CLASSES_A_DECADE + 1, CLASSES_A_DECADE // 3)

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def tell() -> Response:
    """Tell requests, caches, feed and engine."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    registry = CollectorRegistry()
    registry.register(_House())
    answer = Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    answer.cache_control.no_store = True
    return answer


class _House:
    """What is told, read anew for each question."""

    def collect(self) -> Iterator["Metric"]:
        """Yield every family of figures."""
        yield from _requests()
        yield from _caches()
        yield from _engine()


def _requests() -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    family = HistogramMetricFamily(
        "candela_request_seconds", "Time until an answer begins, by endpoint.", labels=["endpoint"]
    )
    for one in latencies().histograms():
        family.add_metric([one.endpoint], _buckets(one), one.seconds)
    yield family
    own = used()
    yield GaugeMetricFamily("candela_web_memory_bytes", "Memory of the web server.", own.rss_mb * 2**20)
    yield GaugeMetricFamily("candela_web_processor_share", "Share of one processor.", own.processor_share)


def _buckets(one: Histogram) -> list[tuple[str, float]]:
    told = [
        (f"{upper_seconds(end):.6g}", float(sum(count for place, count in one.classes.items() if place <= end)))
        for end in _TOLD
    ]
    return [*told, ("+Inf", float(sum(one.classes.values())))]


def _caches() -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    rows = [one.row for one in cache_rows(stores(), kept_answers())]
    labels = ["process", "cache"]
    for key in ("hits", "misses", "evictions"):
        family = CounterMetricFamily(f"candela_cache_{key}", f"Cache {key} since the start.", labels=labels)
        for row in rows:
            family.add_metric([row["process"], row["name"]], row[key])
        yield family
    held = GaugeMetricFamily("candela_cache_bytes", "Memory of what a cache holds.", labels=labels)
    for row in rows:
        held.add_metric([row["process"], row["name"]], row["bytes"])
    yield held


def _engine() -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    beat, now_s = stores().heartbeat(), stores().mono_s()
    feed = beat.feed
    yield GaugeMetricFamily("candela_engine_up", "1 while the engine runs.", beat.is_alive(now_s))
    yield GaugeMetricFamily("candela_feed_live", "1 while the feed is live.", beat.feed_state(now_s) == "live")
    yield GaugeMetricFamily("candela_ledger_version", "Grows with every change of the ledger.", stores().version())
    if beat.rss_mb is not None:
        yield GaugeMetricFamily("candela_engine_memory_bytes", "Memory of the engine.", beat.rss_mb * 2**20)
        yield GaugeMetricFamily(
            "candela_engine_processor_share", "Share of one processor.", beat.performance.processor_share
        )
    if feed.lag_s is not None:
        yield GaugeMetricFamily("candela_feed_lag_seconds", "Age of the newest events when read.", feed.lag_s)
    for name, value in (
        ("reconnects", feed.reconnects),
        ("gaps_found", feed.gaps_found),
        ("gaps_repaired", feed.gaps_repaired),
        ("rejected_rows", feed.rejected_rows),
        ("conflated", feed.conflated),
    ):
        yield CounterMetricFamily(f"candela_feed_{name}", f"Feed: {name.replace('_', ' ')} since the start.", value)
    symbols = GaugeMetricFamily("candela_symbols", "Symbols by state.", labels=["state"])
    states = [beat.symbol_state(entry, now_s) for entry in beat.symbols]
    for state in sorted(set(states)):
        symbols.add_metric([state], states.count(state))
    yield symbols
