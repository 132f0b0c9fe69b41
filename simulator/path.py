"""How the price moves inside one row: from its open by its low and its high to its close, in sixty steps."""

import zlib

import numpy as np

from simulator.klines import KLINES, SUMS
from simulator.listings import Listing
from simulator.noise import generator

STEPS = 60
_SHAPES = 64
_WIGGLE = 0.3  # of the row's range


def _draw_shapes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return per shape: weights of open, first and second extreme and close at each step; wiggle; volume; low first."""
    numbers = generator(0, "paths")
    weights = np.zeros((_SHAPES, STEPS + 1, 4))
    wiggles = np.zeros((_SHAPES, STEPS + 1))
    times = np.arange(STEPS + 1)
    for shape in range(_SHAPES):
        first, second = sorted(numbers.choice(np.arange(1, STEPS), 2, replace=False).tolist())
        anchors = [0, first, second, STEPS]
        for column in range(4):
            weights[shape, :, column] = np.interp(times, anchors, np.eye(4)[column])
        wiggles[shape] = numbers.standard_normal(STEPS + 1) * _WIGGLE / 3
        wiggles[shape, anchors] = 0.0
    volumes = np.zeros((_SHAPES, STEPS + 1))
    volumes[:, 1:] = np.cumsum(0.2 + numbers.standard_exponential((_SHAPES, STEPS)), axis=1)
    volumes /= volumes[:, -1:]
    return weights, wiggles, volumes, numbers.random(_SHAPES) < 0.5


_WEIGHTS, _WIGGLES, _VOLUMES, _IS_LOW_FIRST = _draw_shapes()


def prices(rows: np.ndarray, listing: Listing) -> np.ndarray:
    """Return the price at the start and after each of the sixty steps of every row: one line a row."""
    shapes = _shapes(rows, listing)
    is_low_first = _IS_LOW_FIRST[shapes]
    first = np.where(is_low_first, rows["low"], rows["high"])
    second = np.where(is_low_first, rows["high"], rows["low"])
    anchors = np.stack([rows["open"], first, second, rows["close"]], axis=1)
    levels = (_WEIGHTS[shapes] * anchors[:, None, :]).sum(axis=2)
    levels += _WIGGLES[shapes] * (rows["high"] - rows["low"])[:, None]
    scale = 10.0**listing.price_digits
    return np.asarray(np.clip(np.rint(levels * scale) / scale, rows["low"][:, None], rows["high"][:, None]))


def partial(row: np.ndarray, base_ms: int, now_ms: int, listing: Listing) -> np.ndarray:
    """Return a row as it stands at `now_ms`; `row` is a table of one row of length `base_ms`."""
    step = min(STEPS, max(0, int(now_ms - row["open_ms"][0]) * STEPS // base_ms))
    seen = prices(row, listing)[0, : step + 1]
    result = row.copy()
    result["high"], result["low"], result["close"] = seen.max(), seen.min(), seen[-1]
    share = _VOLUMES[_shapes(row, listing)[0], step]
    for name in SUMS:
        result[name] = _rounded(row[name] * share, name, listing)
    return result


def seconds(minutes: np.ndarray, listing: Listing) -> np.ndarray:
    """Return the one-second candles of minute rows, sixty for each."""
    ends = prices(minutes, listing)
    opens, closes = ends[:, :-1], ends[:, 1:]
    result = np.empty((len(minutes), STEPS), dtype=KLINES)
    result["open_ms"] = minutes["open_ms"][:, None] + np.arange(STEPS) * 1_000
    result["open"], result["close"] = opens, closes
    result["high"], result["low"] = np.maximum(opens, closes), np.minimum(opens, closes)
    volumes = _VOLUMES[_shapes(minutes, listing)]
    for name in SUMS:
        sums = _rounded(minutes[name][:, None] * volumes, name, listing)
        result[name] = _rounded(np.diff(sums, axis=1), name, listing)
    return result.ravel()


def _rounded(values: np.ndarray, name: str, listing: Listing) -> np.ndarray:
    if name == "trades":
        return np.asarray(np.floor(values))
    scale = 10.0 ** (listing.quantity_digits if name in ("volume", "taker_base") else 8)
    return np.asarray(np.rint(values * scale) / scale)


def _shapes(rows: np.ndarray, listing: Listing) -> np.ndarray:
    # A cheap mix of name and time: it must be the same for ever, but need not be good.
    mixed = (rows["open_ms"] // 1_000 * 2_654_435_761 + zlib.crc32(listing.symbol.encode())) >> 12
    return np.asarray(mixed % _SHAPES)
