"""The loop over real stores: what was published has its place in the tables when it ends."""

import threading

import numpy as np
import pytest

from data.adaptation_store import AdaptationStore
from data.candle_store import CandleStore
from data.database import open_database
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from data.slots import Slot
from engine.forecaster import FeatureBoard, Forecaster, Horizon
from engine.loop import Loop, Stores
from engine.patience import Patience
from features.feature_engineering import COLUMNS
from market.candles import Candle
from market.intervals import HOUR_MS, MINUTE_MS
from utils.datagrams import Postman
from utils.model_utils import BatchPredictor

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP


class Ending:
    """A feed that was stopped right after its last close: no pause follows."""

    def __init__(self, *slots):
        """Hand out these slots."""
        self._slots = slots

    def slots(self):
        """Yield what closed."""
        yield from self._slots


@pytest.fixture
def house(tmp_path):
    """Return the engine of a database, and a function that runs the loop on a feed of these slots."""
    engine = open_database(tmp_path / "test.db")
    candles = CandleStore(engine, "5m")
    stores = Stores(
        candles,
        PredictionStore(engine, "simulated", "5m", COLUMNS),
        GapStore(engine, "5m"),
        AdaptationStore(engine, "5m"),
    )
    postman = Postman(tmp_path / "live")

    def run(*slots, before=None):
        forecaster = Forecaster(BatchPredictor({}.__getitem__, 32), "5m", [Horizon("1h", HOUR_MS)], 24.0)
        board = FeatureBoard(["BTCUSDT"], candles, STEP, before)
        patience = Patience(threading.Event())
        loop = Loop(Ending(*slots), stores, board, forecaster, postman, patience, lambda: START + STEP, STEP)
        if before is not None:
            loop.catch_up(["BTCUSDT", "ETHUSDT"], before)
        loop.run(lambda: None, list)
        return stores

    run.candles = candles
    yield run
    postman.close()
    engine.dispose()


def test_what_was_told_last_is_in_its_place_when_the_loop_ends(house):
    stores = house(Slot([Candle("BTCUSDT", START, 1.0, 1.0, 1.0, 1.0, 5.0)]))

    assert [row["candle_open_time"] for row in stores.predictions.latest()] == ["2025-06-15T15:10:00.000Z"]
    assert stores.predictions.version() == 1
    np.testing.assert_array_equal(stores.candles.load("BTCUSDT")["open_ms"], [START])


def test_a_candle_that_closed_while_nobody_listened_has_its_row(house):
    house.candles.append([Candle("BTCUSDT", START - STEP, 1.0, 1.0, 1.0, 1.0, 5.0)])
    house.candles.append([Candle("BTCUSDT", START, 1.0, 1.0, 1.0, 1.0, 5.0)])

    once = house(before=START).predictions
    again = house(before=START).predictions

    assert [row["candle_open_time"] for row in once.latest()] == ["2025-06-15T15:10:00.000Z"]
    assert len(again.ledger()[0]) == 1


def test_a_candle_whose_successor_has_closed_too_has_none(house):
    house.candles.append([Candle("BTCUSDT", START - STEP, 1.0, 1.0, 1.0, 1.0, 5.0)])

    assert house(before=START - STEP).predictions.latest() == []
