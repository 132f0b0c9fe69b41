"""Sealed or not, the store answers the same; a kill, a full disk or a changed byte makes no candle wrong."""

import json
import os
import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from config import CHECKOUT
from data.candle_store import CandleStore
from data.damage import heal
from data.database import open_database
from data.prediction_store import PredictionStore
from data.segment_reader import segment_reader
from data.segments import recorded, sealed_folder
from market.candles import Candle
from market.errors import MarketError
from market.intervals import DAY_MS
from tests.data.sealing_house import INTERVAL, START, STEP, SYMBOLS, SealingHouse, table
from tests.data.test_prediction_store import prediction

DAYS = 100
SEAL_AND_DIE = """
import os, signal, sys
sys.path.insert(0, {checkout!r})
from pathlib import Path
from tests.data.sealing_house import SealingHouse, START, DAY_MS
from data.sealing import Sealing
house = SealingHouse(Path({folder!r}))
for number, step in enumerate(Sealing(house.engine, house.interval).steps(START + 400 * DAY_MS)):
    if number == {last}:
        os.kill(os.getpid(), signal.SIGKILL)
    print(step, flush=True)
"""
READ = """
import json, sys
sys.path.insert(0, {checkout!r})
from pathlib import Path
from data.candle_store import CandleStore
from data.database import open_database
store = CandleStore(open_database(Path({path!r}), is_read_only=True), {interval!r})
print("ready", flush=True)
counts = set()
while not Path({stop!r}).exists():
    counts |= {{len(store.load(symbol)) for symbol in {symbols!r}}}
print(json.dumps([sorted(counts), "pyarrow" in sys.modules]))
"""


@pytest.fixture
def house(tmp_path):
    """Return a store of a hundred days of three symbols, none of them sealed."""
    house = SealingHouse(tmp_path)
    house.store.append_tables(list(candles().items()))
    yield house
    house.close()
    segment_reader.close()


def candles():
    return {symbol: table(DAYS, seed) for seed, symbol in enumerate(SYMBOLS)}


def assert_whole(store):
    for symbol, kept in candles().items():
        assert store.load(symbol).tobytes() == kept.tobytes()
        assert store.holes(symbol, START, START + DAYS * DAY_MS) == []


def test_sealed_candles_are_read_back_to_the_bit(house):
    house.seal()

    assert house.live_rows() == 0
    assert [path.name for path in house.files()] == [f"2025-0{month}.1.parquet" for month in (1, 2, 3, 4)]
    assert_whole(house.store)


def test_only_whole_months_before_the_bound_are_sealed(house):
    house.seal(START + 59 * DAY_MS - 1)

    assert [path.name for path in house.files()] == ["2025-01.1.parquet"]
    assert_whole(house.store)


def test_what_an_open_prediction_needs_is_not_sealed(house):
    publish_in_june(house, INTERVAL)

    house.seal()

    assert "2025-06.1.parquet" not in {path.name for path in house.files()}
    assert len(house.files()) == 4


def test_an_open_prediction_of_another_interval_holds_no_month_back(house):
    publish_in_june(house, "5m")

    house.seal()

    assert "2025-06.1.parquet" in {path.name for path in house.files()}


def publish_in_june(house, interval):
    """Leave an open row whose candle is of June 2025, beside candles of its days."""
    ledger = PredictionStore(house.engine, "binance", interval, ["rsi"])
    ledger.publish([prediction(0, interval=interval)])
    ledger.settle()
    house.store.append_table("BTCUSDT", table(5, first_day=170))


def test_a_sealed_store_answers_as_one_that_was_never_sealed(tmp_path):
    rng = random.Random(7)
    twins = [SealingHouse(folder) for folder in (tmp_path / "sealed", tmp_path / "plain")]
    source = candles()

    for number in range(60):
        part = sorted(rng.sample(range(len(source["BTCUSDT"])), rng.randint(1, 60)))
        symbol = rng.choice(SYMBOLS)
        late = source[symbol][part].copy()
        late["close"] += rng.choice([0.0, 0.0, 0.01])  # sometimes it contradicts what is kept
        late["high"] += 1.0
        keep = rng.choice(["append_table", "append", "append and settle"])
        for house in twins:
            if keep == "append_table":
                house.store.append_table(symbol, late)
            else:
                house.store.append([Candle(symbol, *row) for row in late.tolist()])
            if keep == "append and settle":
                house.store.settle()
        if rng.random() < 0.2:
            twins[0].seal(START + rng.randint(0, 130) * DAY_MS)
        assert answers(twins[0].store, random.Random(number)) == answers(twins[1].store, random.Random(number))

    for house in twins:
        house.store.settle()
    twins[0].seal()
    assert twins[0].live_rows() == 0
    assert len(twins[0].files()) == 4
    assert answers(twins[0].store, random.Random(3)) == answers(twins[1].store, random.Random(3))
    for house in twins:
        house.close()


def answers(store, rng):
    """Return what a store says to a dozen questions of any kind."""
    said = [store.newest()]
    for _ in range(6):
        symbol = rng.choice(SYMBOLS)
        start, end = sorted(START + rng.randint(-5, DAYS * 6 + 5) * STEP + rng.choice([0, 0, 7]) for _ in range(2))
        limit = rng.choice([None, 0, 1, 5, 40, 500])
        said.append(store.load(symbol, rng.choice([None, start]), rng.choice([None, end]), limit).tolist())
        said.append(store.holes(symbol, start, end))
        opens = [START + rng.randint(0, DAYS * 6) * STEP for _ in range(5)]
        said.append(store.closes([(one, open_ms) for one in SYMBOLS for open_ms in opens]))
    return said


def test_late_candles_are_seen_at_once_and_merged_by_the_next_sealing(tmp_path):
    house = SealingHouse(tmp_path)
    kept = candles()["BTCUSDT"]
    house.store.append_table("BTCUSDT", np.delete(kept, [10, 11, 200]))
    house.seal()

    house.store.append_table("BTCUSDT", kept[[10, 11]])
    before = house.store.load("BTCUSDT")
    house.seal()

    np.testing.assert_array_equal(before, np.delete(kept, 200))
    np.testing.assert_array_equal(house.store.load("BTCUSDT"), np.delete(kept, 200))
    assert house.store.holes("BTCUSDT", START, START + DAYS * DAY_MS) == [(START + 200 * STEP, START + 201 * STEP)]
    assert house.files()[0].name == "2025-01.2.parquet"
    assert len(house.files()) == 4
    house.close()


@pytest.mark.parametrize("last", range(8))
def test_a_kill_after_any_step_loses_and_doubles_nothing(house, tmp_path, last):
    house.close()
    script = SEAL_AND_DIE.format(checkout=str(CHECKOUT), folder=str(tmp_path), last=last)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    heal(house.path)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(done.stdout.split()) == last
    store = CandleStore(open_database(house.path), INTERVAL)
    assert_whole(store)
    house.seal()
    assert_whole(house.store)
    assert (house.live_rows(), len(house.files())) == (0, 4)


@pytest.mark.slow
def test_kills_at_any_moment_lose_and_double_nothing(house, tmp_path):
    house.close()
    rng = random.Random(5)
    script = SEAL_AND_DIE.format(checkout=str(CHECKOUT), folder=str(tmp_path), last=-1)
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        child.stdout.readline()  # it has begun
        threading.Event().wait(rng.uniform(0.0, 0.15))  # any moment of the work: this is not a wait for something
        child.kill()
        child.communicate()
        heal(house.path)
        assert_whole(house.store)
        late = rng.randrange(500)
        house.store.append_table(
            "BTCUSDT", candles()["BTCUSDT"][late : late + 1]
        )  # the month of a candle that is there is looked at anew
        house.engine.dispose()

    house.seal()
    assert_whole(house.store)
    assert (house.live_rows(), len(house.files())) == (0, 4)


def test_readers_in_other_processes_see_every_candle_while_months_are_sealed(house, tmp_path):
    stop = tmp_path / "stop"
    script = READ.format(
        checkout=str(CHECKOUT), path=str(house.path), stop=str(stop), interval=INTERVAL, symbols=SYMBOLS
    )
    readers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == b"ready\n"
    rows = candles()["ETHUSDT"]
    counts = {len(rows)}

    for number in range(4):  # each time the months are written anew
        house.seal()
        extra = table(1, seed=9, first_day=-1 - number)
        house.store.append_table("ETHUSDT", extra)
        counts.add(len(rows) + 6 * (number + 1))
    stop.touch()

    for reader in readers:
        seen, has_pyarrow = json.loads(reader.communicate()[0])
        assert set(seen) <= counts
        assert not has_pyarrow


def test_no_changed_byte_of_a_file_makes_a_candle_wrong(house):
    house.seal()
    path = house.files()[1]
    sound, rng = path.read_bytes(), random.Random(11)
    true = candles()
    places = {0, len(sound) - 1, len(sound) - 6, *(rng.randrange(len(sound)) for _ in range(25))}
    for place in sorted(places):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ (1 << rng.randrange(8))]) + sound[place + 1 :])
        segment_reader.close()  # a new one has not verified the file yet

        for symbol in SYMBOLS:
            found = house.store.load(symbol)
            february = (true[symbol]["open_ms"] >= START + 31 * DAY_MS) & (
                true[symbol]["open_ms"] < START + 59 * DAY_MS
            )
            np.testing.assert_array_equal(found, true[symbol][~february])


@pytest.mark.parametrize("damage", ["changed", "shortened", "gone"])
def test_a_damaged_month_is_set_aside_and_its_candles_are_holes(house, damage, caplog):
    house.seal()
    house.close()
    path = house.files()[1]
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if damage == "shortened" else content[:99] + b"\x00\xff" + content[101:])

    heal(house.path)

    store = CandleStore(open_database(house.path), INTERVAL)
    february = (START + 31 * DAY_MS, START + 59 * DAY_MS)
    holes = [store.holes(symbol, START, START + DAYS * DAY_MS) for symbol in SYMBOLS]
    # A changed byte costs the candles of the one symbol it hits: what can be read and is sound goes back.
    assert holes == [[february], *([[], []] if damage == "changed" else [[february]] * 2)]
    assert store.lost_spans() == [february]
    assert len(list(path.parent.glob("*.damaged-*"))) == (damage != "gone")
    assert "sealed months looked over months=3 lost=1" in caplog.text
    for symbol, kept in candles().items():
        store.append_table(symbol, kept)
    store.found_again(february[0])
    assert_whole(store)
    assert store.lost_spans() == []


def test_a_month_that_is_damaged_when_it_is_sealed_anew_gives_back_what_is_sound(house):
    house.seal()
    path = house.files()[1]
    content = path.read_bytes()
    path.write_bytes(content[:99] + b"\x00\xff" + content[101:])
    house.store.append_table("BTCUSDT", candles()["BTCUSDT"][200:201])  # so that the month is looked at

    house.seal()

    february = (START + 31 * DAY_MS, START + 59 * DAY_MS)
    assert house.store.lost_spans() == [february]  # what is missing is still to be fetched
    assert [name.name for name in house.files()][1] == "2025-02.2.parquet"
    for symbol in SYMBOLS[1:]:
        assert house.store.load(symbol).tobytes() == candles()[symbol].tobytes()
    found = house.store.load("BTCUSDT", *february)
    assert found.tolist() == candles()["BTCUSDT"][200:201].tolist()


@pytest.mark.parametrize(
    "forgotten",
    [
        ["DELETE FROM segments", "DELETE FROM sealed_candles"],
        ["DELETE FROM segments"],
        ["DELETE FROM sealed_candles WHERE symbol = 'ETHUSDT'"],
    ],
)
def test_a_month_the_database_forgot_counts_again(house, caplog, forgotten):
    house.seal()
    with house.engine.begin() as connection:
        for statement in forgotten:
            connection.exec_driver_sql(statement)
    house.close()

    heal(house.path)

    assert_whole(house.store)
    assert "adopted=4" in caplog.text


@pytest.mark.parametrize("free_bytes", [0, 8_192, 20_000, 60_000, 120_000])
def test_a_full_disk_leaves_everything_as_it_was(tmp_path, free_bytes):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "candela-test", folder], capture_output=True)
    if os.geteuid() or mounted.returncode:
        pytest.skip("needs the right to mount")
    house = SealingHouse(folder)
    try:
        house.store.append_tables(list(candles().items()))
        with (folder / "ballast").open("w+b", buffering=0) as ballast:
            fill(ballast)
            ballast.truncate(ballast.tell() - free_bytes)

        with pytest.raises((OSError, MarketError)):
            house.seal()

        assert_whole(house.store)
        assert set(house.files()) == recorded_files(house)
        assert list(sealed_folder(house.path).rglob("*.tmp")) == []
        (folder / "ballast").unlink()
        house.seal()
        assert_whole(house.store)
        assert house.live_rows() == 0
    finally:
        house.close()
        segment_reader.close()
        subprocess.run(["umount", "--lazy", folder], check=True)


def recorded_files(house):
    with house.engine.connect() as connection:
        return {one.path(sealed_folder(house.path)) for one in recorded(connection.connection.cursor())}


def fill(ballast):
    for size in (4096, 1):
        try:
            while ballast.write(b"x" * size):
                pass
        except OSError:
            continue
