import sqlite3
import threading

import pytest

from data.candle_store import CandleStore
from data.database import open_database
from engine.patience import Patience
from market.candles import Candle
from market.errors import SourceUnavailable

CANDLE = Candle("BTCUSDT", 60_000, 1.0, 1.0, 1.0, 1.0, 1.0)


@pytest.fixture
def store(tmp_path):
    engine = open_database(tmp_path / "test.db", patience_seconds=0.01)
    yield CandleStore(engine, "1m")
    engine.dispose()


@pytest.fixture
def lock(tmp_path, store):
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_what_the_disk_refuses_is_done_when_it_can_be(store, lock):
    patience = Patience(threading.Event())
    writer = threading.Thread(target=lambda: patience.until_done(store.append, [CANDLE]))
    writer.start()
    until(lambda: patience.fault)
    words = patience.fault.text

    lock.execute("ROLLBACK")
    writer.join(20)

    assert "another program holds the database" in words
    assert patience.fault is None
    assert len(store.load("BTCUSDT")) == 1


def test_waiting_ends_with_everything(store, lock):
    is_over = threading.Event()
    is_over.set()

    with pytest.raises(SourceUnavailable):
        Patience(is_over).until_done(store.append, [CANDLE])

    assert len(store.load("BTCUSDT")) == 0


def until(condition):
    done = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("waited in vain")
