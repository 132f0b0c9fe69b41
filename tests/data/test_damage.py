import logging
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from data.candle_store import CandleStore
from data.damage import heal
from data.database import open_database
from data.prediction_store import PredictionStore
from market.candles import CANDLES
from tests.data.test_prediction_store import prediction

STEP = 300_000
START = 1_750_000_200_000
PAGE = 4_096


@pytest.fixture
def path(tmp_path):
    """Return a database of 2,000 candles and 300 predictions that nobody has open."""
    path = tmp_path / "simulated-1.db"
    engine = open_database(path)
    CandleStore(engine, "5m").append_table("BTCUSDT", table())
    ledger = PredictionStore(engine, "simulated", "5m", ["rsi"])
    ledger.publish([prediction(index) for index in range(300)])
    ledger.settle()
    engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def table():
    made = np.zeros(2_000, CANDLES)
    made["open_ms"] = START + np.arange(len(made)) * STEP
    close = np.random.default_rng(1).uniform(90, 110, len(made))
    made["open"], made["close"], made["high"], made["low"], made["volume"] = close, close, close + 1, close - 1, 5.0
    return made


def flip(path, at, byte=0xFF):
    content = bytearray(path.read_bytes())
    content[at] ^= byte
    path.write_bytes(content)


def opened(path):
    engine = open_database(path)
    yield_ = CandleStore(engine, "5m").load("BTCUSDT"), PredictionStore(engine, "simulated", "5m").ledger(limit=500)[0]
    engine.dispose()
    return yield_


def test_a_sound_database_stays_as_it_is(path, caplog):
    before = path.read_bytes()

    heal(path)

    assert path.read_bytes() == before
    assert caplog.records == []


def test_a_candle_with_a_flipped_bit_is_missing_and_never_wrong(path, caplog):
    price = np.array([table()["close"][700]]).astype(">f8").tobytes()
    flip(path, path.read_bytes().index(price) + 6, 0x01)
    unhealed, _ = opened(path)

    heal(path)

    candles, rows = opened(path)
    np.testing.assert_array_equal(unhealed, np.delete(table(), 700))
    np.testing.assert_array_equal(candles, np.delete(table(), 700))
    assert len(rows) == 300
    assert "removed, to be fetched again" in caplog.text


def test_whatever_page_is_damaged_no_wrong_candle_is_left(path):
    sound = path.read_bytes()
    true = {row["open_ms"]: row for row in table()}
    for at in range(0, len(sound), PAGE):
        for place in (3, 9, PAGE // 2, PAGE - 5):
            path.write_bytes(sound)
            flip(path, at + place)

            heal(path)

            engine = open_database(path)
            candles = CandleStore(engine, "5m").load("BTCUSDT")
            engine.dispose()
            assert all(row == true[row["open_ms"]] for row in candles)
            for beside in path.parent.glob("simulated-1.db-*"):
                beside.unlink()


def test_a_damaged_file_is_set_aside_and_its_numbers_are_not_given_again(path, caplog):
    path.write_bytes(b"x" * 100 + path.read_bytes()[100:])
    highest = 300

    heal(path)

    engine = open_database(path)
    published = PredictionStore(engine, "simulated", "5m", ["rsi"]).publish([prediction(1_000)])
    engine.dispose()
    assert int(published.rows[0]["id"].rsplit("-", 1)[1], 16) > highest
    assert published.version > 3
    assert len(list(path.parent.glob("simulated-1.db.damaged-*"))) == 1
    assert "database damaged, set aside" in caplog.text


def test_rows_on_both_sides_of_the_damage_are_kept(path):
    pages = path.read_bytes()
    key = b"BTCUSDT5m1h"
    leaves = [at for at in range(0, len(pages), PAGE) if pages[at] == 0x0D and pages[at : at + PAGE].count(key) > 5]
    flip(path, leaves[len(leaves) // 2], 0x55)

    heal(path)

    candles, rows = opened(path)
    assert len(candles) == 2_000
    assert 250 < len(rows) < 300


def test_a_reader_goes_over_to_the_new_file(path):
    reader = open_database(path, is_read_only=True)
    before = len(CandleStore(reader, "5m").load("BTCUSDT"))
    path.write_bytes(b"x" * 100 + path.read_bytes()[100:])

    heal(path)

    after = len(CandleStore(reader, "5m").load("BTCUSDT"))
    reader.dispose()
    assert (before, after) == (2_000, 0)


def test_a_kill_between_two_renames_is_made_good(path):
    path.rename(path.with_name(path.name + ".salvaged"))

    heal(path)

    assert len(opened(path)[0]) == 2_000


def test_a_large_file_is_looked_over_as_far_as_the_time_allows(path, caplog):
    many = """
        INSERT INTO gaps WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 600000)
        SELECT n, 'BTCUSDT', '5m', n, n, n, 1 FROM numbers"""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(many)
        connection.commit()
    caplog.set_level(logging.INFO)

    heal(path, structure_seconds=60.0)
    whole = caplog.text
    heal(path, structure_seconds=0.0)

    assert (whole, "looked over in part" in caplog.text) == ("", True)
    assert len(opened(path)[0]) == 2_000
