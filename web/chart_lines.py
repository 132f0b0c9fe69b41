"""The lines a chart can carry: averages, bands and strength of the close, by the rules of `features`, in plain numpy.

The web loads no numba, so these few rules are written out here; a test holds them to the compiled ones.
"""

from dataclasses import dataclass

import numpy as np

WARM_CANDLES = 400  # after so many, where an average of 26 candles began no longer shows in ten digits
_BAND_WIDTH = 2.0  # standard deviations
_STRENGTH_LENGTH = 14


@dataclass(frozen=True, slots=True)
class Indicator:
    """One choice of the page: its word in the address, its name, the lines it draws."""

    key: str
    name: str
    lines: tuple[str, ...]


INDICATORS = (
    Indicator("sma_20", "SMA 20", ("sma_20",)),
    Indicator("sma_50", "SMA 50", ("sma_50",)),
    Indicator("ema_26", "EMA 26", ("ema_26",)),
    Indicator("bollinger_20", "Bollinger 20", ("bollinger_upper_20", "bollinger_lower_20")),
    Indicator("rsi", "RSI 14", ("rsi",)),
)
LINES = tuple(line for indicator in INDICATORS for line in indicator.lines)
LINE_NAMES = {
    **{indicator.lines[0]: indicator.name for indicator in INDICATORS},
    "bollinger_upper_20": "Upper band",
    "bollinger_lower_20": "Lower band",
}
KEYS = tuple(indicator.key for indicator in INDICATORS)


def chart_lines(closes: np.ndarray) -> dict[str, np.ndarray]:
    """Return every line over the closes, oldest first, by name; nan while a line is not warm.

    Averages are in the unit of the closes, `rsi` is 0 to 100 and 50 where nothing moved.
    """
    closes = np.asarray(closes, dtype=float)
    middle, deviation = _mean(closes, 20), _deviation(closes, 20)
    return {
        "sma_20": middle,
        "sma_50": _mean(closes, 50),
        "ema_26": _exponential(closes, 26),
        "bollinger_upper_20": middle + _BAND_WIDTH * deviation,
        "bollinger_lower_20": middle - _BAND_WIDTH * deviation,
        "rsi": _strength(closes),
    }


def _windows(closes: np.ndarray, length: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(closes, length)


def _late(values: np.ndarray, count: int) -> np.ndarray:
    """Return values behind as many nan as make them `count`."""
    return np.concatenate((np.full(count - len(values), np.nan), values))


def _mean(closes: np.ndarray, length: int) -> np.ndarray:
    if len(closes) < length:
        return np.full(len(closes), np.nan)
    return _late(_windows(closes, length).mean(axis=1), len(closes))


def _deviation(closes: np.ndarray, length: int) -> np.ndarray:
    if len(closes) < length:
        return np.full(len(closes), np.nan)
    return _late(_windows(closes, length).std(axis=1), len(closes))


def _exponential(closes: np.ndarray, length: int) -> np.ndarray:
    return _smoothed(closes, length, 2.0 / (length + 1.0))


def _smoothed(values: np.ndarray, length: int, weight: float) -> np.ndarray:
    """Return an exponential mean, the plain mean of its first `length` values before; nan until there are as many."""
    average, averages = 0.0, []
    for count, value in enumerate(values.tolist(), start=1):
        average += (value - average) * (1.0 / count if count <= length else weight)
        averages.append(average)
    result = np.array(averages, dtype=float)
    result[: length - 1] = np.nan
    return result


def _strength(closes: np.ndarray) -> np.ndarray:
    changes = np.diff(closes)
    gain = _smoothed(np.maximum(changes, 0.0), _STRENGTH_LENGTH, 1.0 / _STRENGTH_LENGTH)
    loss = _smoothed(np.maximum(-changes, 0.0), _STRENGTH_LENGTH, 1.0 / _STRENGTH_LENGTH)
    total = gain + loss
    share = np.divide(gain, total, out=np.where(np.isnan(total), np.nan, 0.5), where=total > 0.0)
    return _late(100.0 * share, len(closes))
