"""Coordinates of the drawings on a model's card: skill with its interval, drift of the largest features."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, MIDDLE, REACH = 350, 175, 165
DRIFT_BARS = 10
_DRIFT_HEIGHT, _DRIFT_LIMIT_Y = 34, 18.0  # the limit is drawn at this height; twice of it fills the drawing
_BAR_WIDTH, _BAR_STEP = 24, 35
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class SkillPlot:
    """A dot with its whisker on a scale that all cards of a page share; `limit` is its end, a share of 1."""

    point: float
    low: float | None
    high: float | None
    limit: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One feature's stability index as a bar."""

    x: int
    y: float
    height: float
    has_moved: bool


def skill_limit(values: Sequence[float | None]) -> float:
    """Return the end of a scale that holds these shares of 1, as far as they are usual."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return next((step for step in _STEPS if step >= largest), _STEPS[-1])


def skill_plot(value: float, low: float | None, high: float | None, limit: float) -> SkillPlot:
    """Return the places of a skill and its interval."""

    def place(share: float) -> float:
        return round(MIDDLE + REACH * max(-1.0, min(share / limit, 1.0)), 1)

    return SkillPlot(place(value), None if low is None else place(low), None if high is None else place(high), limit)


def drift_bars(shares: Sequence[float]) -> list[Bar]:
    """Return one bar for each of the first shares of a limit; one of twice the limit or more fills the drawing."""
    bars = []
    for number, share in enumerate(shares[:DRIFT_BARS]):
        height = round(min(max(share * (_DRIFT_HEIGHT - _DRIFT_LIMIT_Y), 1.0), _DRIFT_HEIGHT), 1)
        bars.append(Bar(number * _BAR_STEP, round(_DRIFT_HEIGHT - height, 1), height, share > 1.0))
    return bars
