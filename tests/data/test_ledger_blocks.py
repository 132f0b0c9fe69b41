"""Sealed or not, the ledger answers the same, to the last bit, and its chain holds."""

import os
import random
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest

from config import CHECKOUT
from data import ledger_chain
from data.candle_store import CandleStore
from data.database import open_database
from data.gap_store import GapStore
from data.ledger_blocks import ledger_blocks, packed, unpacked
from data.ledger_sealing import ROWS_A_BLOCK, seal_rows
from data.ledger_tables import predictions
from data.prediction_store import Inputs, PredictionStore
from market.candles import Candle
from market.gaps import Gap
from market.intervals import DAY_MS
from market.predictions import Origin, Verdict
from tests.data.test_prediction_store import START, STEP, abstention, prediction

CANDLES = 700
END = START + CANDLES * STEP
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Ledger:
    """One database and the stores on it."""

    def __init__(self, folder):
        """Open the database in a folder."""
        self.path = folder / "simulated-1.db"
        self.engine = open_database(self.path)
        self.store = PredictionStore(self.engine, "simulated", "5m", ["rsi"])
        self.gaps = GapStore(self.engine, "5m")

    def seal(self, before_ms=END + DAY_MS):
        """Seal the rows made before that moment; return how many."""
        return sum(seal_rows(self.engine, "5m", before_ms))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a ledger of 2,800 rows: calls and abstentions, live and replayed, open, scored and void."""
    folder, rng = tmp_path_factory.mktemp("made"), random.Random(3)
    ledger = Ledger(folder)
    for symbol in SYMBOLS:
        prices = [round(100 + rng.gauss(0, 1), 2) for _ in range(CANDLES)]
        rows = [Candle(symbol, START + at * STEP, p, p + 1, p - 1, p, 5.0) for at, p in enumerate(prices) if at != 400]
        CandleStore(ledger.engine, "5m").append_table(symbol, np.array([c.values for c in rows], dtype=TABLE))
    replayed, live = [], []
    for at in range(CANDLES):
        for symbol in SYMBOLS:
            for horizon in ("1h", "4h"):
                row = one(at, symbol, horizon, rng)
                (replayed if at < 300 else live).append(row)
    ledger.store.add_replayed(replayed, [Inputs("BTCUSDT", START + 7 * STEP, np.array([0.25]))])
    for at in range(0, len(live), 40):
        ledger.store.publish(live[at : at + 40])
        ledger.store.settle()
    ledger.store.score(END)
    ledger.gaps.keep([Gap("BTCUSDT", START + 310 * STEP, START + 330 * STEP, END, END + 1, True)])
    ledger.engine.dispose()
    return folder


TABLE = [("open_ms", "<i8"), *((name, "<f8") for name in ("open", "high", "low", "close", "volume"))]


def one(at, symbol, horizon, rng):
    due = {"due_ms": START + (at + 1) * STEP + (12 if horizon == "1h" else 48) * STEP}
    origin = Origin.REPLAYED if at < 300 else Origin.LIVE
    if rng.random() < 0.3:
        return abstention(at, symbol=symbol, horizon=horizon, origin=origin, **due)
    verdict = rng.choice([Verdict.UP, Verdict.DOWN])
    values = {"probability_up": rng.random(), "price": 100 + rng.random(), "model": rng.choice(["m-1", "m-2"])}
    return prediction(at, symbol=symbol, horizon=horizon, origin=origin, verdict=verdict, **values, **due)


@pytest.fixture
def twins(made, tmp_path):
    """Return two equal ledgers."""
    ledgers = []
    for name in ("sealed", "plain"):
        shutil.copytree(made, tmp_path / name)
        ledgers.append(Ledger(tmp_path / name))
    yield ledgers
    for ledger in ledgers:
        ledger.engine.dispose()


def pages(store, **wanted):
    """Return all rows of a list, page by page."""
    rows, cursor = [], None
    while True:
        part, cursor = store.ledger(cursor=cursor, **wanted)
        rows += part
        if cursor is None:
            return rows


def test_every_list_is_as_it_was_before(twins):
    sealed, plain = twins

    moved = sealed.seal()

    assert moved == 2 * ROWS_A_BLOCK
    for wanted in (
        {"limit": 500},
        {"limit": 7, "symbol": "ETHUSDT", "horizon": "4h", "model": "m-2"},
        {"limit": 33, "origin": "replayed"},
        {"limit": 100, "state": "void"},
        {"limit": 100, "state": "open"},
        {"limit": 10, "model": "none such"},
    ):
        assert pages(sealed.store, **wanted) == pages(plain.store, **wanted)
    for horizon in (None, "1h"):
        for origin in ("live", "replayed"):
            for limit in (5, 1_000):
                asked = (limit, origin, horizon)
                assert sealed.store.last_called(*asked) == plain.store.last_called(*asked)
        for limit in (5, 1_000):
            asked = (limit, "BTCUSDT", horizon)
            assert sealed.store.last_scored(*asked) == plain.store.last_scored(*asked)
    assert sealed.store.latest() == plain.store.latest()
    assert sealed.store.first_live_ms() == plain.store.first_live_ms()
    assert sealed.gaps.newest(["1h", "4h"]) == plain.gaps.newest(["1h", "4h"])


def test_every_row_is_found_by_its_id_with_its_inputs(twins):
    sealed, plain = twins
    ids = [row["id"] for row in pages(plain.store, limit=500)]

    sealed.seal()

    for id_ in ids[::97] + ids[-60:]:
        assert sealed.store.row(id_) == plain.store.row(id_)
    assert any(sealed.store.row(id_)["inputs"] for id_ in ids[-60:])


def test_a_list_can_be_read_on_across_a_sealing(twins):
    sealed, plain = twins
    first, cursor = sealed.store.ledger(limit=450)

    sealed.seal()
    rest = []
    while cursor is not None:
        part, cursor = sealed.store.ledger(limit=450, cursor=cursor)
        rest += part

    assert first + rest == pages(plain.store, limit=500)


def test_the_chain_holds_and_still_finds_a_change(twins):
    sealed, _ = twins
    sealed.seal()
    with sealed.engine.connect() as connection:
        assert {link.fault for link in ledger_chain.verify(connection)} == {None}

    with sealed.engine.begin() as connection:
        number, body = connection.exec_driver_sql("SELECT number, body FROM ledger_blocks LIMIT 1").one()
        rows = unpacked(body)
        rows[5]["probability_up"] = 0.999
        changed = packed(rows)
        checksum = zlib.crc32(changed)
        connection.exec_driver_sql(
            "UPDATE ledger_blocks SET body = ?, checksum = ? WHERE number = ?", (changed, checksum, number)
        )

    with sealed.engine.connect() as connection:
        faults = [link.fault for link in ledger_chain.verify(connection) if link.fault]
    assert faults == ["a row is not as it was made"]


def test_a_number_is_not_given_again_and_sealed_time_is_closed(twins):
    sealed, plain = twins
    highest = max(row["id"] for row in pages(plain.store, limit=500))
    sealed.seal()

    sealed.store.add_replayed([prediction(3, origin=Origin.REPLAYED)], [])  # the record of that time is sealed
    (row,) = sealed.store.publish([prediction(CANDLES + 50)]).rows

    assert row["id"] > highest
    assert len(pages(sealed.store, limit=500)) == len(pages(plain.store, limit=500))


def test_a_damaged_block_is_left_out_and_the_audit_finds_it(twins, caplog):
    sealed, plain = twins
    sealed.seal()
    with sealed.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ledger_blocks SET body = zeroblob(500) WHERE number = 1")

    left = pages(sealed.store, limit=500)

    assert len(left) == len(pages(plain.store, limit=500)) - ROWS_A_BLOCK
    assert "old ledger rows damaged" in caplog.text
    with sealed.engine.connect() as connection:
        assert any(link.fault for link in ledger_chain.verify(connection))


def test_blocks_take_a_fraction_of_the_room(twins):
    sealed, _ = twins
    with sealed.engine.connect() as connection:
        size = "SELECT sum(pgsize) FROM dbstat WHERE name IN ('predictions', 'predictions_key', 'predictions_newest')"
        before = connection.exec_driver_sql(size).scalar() / 2_800

    sealed.seal()

    with sealed.engine.connect() as connection:
        after = connection.exec_driver_sql("SELECT sum(length(body) + length(words)) FROM ledger_blocks").scalar()
    assert after / (2 * ROWS_A_BLOCK) < before / 3


def test_any_row_comes_back_to_the_bit():
    rng = np.random.default_rng(4)
    rows = []
    for number in range(300):
        row = {column.name: None for column in predictions.columns}
        for column in predictions.columns:
            if rng.random() < 0.2 and column.nullable:
                continue
            kind = column.type.python_type
            power = 10.0 ** rng.integers(-300, 300)
            drawn = {int: int(rng.integers(-(2**62), 2**62)), float: float(rng.normal() * power)}
            row[column.name] = drawn.get(kind, f"{column.name} ü{number % 7}")
        rows.append(row)

    assert unpacked(packed(rows)) == rows


def test_only_whole_blocks_of_old_rows_are_sealed(twins):
    sealed, _ = twins

    assert sealed.seal(START + 100 * STEP) == 0
    assert sealed.seal(START + 300 * STEP) == ROWS_A_BLOCK
    with sealed.engine.connect() as connection:
        assert connection.execute(ledger_blocks.select()).one().row_count == ROWS_A_BLOCK


def test_the_sealer_seals_them_and_says_so(twins):
    sealed, _ = twins
    environment = {**os.environ, "CANDELA_INSTANCE_DIR": str(sealed.path.parent), "CANDELA_INTERVAL": "5m"}
    command = [sys.executable, "-m", "engine.sealer", "--venue", "simulated-1", "--before-ms", str(END + DAY_MS)]

    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0
    assert "ledger rows sealed count=2000" in done.stdout + done.stderr
    assert len(pages(sealed.store, limit=500)) == 2_800
