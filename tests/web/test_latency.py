"""How long endpoints take is counted by name, over the last minutes and since the start, in bounded memory."""

import threading

import pytest

from web.latency import KEPT, NOWHERE, WINDOW_SECONDS, Latencies, upper_seconds


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_percentiles_are_never_below_what_was_noted_and_at_most_a_tenth_above(clock):
    latencies = Latencies(clock)
    for at in range(1, 1_001):
        latencies.note("board", at / 10_000)

    (row,) = latencies.recent()

    assert row.count == 1_000
    for told_ms, exact_ms in ((row.p50_ms, 50), (row.p95_ms, 95), (row.p99_ms, 99), (row.max_ms, 100)):
        assert exact_ms * 0.9999 <= told_ms <= exact_ms * 1.101


def test_what_is_older_than_the_window_is_forgotten_but_counted(clock):
    latencies = Latencies(clock)
    latencies.note("board", 1.0)
    clock.now_s += WINDOW_SECONDS + 30
    latencies.note("board", 0.001)

    assert [row.count for row in latencies.recent()] == [1]
    assert latencies.recent()[0].max_ms < 2
    assert sum(latencies.histograms()[0].classes.values()) == 2
    assert latencies.histograms()[0].seconds == pytest.approx(1.001)


def test_an_endpoint_nobody_asks_any_more_leaves_the_list(clock):
    latencies = Latencies(clock)
    latencies.note("board", 0.1)
    clock.now_s += 10 * WINDOW_SECONDS

    assert latencies.recent() == []


def test_memory_does_not_grow_with_the_answers(clock):
    latencies = Latencies(clock)
    for at in range(20_000):
        clock.now_s += 1
        latencies.note("board", at / 1_000)

    noted = latencies._endpoints["board"]
    assert len(noted._slots) <= WINDOW_SECONDS // 30
    assert len(noted.classes) < 200


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e9])
def test_any_time_has_a_class(clock, seconds):
    latencies = Latencies(clock)

    latencies.note("board", seconds)

    assert latencies.recent()[0].p99_ms in (pytest.approx(1_000 * upper_seconds(0)), pytest.approx(100_000))


def test_no_answer_is_lost_between_threads(clock):
    latencies = Latencies(clock)

    def note():
        for _ in range(2_000):
            latencies.note("board", 0.01)

    threads = [threading.Thread(target=note) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert latencies.recent()[0].count == 16_000


def test_the_site_notes_endpoints_not_paths_and_kept_answers_together(lively):
    for path in ("/s/BTCUSDT", "/s/EDGEUSDT", "/nowhere", "/nowhere/else", "/api/v1/symbols", "/api/v1/symbols"):
        lively.get(path)
    lively.site.test_client().post("/models/cancel")

    counts = {row.endpoint: row.count for row in lively.site.extensions["latencies"].recent()}

    assert counts == {
        "symbol.index": 2,
        NOWHERE: 2,
        "symbols.symbols": 1,
        KEPT: 1,
        "models.cancel": 1,
    }
