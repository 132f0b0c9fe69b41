"""Coordinates of the small drawings: sparkline, range whisker, probability bar, candles. Templates only place them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SPARK_WIDTH, SPARK_HEIGHT = 92, 22
WHISKER_WIDTH = 148
PLOT_WIDTH, PLOT_HEIGHT = 860, 380
_PRICE_HEIGHT = 300  # the rest belongs to the volume
_STEPS = (1, 2, 2.5, 5, 10)
_HOUR_MS = 3_600_000
_TIME_STEPS_MS = tuple(round(hours * _HOUR_MS) for hours in (1 / 12, 1 / 6, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24, 96, 384))


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


@dataclass(frozen=True, slots=True)
class CandleDrawing:
    """Candles as SVG paths with a price axis and a forecast range."""

    wicks_up: str
    wicks_down: str
    bodies_up: str
    bodies_down: str
    volumes: str
    labels: list[tuple[float, float]]  # y, price
    times: list[tuple[float, int]]  # x, open_ms
    cone: str
    cone_end: tuple[float, float, float, float] | None  # x, y of high, expected, low


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


def candle_drawing(
    candles: np.ndarray, forecast: tuple[float, float, float] | None, width: int = PLOT_WIDTH
) -> CandleDrawing | None:
    """Return the drawing of a `CANDLES` table and, to its right, a forecast's prices (low, expected, high)."""
    if len(candles) == 0:
        return None
    right = width - 88  # room for the price labels
    room = right * (0.8 if forecast else 1.0)
    step = room / len(candles)
    low, high = float(candles["low"].min()), float(candles["high"].max())
    if forecast:
        low, high = min(low, *forecast), max(high, *forecast)
    margin = (high - low or high or 1.0) * 0.04
    low, high = low - margin, high + margin

    def y(price: float) -> float:
        return round(_PRICE_HEIGHT * (high - price) / (high - low), 1)

    wicks: dict[bool, list[str]] = {True: [], False: []}
    bodies: dict[bool, list[str]] = {True: [], False: []}
    volumes = []
    loudest = float(candles["volume"].max()) or 1.0
    half = max(step * 0.34, 0.6)
    for index, candle in enumerate(candles):
        x, is_up = step * (index + 0.5), bool(candle["close"] >= candle["open"])
        top, bottom = y(max(candle["open"], candle["close"])), y(min(candle["open"], candle["close"]))
        bottom = max(bottom, top + 1)
        wick = f"M{x:.1f} {y(candle['high'])}V{top}" + f"M{x:.1f} {bottom}V{y(candle['low'])}"
        wicks[is_up].append(wick)
        bodies[is_up].append(f"M{x - half:.1f} {top}h{2 * half:.1f}V{bottom}h{-2 * half:.1f}z")
        tall = 44 * float(candle["volume"]) / loudest
        volumes.append(f"M{x - half:.1f} {PLOT_HEIGHT - 22}v{-tall:.1f}h{2 * half:.1f}v{tall:.1f}z")
    times = [(round(step * (i + 0.5), 1), int(candles["open_ms"][i])) for i in _round_times(candles["open_ms"])]
    cone, end = _cone(float(candles["close"][-1]), forecast, room, right, y)
    return CandleDrawing(
        "".join(wicks[True]),
        "".join(wicks[False]),
        "".join(bodies[True]),
        "".join(bodies[False]),
        "".join(volumes),
        [(y(price), price) for price in _ticks(low, high)],
        times,
        cone,
        end,
    )


def _cone(
    price: float, forecast: tuple[float, float, float] | None, left: float, right: float, y: Callable[[float], float]
) -> tuple[str, tuple[float, float, float, float] | None]:
    """Return the range that opens with the square root of time, as a path, and its end."""
    if forecast is None:
        return "", None
    low, expected, high = forecast
    shares = [step / 16 for step in range(17)]
    width = right - left - 8

    def edge(end: float) -> list[str]:
        path = ((left + width * s, price + (expected - price) * s + (end - expected) * s**0.5) for s in shares)
        return [f"{x:.1f} {y(value)}" for x, value in path]

    path = "M" + "L".join(edge(high)) + "L" + "L".join(reversed(edge(low))) + "z"
    return path, (round(left + width, 1), y(high), y(expected), y(low))


def _ticks(low: float, high: float) -> list[float]:
    """Return four to eight round prices between low and high."""
    step = round_up((high - low) / 8)
    first = int(low // step) + 1
    return [tick * step for tick in range(first, int(high // step) + 1)]


def _round_times(opens: np.ndarray) -> np.ndarray:
    """Return the places of at most six open times that a clock would name first."""
    span_ms = int(opens[-1] - opens[0])
    every_ms = next((length_ms for length_ms in _TIME_STEPS_MS if 6 * length_ms > span_ms), span_ms)
    return np.flatnonzero(opens % every_ms == 0)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9)))
