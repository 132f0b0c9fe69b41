"""Where the marks of scores stand: on a reliability diagram in pixels, on a line in percent of its width."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web.drawings import round_up

PLOT_WIDTH, PLOT_HEIGHT = 440, 438
_LEFT, _TOP, _SIDE = 44, 30, 380  # the square of said against happened
_BARS_TOP, _BARS_HEIGHT = _TOP + _SIDE + 26, 40
_Z = 1.959964  # 95 %
_LEAST_LIMIT = 0.02
_LEAST_LEFT = 0.25  # of the right side, so that the line of no skill never is the edge


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """One tenth of probability: the point, its whisker, and the bar that says how many."""

    x: float
    y: float
    low_y: float
    high_y: float
    bar_x: float
    bar_height: float
    begin: float
    end: float
    said: float
    happened: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """The diagram's points, the pixels of its axes, and its sample."""

    points: list[ReliabilityPoint]
    ticks: list[tuple[float, float, float]]  # share, x, y
    n: int


@dataclass(frozen=True, slots=True)
class Scale:
    """The values at both ends of a line, and where none and the ends stand, in percent."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value stands, 0 to 100; beyond an end, at it."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(2 + 96 * share, 2)

    def is_cut(self, low: float, high: float) -> bool:
        """Return whether an interval goes on beyond an end."""
        return low < self.low or high > self.high


def reliability(calibration: Sequence[dict[str, Any]], n_independent: int) -> Reliability | None:
    """Return the diagram of calibration bins; None without rows.

    Whiskers are Wilson's interval (1927) at 95 %, of as many cases as do not overlap: of the `n_independent` horizons
    each bin has the share it has of the rows.
    """
    total = sum(entry["n"] for entry in calibration)
    if not total:
        return None
    most = max(entry["n"] for entry in calibration)
    ticks = [(share / 4, _LEFT + _SIDE * share / 4, _TOP + _SIDE * (1 - share / 4)) for share in range(5)]
    return Reliability([_point(entry, n_independent / total, most) for entry in calibration], ticks, total)


def score_scale(intervals: Sequence[tuple[float, float]]) -> Scale:
    """Return a scale in round numbers that holds 0 and three quarters of the intervals (low, high) whole."""
    sizes = sorted(max(abs(low), abs(high)) for low, high in intervals)
    usual = sizes[3 * len(sizes) // 4] if sizes else 0.0
    limit = round_up(max(min(usual, 1.0), _LEAST_LIMIT))
    lowest = min((low for low, _ in intervals), default=0.0)
    return Scale(-limit if lowest < -limit * _LEAST_LEFT else -limit * _LEAST_LEFT, limit)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share seen in n independent cases."""
    spread = _Z * _Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _point(entry: dict[str, Any], independent_share: float, most: int) -> ReliabilityPoint:
    low, high = wilson(entry["share_up"], max(entry["n"] * independent_share, 1.0))
    return ReliabilityPoint(
        x=round(_LEFT + _SIDE * entry["mean_probability"], 1),
        y=_y(entry["share_up"]),
        low_y=_y(low),
        high_y=_y(high),
        bar_x=round(_LEFT + _SIDE * entry["low"] + 4, 1),
        bar_height=round(max(_BARS_HEIGHT * entry["n"] / most, 0.8), 1),
        begin=entry["low"],
        end=entry["high"],
        said=entry["mean_probability"],
        happened=entry["share_up"],
        low=low,
        high=high,
        n=entry["n"],
    )


def _y(share: float) -> float:
    return round(_TOP + _SIDE * (1 - share), 1)
