"""Coordinates of the candle chart as SVG: what a page shows where there is no script. Templates only place them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from web.drawings import round_up

PLOT_WIDTH, PLOT_HEIGHT = 860, 380
STRENGTH_HEIGHT = 92  # more, when a line from 0 to 100 is drawn under the candles
GAP_SLOTS = 12  # a longer hole is drawn as wide as so many candles
_PRICE_HEIGHT = 296  # the rest belongs to the lane of calls and the volume
_LANE_Y = 307
_VOLUME_Y, _VOLUME_HEIGHT = PLOT_HEIGHT - 22, 44
_STRENGTH_Y, _STRENGTH_ROOM = PLOT_HEIGHT + STRENGTH_HEIGHT - 26, 72
_LABEL_SHARE = 0.08  # above and below a forecast, for its prices
_SCALE_WIDTH = 88  # room for the price labels
_HOUR_MS = 3_600_000
_TIME_STEPS_MS = tuple(round(hours * _HOUR_MS) for hours in (1 / 12, 1 / 6, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24, 96, 384))


@dataclass(frozen=True, slots=True)
class Call:
    """What was said at the close of a candle, and whether it hit; None for an abstention."""

    open_ms: int
    verdict: str
    is_hit: bool | None

    @property
    def kind(self) -> str:
        """Return the call in the words of the style sheet and of the table."""
        return "abstain" if self.is_hit is None else f"{self.verdict}-{'hit' if self.is_hit else 'miss'}"


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn: a `CANDLES` table, a forecast's prices, lines beside the candles, calls."""

    candles: np.ndarray
    length_ms: int
    forecast: tuple[float, float, float, float] | None = None  # price it was made at, low, expected, high
    lines: Sequence[tuple[str, np.ndarray]] = ()  # in prices; one number a candle, nan while not warm
    strength: np.ndarray | None = None  # 0 to 100, one number a candle
    calls: Sequence[Call] = ()


@dataclass(frozen=True, slots=True)
class CandleDrawing:
    """Candles as SVG paths with a price axis, what lies over them, and a forecast range."""

    height: int
    wicks_up: str
    wicks_down: str
    bodies_up: str
    bodies_down: str
    volumes: str
    labels: list[tuple[float, float]]  # y, price
    times: list[tuple[float, int]]  # x, open_ms
    gaps: list[tuple[float, float]]  # x, width
    lines: list[tuple[str, str]]  # name, path
    strength: str
    levels: list[tuple[float, int]]  # y, value
    marks: list[tuple[str, str]]  # kind, path
    cone: str
    cone_path: str
    cone_end: tuple[float, float, float, float] | None  # x, y of high, expected, low


def candle_drawing(plot: Plot) -> CandleDrawing | None:
    """Return the drawing of a plot; None when it has no candle."""
    candles = plot.candles
    if len(candles) == 0:
        return None
    right = PLOT_WIDTH - _SCALE_WIDTH
    room = right * (0.8 if plot.forecast else 1.0)
    slots = slots_of(candles["open_ms"], plot.length_ms)
    step = room / (slots[-1] + 1)
    xs = step * (slots + 0.5)
    low, high = _scale(plot)

    def y(price: float) -> float:
        return round(_PRICE_HEIGHT * (high - price) / (high - low), 1)

    wicks, bodies, volumes = _candles(candles, xs, step, y)
    cone, path, end = _cone(plot.forecast, room, right, y)
    has_strength = plot.strength is not None
    return CandleDrawing(
        PLOT_HEIGHT + (STRENGTH_HEIGHT if has_strength else 0),
        wicks[True],
        wicks[False],
        bodies[True],
        bodies[False],
        volumes,
        [(y(price), price) for price in _ticks(low, high)],
        [(round(float(xs[i]), 1), int(candles["open_ms"][i])) for i in _round_times(candles["open_ms"])],
        [(round(step * (slots[i] + 1), 1), round(step * (slots[i + 1] - slots[i] - 1), 1)) for i in _holes(slots)],
        [(name, _line(xs, values, y)) for name, values in plot.lines],
        "" if plot.strength is None else _line(xs, plot.strength, _strength_y),
        [(_strength_y(level), level) for level in (30, 70)] if has_strength else [],
        _marks(plot, xs),
        cone,
        path,
        end,
    )


def slots_of(opens_ms: np.ndarray, length_ms: int) -> np.ndarray:
    """Return the place of each candle on the axis, counted in candles; a hole takes `GAP_SLOTS` places at most."""
    steps = np.minimum(np.diff(opens_ms) // length_ms, GAP_SLOTS + 1)
    return np.concatenate(([0], np.cumsum(steps)))


def _scale(plot: Plot) -> tuple[float, float]:
    low, high = float(plot.candles["low"].min()), float(plot.candles["high"].max())
    if plot.forecast:
        low, high = min(low, *plot.forecast), max(high, *plot.forecast)
    for _, values in plot.lines:
        warm = values[np.isfinite(values)]
        if len(warm):
            low, high = min(low, float(warm.min())), max(high, float(warm.max()))
    margin = (high - low or high or 1.0) * (_LABEL_SHARE if plot.forecast else 0.04)
    return low - margin, high + margin


def _candles(
    candles: np.ndarray, xs: np.ndarray, step: float, y: Callable[[float], float]
) -> tuple[dict[bool, str], dict[bool, str], str]:
    """Return wicks and bodies of rising and of other candles, and the volumes, as paths."""
    wicks, bodies, volumes = {True: "", False: ""}, {True: "", False: ""}, []
    loudest = float(candles["volume"].max()) or 1.0
    half = max(step * 0.34, 0.6)
    for x, candle in zip(xs.tolist(), candles, strict=True):
        is_up = bool(candle["close"] >= candle["open"])
        top, bottom = y(max(candle["open"], candle["close"])), y(min(candle["open"], candle["close"]))
        bottom = max(bottom, top + 1)
        wicks[is_up] += f"M{x:.1f} {y(candle['high'])}V{top}" + f"M{x:.1f} {bottom}V{y(candle['low'])}"
        bodies[is_up] += f"M{x - half:.1f} {top}h{2 * half:.1f}V{bottom}h{-2 * half:.1f}z"
        tall = _VOLUME_HEIGHT * float(candle["volume"]) / loudest
        volumes.append(f"M{x - half:.1f} {_VOLUME_Y}v{-tall:.1f}h{2 * half:.1f}v{tall:.1f}z")
    return wicks, bodies, "".join(volumes)


def _holes(slots: np.ndarray) -> list[int]:
    """Return which candles have a hole behind them."""
    found: list[int] = np.flatnonzero(np.diff(slots) > 1).tolist()
    return found


def _line(xs: np.ndarray, values: np.ndarray, y: Callable[[float], float]) -> str:
    warm = np.isfinite(values)
    points = [f"{x:.1f} {y(value)}" for x, value in zip(xs[warm].tolist(), values[warm].tolist(), strict=True)]
    return "M" + "L".join(points) if points else ""


def _strength_y(value: float) -> float:
    return round(_STRENGTH_Y - _STRENGTH_ROOM * value / 100, 1)


def _marks(plot: Plot, xs: np.ndarray) -> list[tuple[str, str]]:
    """Return the lane of calls: one path for each kind, triangles for calls and a tick for an abstention."""
    places = dict(zip(plot.candles["open_ms"].tolist(), xs.tolist(), strict=True))
    paths: dict[str, str] = {}
    for call in plot.calls:
        x = places.get(call.open_ms)
        if x is None:
            continue
        side = -1 if call.verdict == "up" else 1
        shape = f"M{x:.1f} {_LANE_Y + 4.5 * side}l4 {-8 * side}h-8z"
        if call.is_hit is None:
            shape = f"M{x - 2:.1f} {_LANE_Y}h4"
        paths[call.kind] = paths.get(call.kind, "") + shape
    return sorted(paths.items())


def _cone(
    forecast: tuple[float, float, float, float] | None, left: float, right: float, y: Callable[[float], float]
) -> tuple[str, str, tuple[float, float, float, float] | None]:
    """Return the range that opens with the square root of time, the expected path in it, and its end."""
    if forecast is None:
        return "", "", None
    price, low, expected, high = forecast
    shares = [step / 16 for step in range(17)]
    width = right - left - 8

    def edge(end: float) -> list[str]:
        path = ((left + width * s, price + (expected - price) * s + (end - expected) * s**0.5) for s in shares)
        return [f"{x:.1f} {y(value)}" for x, value in path]

    shape = "M" + "L".join(edge(high)) + "L" + "L".join(reversed(edge(low))) + "z"
    path = f"M{left:.1f} {y(price)}L{left + width:.1f} {y(expected)}"
    return shape, path, (round(left + width, 1), y(high), y(expected), y(low))


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
