import threading

import pytest

from utils.model_cache import ModelCache, model_cache


def waiting_loader(started, may_end):
    def load():
        started.set()
        may_end.wait(10)
        return "model"

    return load


def test_a_model_is_loaded_once():
    cache, loads = ModelCache(), []

    models = [cache.get("a", lambda: loads.append(1) or object()) for _ in range(3)]

    assert len(loads) == 1
    assert models[0] is models[1] is models[2]
    assert (cache.get_stats()["hits"], cache.get_stats()["misses"], cache.get_stats()["loads"]) == (2, 1, 1)


def test_many_askers_share_one_load():
    cache, loads, gate = ModelCache(), [], threading.Barrier(9)
    may_end = threading.Event()

    def load():
        loads.append(1)
        may_end.wait(10)
        return "model"

    def ask():
        gate.wait(10)
        answers.append(cache.get("a", load))

    answers = []
    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    gate.wait(10)
    may_end.set()
    for asker in askers:
        asker.join(10)

    assert (answers, loads) == (["model"] * 8, [1])


def test_the_model_unused_longest_goes_first():
    cache = ModelCache(max_size=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: key)
    loads = []

    for key in ("a", "c", "b"):
        cache.get(key, lambda key=key: loads.append(key))

    assert loads == ["b"]
    assert cache.get_stats()["evictions"] == 2
    assert cache.get_stats()["size"] == 2


def test_an_error_reaches_the_asker_and_is_not_kept():
    cache = ModelCache()

    with pytest.raises(ValueError, match="damaged"):
        cache.get("a", lambda: (_ for _ in ()).throw(ValueError("damaged")))

    assert cache.get("a", lambda: "mended") == "mended"


def test_a_timeout_of_the_loader_itself_is_its_own_error():
    cache = ModelCache()

    with pytest.raises(TimeoutError, match="from the disk"):
        cache.get("a", lambda: (_ for _ in ()).throw(TimeoutError("from the disk")))

    assert cache.get_stats()["timeouts"] == 0


def test_a_slow_load_is_given_up_but_its_model_is_kept_for_later():
    cache = ModelCache(load_timeout_seconds=0.01)
    started, may_end = threading.Event(), threading.Event()

    with pytest.raises(TimeoutError, match="MODEL_LOAD_TIMEOUT"):
        cache.get("a", waiting_loader(started, may_end))
    cache._load_timeout_seconds = 10.0
    may_end.set()

    assert cache.get("a", lambda: "another") == "model"
    assert cache.get_stats()["timeouts"] == 1


def test_clearing_forgets_all_models():
    cache = ModelCache()
    cache.get("a", lambda: 1)

    cache.clear_cache()

    assert cache.get_stats()["size"] == 0
    assert cache.get("a", lambda: 2) == 2


def test_a_model_that_is_loading_while_the_cache_is_cleared_is_not_kept():
    cache = ModelCache()
    started, may_end = threading.Event(), threading.Event()
    asker = threading.Thread(target=cache.get, args=("a", waiting_loader(started, may_end)))
    asker.start()
    started.wait(10)

    cache.clear_cache()
    may_end.set()
    asker.join(10)

    assert cache.get("a", lambda: "fresh") == "fresh"


def test_switched_off_it_loads_each_time():
    cache = ModelCache(is_enabled=False)

    assert [cache.get("a", lambda number=number: number) for number in range(3)] == [0, 1, 2]
    assert cache.get_stats()["size"] == 0


def test_settings_take_effect():
    cache = ModelCache()

    cache.configure(max_size=1, load_timeout_seconds=5.0, is_enabled=True)
    for key in ("a", "b"):
        cache.get(key, lambda key=key: key)

    assert cache.get_stats()["size"] == cache.get_stats()["max_size"] == 1


def test_there_is_one_for_the_process():
    assert isinstance(model_cache, ModelCache)
    assert set(model_cache.get_stats()) >= {"hits", "misses", "loads", "evictions", "size", "load_seconds"}


def test_it_tells_the_bytes_it_holds_and_what_went_when_it_was_emptied():
    cache = ModelCache(max_size=2)
    for key in ("a", "b", "c"):
        cache.get(key, lambda: b"x" * 10_000)
    held = cache.get_stats()["size_bytes"]

    cache.clear_cache()

    assert 20_000 <= held < 21_000
    assert (cache.get_stats()["emptied"].entries, cache.get_stats()["emptied"].size_bytes) == (2, held)
