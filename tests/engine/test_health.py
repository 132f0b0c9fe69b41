import threading

import msgspec
import pytest

from engine.health import Health
from utils.data_cache import DataCache
from utils.datagrams import Postman
from utils.performance_monitor import performance_monitor
from web.heartbeat import Heartbeat


@pytest.fixture
def beat(tmp_path):
    """Return a function that writes a first heartbeat and returns it as the web reads it."""
    postman = Postman(tmp_path / "live")

    def read():
        health = Health(tmp_path, postman, lambda: {"symbols": [], "version": 3, "fault": None})
        health.start()
        health.stop()
        return msgspec.json.decode((tmp_path / "engine.json").read_bytes(), type=Heartbeat)

    yield read
    postman.close()


def test_a_heartbeat_carries_timings_and_caches(beat):
    cache = DataCache(60.0, 7)
    cache.get_or_compute("key", lambda: 1)
    cache.get_or_compute("key", lambda: 1)
    performance_monitor.clear()
    performance_monitor.watch_cache("tried", cache.get_stats)
    for milliseconds in (1, 2, 30):
        performance_monitor.record("publish", milliseconds / 1_000)

    performance = beat().performance

    publish, tried = performance.functions["publish"], performance.caches["tried"]
    assert (publish.count, publish.p50_ms, publish.p99_ms) == (3, 2.0, 30.0)
    assert (tried.hits, tried.misses, tried.max_size) == (1, 1, 7)


def test_a_heartbeat_tells_its_own_process(beat):
    found = beat()

    assert found.is_alive(found.written_mono_s)
    assert found.rss_mb > 1
    assert found.version == 3


def test_a_heartbeat_is_written_at_once_when_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.health.HEARTBEAT_SECONDS", 3_600)
    versions, is_second = iter((1, 2)), threading.Event()

    def describe():
        version = next(versions)
        if version == 2:
            is_second.set()
        return {"symbols": [], "version": version, "fault": None}

    health = Health(tmp_path, Postman(tmp_path / "live"), describe)
    health.start()
    health.beat_soon()
    is_wanted = is_second.wait(20)
    health.stop()

    assert is_wanted
    assert msgspec.json.decode((tmp_path / "engine.json").read_bytes())["version"] == 2
