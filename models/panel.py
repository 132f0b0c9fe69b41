"""All symbols of one market on one grid of time: what training reads, and the outcomes it learns from."""

from dataclasses import dataclass

import numpy as np

from market.errors import ModelError
from market.predictions import BPS

MIN_SCALE_BPS = 0.1  # a flat market still moves by a tick


@dataclass(frozen=True, slots=True)
class Panel:
    """Features and closes of S symbols at T closed candles without a gap in time; nan where a symbol has none."""

    symbols: tuple[str, ...]
    columns: tuple[str, ...]  # names of the F features, in their order
    scale_column: str  # the one that holds the volatility of one candle, in bps
    open_ms: np.ndarray  # (T,)
    features: np.ndarray  # (S, T, F), float32 or float64
    close: np.ndarray  # (S, T)

    def __post_init__(self) -> None:
        """Refuse shapes that do not belong together."""
        expected = (len(self.symbols), len(self.open_ms), len(self.columns))
        if self.features.shape != expected or self.close.shape != expected[:2]:
            raise ModelError(f"panel of {expected} has features {self.features.shape} and closes {self.close.shape}")
        if self.scale_column not in self.columns:
            raise ModelError(f"scale column {self.scale_column!r} is none of the features")

    @property
    def scale_index(self) -> int:
        """Return which column holds the volatility."""
        return self.columns.index(self.scale_column)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened one horizon after each candle of a panel; nan where it is not known."""

    horizon_candles: int
    return_bps: np.ndarray  # (S, T) simple return
    scale_bps: np.ndarray  # (S, T) size of a usual move over the horizon
    is_row: np.ndarray  # (S, T) the features are all finite: a model can be asked

    @property
    def is_labelled(self) -> np.ndarray:
        """Return where a row has both features and an outcome."""
        result: np.ndarray = self.is_row & np.isfinite(self.return_bps)
        return result


@dataclass(frozen=True, slots=True)
class Sample:
    """Some labelled rows of a panel, with where they stand in time."""

    rows: np.ndarray  # (n, F) float32
    up: np.ndarray  # (n,) bool
    moves: np.ndarray  # (n,) return in units of the usual move
    times: np.ndarray  # (n,) index of the candle
    symbols: np.ndarray  # (n,) index of the symbol

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.up)


def outcomes_of(panel: Panel, horizon_candles: int) -> Outcomes:
    """Return the outcomes of every row of a panel; a tie counts as not up."""
    returns = np.full(panel.close.shape, np.nan)
    if horizon_candles < panel.close.shape[1]:
        returns[:, :-horizon_candles] = panel.close[:, horizon_candles:] / panel.close[:, :-horizon_candles] - 1.0
    scale = usual_move_bps(panel.features[:, :, panel.scale_index], horizon_candles)
    is_row = np.isfinite(panel.features).all(axis=2)
    return Outcomes(horizon_candles, returns * BPS, scale, is_row)


def usual_move_bps(candle_bps: np.ndarray, horizon_candles: int) -> np.ndarray:
    """Return the size of a usual move over the horizon from the volatility of one candle, in bps."""
    scale = np.maximum(candle_bps.astype(np.float64), MIN_SCALE_BPS)
    result: np.ndarray = scale * np.sqrt(float(horizon_candles))
    return result


def sample(panel: Panel, outcomes: Outcomes, span: range, max_rows: int) -> Sample:
    """Return the labelled rows of a span of candles; every k-th of each symbol, staggered, when they are too many."""
    stride = max(1, -(-len(panel.symbols) * len(span) // max_rows))
    symbols, times = _staggered(len(panel.symbols), span, stride)
    keep = outcomes.is_labelled[symbols, times]
    symbols, times = symbols[keep], times[keep]
    returns = outcomes.return_bps[symbols, times]
    rows = panel.features[symbols, times].astype(np.float32, copy=False)
    return Sample(rows, returns > 0.0, returns / outcomes.scale_bps[symbols, times], times, symbols)


def _staggered(symbol_count: int, span: range, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return symbol and candle of the chosen rows: evenly over symbols and over time."""
    parts = [np.arange(span.start + symbol % stride, span.stop, stride) for symbol in range(symbol_count)]
    symbols = np.repeat(np.arange(symbol_count), [len(part) for part in parts])
    return symbols, np.concatenate(parts)
