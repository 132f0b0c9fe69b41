"""The data cache: fresh for a while, bounded, one computation for many askers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from utils.data_cache import DataCache


class HandClock:
    def __init__(self):
        self.seconds = 1_000.0

    def __call__(self):
        return self.seconds


def test_what_was_computed_is_kept():
    cache = DataCache()

    values = [cache.get_or_compute("key", lambda turn=turn: turn) for turn in range(3)]

    assert values == [0, 0, 0]
    assert (cache.get_stats()["hits"], cache.get_stats()["misses"]) == (2, 1)


def test_none_is_a_value_like_any_other():
    cache = DataCache()

    assert cache.get_or_compute("key", lambda: None) is None
    assert cache.get_or_compute("key", lambda: 1) is None


def test_entries_grow_old():
    clock = HandClock()
    cache = DataCache(ttl_seconds=10, clock=clock)
    cache.set("key", "young")

    clock.seconds += 9.9
    assert cache.get("key") == "young"
    clock.seconds += 0.2

    assert cache.get("key", "gone") == "gone"
    assert cache.get_stats()["expirations"] == 1
    assert cache.get_stats()["size"] == 0


def test_the_entry_unused_longest_makes_room():
    cache = DataCache(max_size=2)
    cache.set("a", 1)
    cache.set("b", 2)
    cache.get("a")

    cache.set("c", 3)

    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert cache.get_stats()["evictions"] == 1
    assert cache.get_stats()["size"] == 2


def test_twenty_askers_share_one_computation():
    cache = DataCache()
    everyone_asks = threading.Barrier(20)
    may_finish = threading.Event()
    computed = []

    def compute():
        computed.append(threading.get_ident())
        may_finish.wait(10)
        return "value"

    def ask():
        everyone_asks.wait(10)
        return cache.get_or_compute("key", compute)

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask) for _ in range(20)]
        may_finish.set()
        assert {answer.result(10) for answer in answers} == {"value"}

    assert len(computed) == 1


def test_an_error_reaches_every_waiter_and_is_not_kept():
    cache = DataCache()
    is_computing, may_fail = threading.Event(), threading.Event()

    def compute():
        is_computing.set()
        may_fail.wait(10)
        raise OSError("no route")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_compute, "key", compute)
        is_computing.wait(10)
        second = pool.submit(cache.get_or_compute, "key", compute)
        may_fail.set()
        for answer in (first, second):
            with pytest.raises(OSError, match="no route"):
                answer.result(10)

    assert cache.get_or_compute("key", lambda: "again") == "again"


def test_different_keys_do_not_wait_for_each_other():
    cache = DataCache()

    value = cache.get_or_compute("outer", lambda: cache.get_or_compute("inner", lambda: 1) + 1)

    assert value == 2


def test_what_was_cleared_while_it_was_computed_is_not_kept():
    cache = DataCache()

    def compute():
        cache.clear()
        return "old"

    assert cache.get_or_compute("key", compute) == "old"
    assert cache.get("key") is None


def test_clear_forgets_and_is_not_counted_as_eviction():
    cache = DataCache()
    cache.set("key", 1)

    cache.clear()

    assert cache.get_stats()["size"] == 0
    assert cache.get_stats()["evictions"] == 0


def test_a_cache_that_is_off_keeps_nothing():
    cache = DataCache(is_enabled=False)
    cache.set("key", 1)

    values = [cache.get_or_compute("key", lambda turn=turn: turn) for turn in range(2)]

    assert values == [0, 1]
    assert cache.get_stats()["size"] == 0


def test_configure_starts_anew():
    cache = DataCache()
    cache.set("key", 1)
    cache.get("key")

    cache.configure(ttl_seconds=5, max_size=1, is_enabled=True)

    stats = cache.get_stats()
    assert (stats["size"], stats["hits"], stats["hit_rate"], stats["max_size"], stats["ttl_seconds"]) == (0, 0, 0, 1, 5)


def test_it_tells_the_bytes_it_holds_and_what_went_when_it_was_emptied():
    cache = DataCache(max_size=2)
    for key in range(5):
        cache.set(key, b"x" * 10_000)
    held = cache.get_stats()["size_bytes"]

    cache.clear()

    assert 20_000 <= held < 21_000
    assert cache.get_stats()["size_bytes"] == 0
    assert (cache.get_stats()["emptied"].entries, cache.get_stats()["emptied"].size_bytes) == (2, held)


def test_the_bytes_of_what_has_left_are_forgotten():
    cache = DataCache(max_size=2)
    for key in range(1_000):
        cache.get_or_compute(key, lambda: b"x")

    assert len(cache._bytes) <= 4
