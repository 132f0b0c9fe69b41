"""A store with candles of several months, made anew in a folder, and a plain list of what it must hold."""

import numpy as np

from data.candle_store import CandleStore
from data.database import open_database
from data.sealing import Sealing
from data.segments import sealed_folder
from market.candles import CANDLES
from market.intervals import DAY_MS, HOUR_MS

START = 1_735_689_600_000  # 2025-01-01
SYMBOLS = ("BTCUSDT", "ETHUSDT", "币安人生USDT")
INTERVAL, STEP = "4h", 4 * HOUR_MS


def table(days, seed=1, first_day=0):
    """Return the candles of so many days: prices of two digits, volumes of five, as an exchange writes them."""
    rng = np.random.default_rng(seed)
    count = days * DAY_MS // STEP
    candles = np.empty(count, dtype=CANDLES)
    candles["open_ms"] = START + first_day * DAY_MS + np.arange(count) * STEP
    close = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 0.004, count))), 2)
    candles["open"], candles["close"] = np.r_[60_000.0, close[:-1]], close
    spread = np.round(rng.exponential(50, count), 2)
    candles["high"] = np.round(np.maximum(candles["open"], close) + spread, 2)
    candles["low"] = np.round(np.minimum(candles["open"], close) - spread, 2)
    candles["volume"] = np.round(rng.exponential(12, count), 5)
    return candles


class SealingHouse:
    """One database in a folder, opened for writing."""

    def __init__(self, folder, interval=INTERVAL):
        """Open it; nothing is in it yet."""
        self.path = folder / "binance.db"
        self.engine = open_database(self.path)
        self.store = CandleStore(self.engine, interval)
        self.interval = interval

    def seal(self, before_ms=START + 400 * DAY_MS):
        """Seal all months before that moment; return the steps that took."""
        return list(Sealing(self.engine, self.interval).steps(before_ms))

    def files(self):
        """Return the sealed files, oldest month first."""
        return sorted(sealed_folder(self.path).glob("*/*.parquet"))

    def live_rows(self):
        """Return how many candles lie in the live table."""
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM candles").scalar()

    def close(self):
        """Let go of the database."""
        self.engine.dispose()
