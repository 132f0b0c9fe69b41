"""A made-up market with one planted edge, whose truth is known: prices are martingales but for that symbol."""

import numpy as np

from models.panel import Panel

COLUMNS = (
    *(f"noise_{number}" for number in range(20)),
    "momentum_12",
    "momentum_48",
    "balance",
    "market_12",
    "volatility_bps",
)
STEP_MS = 300_000
EDGE = "EDGE"


def synthetic_panel(symbols: int, candles: int, seed: int, edge_share: float = 0.25) -> Panel:
    """Return a panel with a common factor and clustered volatility; in symbol 0 `balance` leans before the price does.

    `edge_share`: the planted drift of one candle in units of its volatility, at a full lean.
    """
    random = np.random.default_rng(seed)
    volatility = 10.0 * np.exp(_slow(random, (1, candles), 300) * 0.4)
    lean = _slow(random, (1, candles), 30)[0]
    noise = 0.7 * random.standard_t(4, (1, candles)) / np.sqrt(2) + 0.7 * random.standard_t(
        4, (symbols, candles)
    ) / np.sqrt(2)
    noise[0, 1:] += edge_share * lean[:-1]
    bps = volatility * noise
    close = 100.0 * np.exp(np.cumsum(bps, axis=1) / 10_000.0)
    features = np.empty((symbols, candles, len(COLUMNS)), np.float32)
    for column in range(20):
        features[:, :, column] = _slow(random, (symbols, candles), 1 + 8 * column)
    balance = 0.1 * random.normal(size=(symbols, candles))
    balance[0] = 0.6 * lean + 0.1 * random.normal(size=candles)
    by_name = {
        "momentum_12": _momentum(close, 12),
        "momentum_48": _momentum(close, 48),
        "balance": balance,
        "market_12": np.broadcast_to(_momentum(close, 12).mean(axis=0), close.shape),
        "volatility_bps": _deviation(bps, 48),
    }
    for name, values in by_name.items():
        features[:, :, COLUMNS.index(name)] = values
    features[:, :48] = np.nan
    names = (EDGE, *(f"S{number}" for number in range(1, symbols)))
    return Panel(names, COLUMNS, "volatility_bps", np.arange(candles) * STEP_MS, features, close)


def _slow(random: np.random.Generator, shape: tuple[int, int], candles: int) -> np.ndarray:
    """Return noise of unit size that forgets itself over so many candles."""
    from scipy.signal import lfilter

    keep = np.exp(-1.0 / candles)
    shocks = random.normal(size=shape) * np.sqrt(1.0 - keep * keep)
    shocks[:, 0] = random.normal(size=shape[0])
    return np.asarray(lfilter([1.0], [1.0, -keep], shocks, axis=1))


def _momentum(close: np.ndarray, length: int) -> np.ndarray:
    result = np.full(close.shape, np.nan)
    result[:, length:] = (close[:, length:] / close[:, :-length] - 1.0) * 100.0
    return result


def _deviation(bps: np.ndarray, length: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(bps, length, axis=1)
    result = np.full(bps.shape, np.nan)
    result[:, length - 1 :] = windows.std(axis=2)
    return result
