"""What a model sees of a symbol: scale-free numbers from closed candles, the same for history and for a new candle.

Every column is comparable between symbols: no raw price or volume. Rows are nan where a line still warms up, finite
ever after: a flat market or one without volume gives neutral values. Once `WARMUP` candles were taken in, a row does
not depend on where the history starts (to 1e-9). Candles are taken as they come: across a gap in time the caller
decides whether to go on, or to `reset` and warm anew.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from features import kernels
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
}
FORMULAS = {
    # the move of some candles, in moves to be expected by chance
    "return_1": "roc_1 * 100.0 / noise_bps",
    "return_3": "roc_3 * 100.0 / (noise_bps * math.sqrt(3.0))",
    "return_12": "roc_12 * 100.0 / (noise_bps * math.sqrt(12.0))",
    "return_24": "roc_24 * 100.0 / (noise_bps * math.sqrt(24.0))",
    "return_48": "roc_48 * 100.0 / (noise_bps * math.sqrt(48.0))",
    # distance from averages, in average ranges
    "sma_10_distance": "(close - sma_10) * pull",
    "sma_20_distance": "(close - sma_20) * pull",
    "sma_50_distance": "(close - sma_50) * pull",
    "ema_12_distance": "(close - ema_12) * pull",
    "ema_26_distance": "(close - ema_26) * pull",
    "vwap_distance": "(close - vwap) * pull",
    "macd": "macd * pull",
    "macd_histogram": "macd_histogram * pull",
    # oscillators, -1 to 1
    "rsi": "(rsi / 50.0 - 1.0) * stir",
    "stochastic": "stochastic_k / 50.0 - 1.0",
    "stochastic_turn": "(stochastic_k - stochastic_d) / 50.0",
    "mfi": "mfi / 50.0 - 1.0",
    "cci": "cci / 200.0",
    "bollinger_place": f"(close - sma_20) / (2.0 * deviation_20 + {FLOOR} * close)",
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
}

COLUMNS = tuple(FORMULAS)
SCALE = "volatility_48"  # standard deviation of the last 48 one-candle returns, in basis points
WARMUP = 420  # closed candles after which the slowest smoothing has forgotten its first value


class FeatureState:
    """The running features of many symbols, each an index; constant work and memory per candle. For one thread."""

    def __init__(self, symbols: int) -> None:
        """Make room for so many symbols, all without history."""
        self._kernel = _kernel()
        self._states = np.zeros((symbols, self._kernel.state_size))

    def warm(self, index: int, candles: Table) -> Rows:
        """Forget the symbol, take in its history (a `CANDLES` table, oldest first) and return its rows."""
        self.reset(index)
        return self.step(np.full(len(candles), index, dtype=np.int64), candle_values(candles))

    def step(self, indexes: Indexes, values: Rows) -> Rows:
        """Take in one closed candle for each index; return one row of `COLUMNS` for each.

        `values`: open, high, low, close, volume in that order. An index may repeat: its candles are taken in turn.
        """
        if len(indexes) and not 0 <= indexes.min() <= indexes.max() < len(self._states):
            raise IndexError(
                f"symbol indexes go from 0 to {len(self._states) - 1}, not {indexes.min()} to {indexes.max()}"
            )
        if values.shape != (len(indexes), len(CANDLE_COLUMNS)):
            raise ValueError(f"{len(indexes)} symbols need as many candles of 5 values, not {values.shape}")
        rows = np.empty((len(indexes), len(COLUMNS)))
        self._kernel.run(
            self._states, np.ascontiguousarray(indexes, dtype=np.int64), np.ascontiguousarray(values), rows
        )
        return rows

    def seen(self, index: int) -> int:
        """Return how many closed candles of the symbol were taken in; from `WARMUP` on its rows are warm."""
        return int(self._states[index, SEEN])

    def reset(self, index: int) -> None:
        """Forget the symbol's history."""
        self._states[index] = 0.0


def compute_features(candles: Table) -> Rows:
    """Return the features of one symbol's history, a `CANDLES` table, oldest first: one row of `COLUMNS` a candle."""
    return _kernel().run_history(candle_values(candles))


def candle_values(candles: Table) -> Rows:
    """Return open, high, low, close, volume of a `CANDLES` table as plain rows."""
    return np.column_stack([candles[name] for name in CANDLE_COLUMNS])


def compile_kernels() -> dict[str, float | bool]:
    """Compile what features need, or load it from disk; return the seconds it took and whether it was `cached`."""
    kernel = _kernel()
    return {"seconds": kernel.seconds, "cached": kernel.is_from_disk}


@cache
def definition_hash() -> str:
    """Return a hash of all that decides the numbers: formulas and rules. Equal hash, equal features."""
    return write_loop(FORMULAS, SHARED).fingerprint()


@cache
def _kernel() -> kernels.Kernel:
    return kernels.load("features", FORMULAS, SHARED)
