"""What a monitoring system is told is Prometheus' text format and says what the pages say."""

import re

from prometheus_client.parser import text_string_to_metric_families

CACHE = {"hits": 3, "misses": 1, "size": 2, "max_size": 100, "evictions": 0, "size_bytes": 1_000}


def told(house):
    answer = house.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_a_histogram_by_endpoint(lively):
    for _ in range(3):
        lively.get("/healthz")

    metrics = told(lively)

    of_health = ("endpoint", "health.alive")
    ends = {labels[1][1]: value for (name, *labels), value in metrics.items() if name.endswith("_bucket")}
    assert metrics["candela_request_seconds_count", of_health] == 3
    assert metrics["candela_request_seconds_sum", of_health] > 0
    assert {"0.0001", "0.001", "0.1", "10", "+Inf"} <= set(ends)
    assert ends["+Inf"] == 3


def test_engine_feed_and_caches_are_told(lively):
    lively.states["BTCUSDT"] = "gapped"
    lively.beat(feed={"lag_s": 0.25, "gaps_found": 4}, performance={"caches": {"models": CACHE}})

    metrics = told(lively)

    assert metrics["candela_engine_up",] == 1
    assert metrics["candela_feed_live",] == 1
    assert metrics["candela_feed_lag_seconds",] == 0.25
    assert metrics["candela_feed_gaps_found_total",] == 4
    assert metrics["candela_symbols", ("state", "gapped")] == 1
    assert metrics["candela_symbols", ("state", "live")] == 2
    assert metrics["candela_cache_hits_total", ("cache", "models"), ("process", "engine")] == 3
    assert metrics["candela_cache_bytes", ("cache", "models"), ("process", "engine")] == 1_000


def test_a_dead_engine_is_down(lively):
    lively.now_s += 60

    assert told(lively)["candela_engine_up",] == 0
    assert told(lively)["candela_feed_live",] == 0


def test_before_the_first_start_it_answers(house):
    assert told(house)["candela_engine_up",] == 0


def test_it_is_never_kept_and_names_no_path(lively):
    answer = lively.get("/metrics")

    assert "no-store" in answer.headers["Cache-Control"]
    assert not re.search(r'="/', answer.text)
