"""Put noise in the place of everything after a moment: what was said before it must not change by a bit."""

from collections.abc import Mapping

import numpy as np

Tables = Mapping[str, np.ndarray]  # `CANDLES` tables by symbol, oldest first

_USUAL_MOVE = 1e-3  # of a candle, where a symbol has no past to take it from
_WICK_SHARE = 0.5  # of a move, by which highs and lows reach out in the mean


def masked_future(tables: Tables, cut_ms: int, seed: int) -> dict[str, np.ndarray]:
    """Return the tables with the candles that open at `cut_ms` or later walking at random from the last close.

    Each symbol walks by itself, as far a candle as it did before; volumes are drawn from those before.
    """
    random = np.random.default_rng(seed)
    return {symbol: _masked(candles, cut_ms, random) for symbol, candles in sorted(tables.items())}


def _masked(candles: np.ndarray, cut_ms: int, random: np.random.Generator) -> np.ndarray:
    result, cut = candles.copy(), int(np.searchsorted(candles["open_ms"], cut_ms))
    past, future = result[:cut], result[cut:]
    if not len(future):
        return result
    moves = np.diff(np.log(past["close"]))
    size = float(moves.std()) if len(moves) > 1 and moves.any() else _USUAL_MOVE
    last = past["close"][-1] if len(past) else future["open"][0]
    close = last * np.exp(np.cumsum(random.normal(0.0, size, len(future))))
    wicks = np.abs(random.normal(0.0, _WICK_SHARE * size, (2, len(future))))
    future["open"] = np.r_[last, close[:-1]]
    future["close"] = close
    future["high"] = np.maximum(future["open"], close) * (1.0 + wicks[0])
    future["low"] = np.minimum(future["open"], close) / (1.0 + wicks[1])
    future["volume"] = random.choice(past["volume"] if len(past) else future["volume"], len(future))
    return result
