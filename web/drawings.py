"""Coordinates of the small drawings: sparkline, range whisker, probability bar. Templates only place them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SPARK_WIDTH, SPARK_HEIGHT = 92, 22
WHISKER_WIDTH = 148
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Spark:
    """A line through the last closes, and where it ends."""

    points: str
    end_x: float
    end_y: float


@dataclass(frozen=True, slots=True)
class Whisker:
    """An expected move with its range beside the band of costs, all in pixels of one scale."""

    low: float
    high: float
    expected: float
    band_left: float
    band_width: float
    is_cut: bool


def spark(closes: Sequence[float]) -> Spark | None:
    """Return the line through closes, oldest first; None when there are fewer than two."""
    if len(closes) < 2:
        return None
    low, high = min(closes), max(closes)
    scale = (SPARK_HEIGHT - 4) / (high - low) if high > low else 0.0
    step = (SPARK_WIDTH - 4) / (len(closes) - 1)
    points = [(2 + index * step, SPARK_HEIGHT - 2 - (close - low) * scale) for index, close in enumerate(closes)]
    if high == low:
        points = [(x, SPARK_HEIGHT / 2) for x, _ in points]
    return Spark(" ".join(f"{x:.1f},{y:.1f}" for x, y in points), *(round(part, 1) for part in points[-1]))


def whisker(low: float, high: float, expected: float, cost: float, limit: float) -> Whisker:
    """Return the whisker of a range in bps on a scale from -limit to +limit."""

    def x(value: float) -> float:
        return round((max(-limit, min(limit, value)) / limit + 1) * WHISKER_WIDTH / 2, 1)

    return Whisker(x(low), x(high), x(expected), x(-cost), round(x(cost) - x(-cost), 1), low < -limit or high > limit)


def whisker_limit(ranges: Sequence[tuple[float, float]]) -> float:
    """Return a round number of bps that nearly all ranges fit into; some exceptional ones are cut."""
    sizes = sorted(max(abs(low), abs(high)) for low, high in ranges)
    if not sizes:
        return 100.0
    return round_up(max(sizes[int(0.9 * (len(sizes) - 1))], 10.0))


def round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9)))
