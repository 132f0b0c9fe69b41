"""What a model sees of a symbol: scale-free numbers from closed candles, the same for history and for a new candle.

A row is the symbol's own columns (`FORMULAS`), over base candles and a longer timeframe, and then what the other
symbols did (`features.market_context`). Every column is comparable between symbols: no raw price or volume. Rows are
nan where a line still warms up, finite ever after: a flat market or one without volume gives neutral values. Once
`WARMUP` candles were taken in, a row does not depend on where the history starts (to 1e-9). Candles are taken as they
come: across a gap in time the caller decides whether to go on, or to `reset` and warm anew.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features import kernels, market_context
from features.loop_source import SEEN, write_loop
from market.candles import COLUMNS as CANDLE_COLUMNS

Table = npt.NDArray[np.void]
Rows = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]

# Moves below this (0.01 basis points) count as none, so that a quiet market is not a division by almost nothing.
FLOOR = 1e-6

# What several formulas share. Smoothed lines never quite forget: where nothing moves, `stir` fades their ratios out.
# A distance times `pull` is that distance in average ranges.
SHARED = {
    "noise_bps": f"volatility_48 + {FLOOR * 1e4}",
    "reach": f"atr + {FLOOR} * close",
    "stir": "atr / reach",
    "pull": "stir / reach",
    "span": "high - low",
    "noise_x12": f"volatility_12_x12 + {FLOOR * 1e4}",
}
FORMULAS = {
    # the move of some candles, in moves to be expected by chance
    "return_1": "roc_1 * 100.0 / noise_bps",
    "return_3": "roc_3 * 100.0 / (noise_bps * math.sqrt(3.0))",
    "return_12": "roc_12 * 100.0 / (noise_bps * math.sqrt(12.0))",
    "return_24": "roc_24 * 100.0 / (noise_bps * math.sqrt(24.0))",
    # distance from averages, in average ranges
    "sma_20_distance": "(close - sma_20) * pull",
    "sma_50_distance": "(close - sma_50) * pull",
    "ema_12_distance": "(close - ema_12) * pull",
    "macd": "macd * pull",
    "macd_histogram": "macd_histogram * pull",
    # oscillators, -1 to 1
    "rsi": "(rsi / 50.0 - 1.0) * stir",
    "stochastic": "stochastic_k / 50.0 - 1.0",
    "stochastic_turn": "(stochastic_k - stochastic_d) / 50.0",
    "mfi": "mfi / 50.0 - 1.0",
    "cci": "cci / 200.0",
    "channel_48": "channel_48",
    "channel_192": "channel_192",
    # trend or noise
    "adx": "adx / 100.0 * stir",
    "direction": "direction / 100.0 * stir",
    "efficiency_10": "efficiency_10",
    "efficiency_48": "efficiency_48",
    # who pushes
    "chaikin": "chaikin",
    "wick_balance": "wick_balance",
    "volume_balance": "volume_balance",
    # how much is traded against what is usual, -1 to 1
    "volume_ratio": "ratio(volume - mean_volume_20, volume + mean_volume_20, 0.0)",
    "volume_trend": "ratio(mean_volume_5 - mean_volume_96, mean_volume_5 + mean_volume_96, 0.0)",
    # how much it moves
    "volatility_48": "volatility_48",
    "volatility_ratio": "volatility_12 / noise_bps",
    "volatility_trend": f"volatility_48 / (volatility_192 + {FLOOR * 1e4})",
    "range_bps": "atr / close * 1e4",
    "range_ratio": "span / reach",
    # the last candle
    "body": "ratio(close - open_, span, 0.0)",
    "close_place": "ratio((close - low) - (high - close), span, 0.0)",
    # A longer timeframe: the last whole candle of 12 base candles, such as 1 h of 5 m candles. Between two of them only
    # what compares with the present close or noise moves.
    "return_12_x12": "roc_12_x12 * 100.0 / (noise_x12 * math.sqrt(12.0))",
    "sma_10_distance_x12": "(close - sma_10_x12) / sma_10_x12 * 1e4 / noise_x12",
    "efficiency_10_x12": "efficiency_10_x12",
    "mfi_x12": "mfi_x12 / 50.0 - 1.0",
    "body_x12": "ratio(close_x12 - open__x12, high_x12 - low_x12, 0.0)",
    # above 1: moves add up over the longer candle; below: they take each other back
    "volatility_ratio_x12": "volatility_12_x12 / (noise_bps * math.sqrt(12.0))",
}

OWN_COLUMNS = tuple(FORMULAS)
COLUMNS = (*OWN_COLUMNS, *market_context.COLUMNS)
SCALE = "volatility_48"  # standard deviation of the last 48 one-candle returns, in basis points
# Closed candles after which every own column is there and the slowest smoothing has forgotten its first value.
OWN_WARMUP = 420
WARMUP = OWN_WARMUP + 1  # the market is looked at one candle earlier

# Cross-sections kept: of the candle before, and room for candles that come one or two closes late. A row later than
# that is never published, so it need not know the market of its time.
_KEPT = 4
_AT_ONCE = 2_000_000  # numbers of a panel that are worked on at once: about 16 MB each time


class FeatureState:
    """The running features of many symbols, each an index; constant work and memory per candle. For one thread."""

    def __init__(self, symbols: int, interval_ms: int) -> None:
        """Make room for so many symbols, all without history, on candles of `interval_ms`."""
        self._kernel = _kernel()
        self._interval_ms = interval_ms
        self._states = np.zeros((symbols, self._kernel.state_size))
        self._sections = np.full((_KEPT, symbols, len(market_context.SECTIONS)), np.nan)
        self._section_numbers = np.zeros((_KEPT, symbols), dtype=np.int64)  # of the candles they were made from

    def warm(self, index: int, candles: Table) -> Rows:
        """Forget the symbol, take in its history (a `CANDLES` table, oldest first); return its rows of `OWN_COLUMNS`.

        Where the history has a hole, the caller cuts it.
        """
        self.reset(index)
        numbers = candles["open_ms"] // self._interval_ms
        rows = self._run(np.full(len(candles), index, dtype=np.int64), numbers, candle_values(candles))
        warm = range(max(OWN_WARMUP - 1, len(candles) - _KEPT), len(candles))
        for place in warm:
            self._keep(np.array([index]), int(numbers[place]), rows[place : place + 1])
        return rows

    def step(self, indexes: Indexes, open_ms: int, values: Rows) -> Rows:
        """Take in closed candles that opened at `open_ms`, one for each index; return one row of `COLUMNS` for each.

        `values`: open, high, low, close, volume in that order. Candles of a close may come in several steps.
        """
        if len(indexes) and not 0 <= indexes.min() <= indexes.max() < len(self._states):
            raise IndexError(
                f"symbol indexes go from 0 to {len(self._states) - 1}, not {indexes.min()} to {indexes.max()}"
            )
        if values.shape != (len(indexes), len(CANDLE_COLUMNS)):
            raise ValueError(f"{len(indexes)} symbols need as many candles of 5 values, not {values.shape}")
        number = open_ms // self._interval_ms
        own = self._run(indexes, np.full(len(indexes), number), values)
        is_warm = self._states[indexes, SEEN] >= OWN_WARMUP
        self._keep(indexes[is_warm], number, own[is_warm])
        return np.concatenate([own, market_context.context(self._earlier(number - 1))[indexes]], axis=1)

    def seen(self, index: int) -> int:
        """Return how many closed candles of the symbol were taken in; from `WARMUP` on its rows are warm."""
        return int(self._states[index, SEEN])

    def reset(self, index: int) -> None:
        """Forget the symbol's history; what it was to the market at its last candles stays true."""
        self._states[index] = 0.0

    def _run(self, indexes: Indexes, numbers: Indexes, values: Rows) -> Rows:
        rows = np.empty((len(indexes), len(OWN_COLUMNS)))
        self._kernel.run(
            self._states, np.ascontiguousarray(indexes, dtype=np.int64), numbers, np.ascontiguousarray(values), rows
        )
        return rows

    def _keep(self, indexes: Indexes, number: int, own: Rows) -> None:
        self._sections[number % _KEPT, indexes] = market_context.sections(own, OWN_COLUMNS)
        self._section_numbers[number % _KEPT, indexes] = number

    def _earlier(self, number: int) -> Rows:
        """Return the sections every symbol had at the candle of that number; nan where it had none."""
        is_of_then = self._section_numbers[number % _KEPT, :, None] == number
        return np.where(is_of_then, self._sections[number % _KEPT], np.nan)


def compute_features(candles: Table, interval_ms: int) -> Rows:
    """Return what one symbol's history says by itself: a row of `OWN_COLUMNS` for each candle of a `CANDLES` table.

    Candles are taken as they follow each other, oldest first; the caller cuts the history where it has a hole.
    """
    return _kernel().run_history(candles["open_ms"] // interval_ms, candle_values(candles))


def add_market(panel: Rows) -> None:
    """Fill in the market's columns of a panel (symbols, candles, `COLUMNS`) whose own columns are there.

    The candles follow each other without a hole; own columns are nan where a symbol has no warm row. Nothing is known
    of the market before the first candle: that row stays nan.
    """
    symbols, candles, _ = panel.shape
    chunk = max(1, _AT_ONCE // max(1, symbols * len(COLUMNS)))
    panel[:, :1, len(OWN_COLUMNS) :] = np.nan
    for start in range(1, candles, chunk):
        stop = min(start + chunk, candles)
        earlier = market_context.sections(panel[:, start - 1 : stop - 1], COLUMNS)
        panel[:, start:stop, len(OWN_COLUMNS) :] = market_context.context(earlier)


def candle_values(candles: Table) -> Rows:
    """Return open, high, low, close, volume of a `CANDLES` table as plain rows."""
    return np.column_stack([candles[name] for name in CANDLE_COLUMNS])


def compile_kernels() -> dict[str, float | bool]:
    """Compile what features need, or load it from disk; return the seconds it took and whether it was `cached`."""
    kernel = _kernel()
    return {"seconds": kernel.seconds, "cached": kernel.is_from_disk}


@cache
def definition_hash() -> str:
    """Return a hash of all that decides the numbers: formulas, rules, the market's part. Equal hash, equal features."""
    digest = hashlib.sha256(write_loop(FORMULAS, SHARED).fingerprint().encode())
    digest.update(Path(market_context.__file__).read_bytes())
    digest.update(f"{OWN_WARMUP}".encode())
    return digest.hexdigest()


@cache
def _kernel() -> kernels.Kernel:
    return kernels.load("features", FORMULAS, SHARED)
