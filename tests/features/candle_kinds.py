"""Candles that are hard on arithmetic: quiet, tiny, flat, untraded, jumping, long."""

import gzip

import numpy as np

from market.candles import CANDLES, COLUMNS

FIRST_MS = 1_700_000_400_000
MINUTE_MS = 60_000


def as_table(open_, high, low, close, volume):
    """Return plain columns as a CANDLES table of one-minute candles."""
    table = np.zeros(len(close), dtype=CANDLES)
    table["open_ms"] = FIRST_MS + MINUTE_MS * np.arange(len(close))
    for name, values in zip(COLUMNS, (open_, high, low, close, volume), strict=True):
        table[name] = values
    return table


def around(close, reach, seed):
    """Return candles with these closes, wicks of about `reach`, and volumes with a fat tail."""
    rng = np.random.default_rng(seed)
    open_ = np.r_[close[0], close[:-1]]
    high = np.maximum(open_, close) + np.abs(rng.normal(0, reach, len(close)))
    low = np.minimum(open_, close) - np.abs(rng.normal(0, reach, len(close)))
    return as_table(open_, high, low, close, rng.lognormal(0, 1, len(close)))


def walk(count=3_000, price=100.0, noise=1e-3, seed=1):
    """Return a random walk; `noise` is the deviation of one return."""
    close = price * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, noise, count)))
    return around(close, price * noise / 2, seed)


def quiet(count=3_000, seed=2):
    """Return a quiet BTC minute after the other: price 100,000, noise 0.2."""
    return around(1e5 + np.random.default_rng(seed).normal(0, 0.2, count), 0.1, seed)


def tiny(count=3_000, seed=3):
    """Return a coin of 0.00001."""
    return walk(count, price=1e-5, seed=seed)


def flat(count=1_500):
    """Return a price that never moves, and volume that does."""
    price = np.full(count, 100.1)
    return as_table(price, price, price, price, np.random.default_rng(4).lognormal(0, 1, count))


def untraded(count=2_000, seed=5):
    """Return a walk whose volume stops after a while."""
    table = walk(count, seed=seed)
    table["volume"][700:] = 0.0
    return table


def halted(count=2_000, seed=6):
    """Return a walk that freezes for a hundred candles, without volume, and goes on."""
    table = walk(count, seed=seed)
    for name in ("open", "high", "low", "close"):
        table[name][700:800] = table["close"][699]
    table["volume"][700:800] = 0.0
    return table


def jumping(count=2_000, seed=7):
    """Return quiet BTC with one candle at a tenth of the price and one with a million times the volume."""
    table = quiet(count, seed)
    for name in ("low", "close"):
        table[name][600] = 1e4
    table["volume"][900] = 1e6
    return table


def numbers_of(candles):
    """Return how many minutes lie between 1970 and each candle."""
    return candles["open_ms"] // MINUTE_MS


KINDS = {kind.__name__: kind for kind in (walk, quiet, tiny, flat, untraded, halted, jumping)}


def recorded(path):
    """Return the candles of a recorded kline file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        columns = np.loadtxt(lines, delimiter=",", skiprows=1, usecols=range(6), unpack=True)
    table = as_table(*columns[1:])
    table["open_ms"] = columns[0]
    return table
