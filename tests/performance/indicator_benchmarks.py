"""Twenty-five lines of twenty indicators: whole histories, and one new candle of many symbols, beside TA-Lib."""

import statistics
import time
from fractions import Fraction

import numpy as np
import talib

from features import kernels
from features.feature_engineering import candle_values
from tests.features.candle_kinds import numbers_of, quiet, walk
from tests.features.talib_oracle import distances

LINES = (
    *("sma_10", "sma_20", "sma_50", "ema_12", "ema_26", "ema_50", "rsi", "macd", "macd_signal", "macd_histogram"),
    *("bollinger_upper_20", "bollinger_middle_20", "bollinger_lower_20", "atr", "adx", "stochastic_k", "stochastic_d"),
    *("obv", "mfi", "cci", "williams", "roc_10", "momentum_10", "deviation_20", "vwap"),
)
SYMBOLS, CANDLES, TAIL = 500, 5_000, 120
ROUNDS, STEPS = 7, 200
TOLERANCE = 1e-9


def indicators_batch():
    """25 lines of 500 symbols x 5,000 candles, one thread, nanoseconds a bar (lines of one symbol kept at a time)."""
    kernel, market = _kernel(), _market()
    columns = [np.ascontiguousarray(values.T) for values in market]
    rows, indexes = np.empty((CANDLES, len(LINES))), np.zeros(CANDLES, dtype=np.int64)
    numbers = np.arange(CANDLES)

    def ours():
        for values in market:
            kernel.run(np.zeros((1, kernel.state_size)), indexes, numbers, values, rows)

    def anchor():
        for symbol in columns:
            _talib(*symbol)

    anchor_s, ours_s = _medians(anchor, ours)
    bars = SYMBOLS * CANDLES
    return {
        "anchor": f"TA-Lib {talib.__version__}",
        "anchor_value": anchor_s / bars * 1e9,
        "ours_value": ours_s / bars * 1e9,
        "unit": "ns/bar",
        "goal": "<= 45",
        "gate": _gate(kernel),
    }


def indicators_step():
    """One new candle of 500 symbols, 25 lines each, milliseconds for all of them."""
    kernel, market = _kernel(), _market()
    states, rows = np.zeros((SYMBOLS, kernel.state_size)), np.empty((SYMBOLS, len(LINES)))
    warm, indexes = np.empty((CANDLES - STEPS, len(LINES))), np.arange(SYMBOLS)
    for index, values in enumerate(market):
        kernel.run(states, np.full(len(warm), index), np.arange(len(warm)), values[: len(warm)], warm)
    tails = [np.ascontiguousarray(values[-TAIL:].T) for values in market]

    def anchor():
        for tail in tails:
            _talib(*tail)

    spent = []
    for t in range(len(warm), CANDLES):
        candles = np.ascontiguousarray(market[:, t])
        numbers = np.full(SYMBOLS, t)
        started = time.perf_counter()
        kernel.run(states, indexes, numbers, candles, rows)
        spent.append(time.perf_counter() - started)
    return {
        "anchor": f"TA-Lib {talib.__version__} over the last {TAIL} candles",
        "anchor_value": statistics.median(_seconds(anchor) for _ in range(ROUNDS)) * 1e3,
        "ours_value": statistics.median(spent) * 1e3,
        "unit": "ms",
        "goal": "<= 0.05",
        "gate": _gate(kernel),
    }


def _kernel():
    return kernels.load("benchmark", {line: line for line in LINES})


def _market():
    """Return the candles of symbols of very different price, one after the other."""
    return np.array([candle_values(walk(CANDLES, 10.0 ** (seed % 11 - 5), seed=seed)) for seed in range(SYMBOLS)])


def _gate(kernel):
    """Return "passed" when lines equal TA-Lib, and the deviation of a quiet market exact arithmetic, or "failed"."""
    candles = walk(CANDLES)
    drawn = dict(zip(kernel.columns, kernel.run_history(numbers_of(candles), candle_values(candles)).T, strict=True))
    worst = max(value for line, value in distances(drawn, candles).items())
    return "passed" if max(worst, _quiet_error(kernel)) <= TOLERANCE else "failed"


def _quiet_error(kernel):
    candles = quiet(200)
    drawn = kernel.run_history(numbers_of(candles), candle_values(candles))[-1, LINES.index("deviation_20")]
    window = [Fraction(float(close)) for close in candles["close"][-20:]]
    mean = sum(window) / 20
    return abs(drawn / float(sum((close - mean) ** 2 for close in window) / 20) ** 0.5 - 1)


def _medians(*works):
    """Return the median seconds of each, taken in turns so that a busy moment hits all of them."""
    rounds = [[_seconds(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def _seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _talib(open_, high, low, close, volume):
    price = (high + low + close) / 3
    return (
        *(talib.SMA(close, length) for length in (10, 20, 50)),
        *(talib.EMA(close, length) for length in (12, 26, 50)),
        talib.RSI(close, 14),
        *talib.MACD(close),
        *talib.BBANDS(close, 20),
        talib.ATR(high, low, close, 14),
        talib.ADX(high, low, close, 14),
        *talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
        talib.OBV(close, volume),
        talib.MFI(high, low, close, volume, 14),
        talib.CCI(high, low, close, 20),
        talib.WILLR(high, low, close, 14),
        talib.ROC(close, 10),
        talib.MOM(close, 10),
        talib.STDDEV(close, 20),
        talib.SUM(price * volume, 20) / talib.SUM(volume, 20),
    )


BENCHMARKS = (indicators_batch, indicators_step)
