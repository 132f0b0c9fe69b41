"""An ordinary coin of the generated market: a common factor, own moves, bursts of activity, honest candles."""

from dataclasses import dataclass

import numpy as np

from market.intervals import DAY_MS, MINUTE_MS
from simulator.klines import KLINES
from simulator.listings import Listing
from simulator.noise import fraction, generator
from simulator.returns import DAY_MINUTES, Calendar, ClusteredReturns, Returns, log_volatility

EPOCH_MS = 1_672_531_200_000  # 2023-01-01: the first day of the generated market
FACTOR_SIGMA = 0.00055  # of a minute: about 2.1 % a day
PULL = 0.004  # of its distance from the listed price a coin comes back a day, so that prices stay in sight
MAX_TRADES = 9_999  # in a minute; trade ids leave room for as many
_TRADE_SIZE = 350.0  # quote units


class Coin:
    """One symbol moved by the market's factor and by itself."""

    def __init__(self, seed: int, listing: Listing, factor: Returns, common: Calendar) -> None:
        """Take the factor and the common log volatility that all coins share."""
        self.listing = listing
        self._seed = seed
        self._factor = factor
        self._beta = 0.6 + 0.8 * fraction(seed, f"{listing.symbol}/beta")
        sigma = 0.0004 + 0.0006 * fraction(seed, f"{listing.symbol}/sigma")
        volatility = ((0.8, common), (0.6, log_volatility(seed, f"{listing.symbol}/volatility")))
        self._own = ClusteredReturns(seed, f"{listing.symbol}/returns", sigma, volatility)
        self._usual_sigma = float(np.hypot(sigma, self._beta * FACTOR_SIGMA))
        self._levels = Calendar(self._compute_levels)

    def minutes(self, days: range) -> np.ndarray:
        """Return the klines of every minute: a matrix, one line a day (days count from the epoch)."""
        factor_returns, factor_sigmas = self._factor.minutes(days)
        own_returns, own_sigmas = self._own.minutes(days)
        levels = self._levels.through(days.stop)[days.start : days.stop + 1]
        returns = self._beta * factor_returns + own_returns - (PULL / DAY_MINUTES) * levels[:-1, None]
        sigmas = np.sqrt((self._beta * factor_sigmas) ** 2 + own_sigmas**2)
        draws = Draws(self._seed, self.listing.symbol, days)
        surprise = returns / sigmas
        bustle = (sigmas / self._usual_sigma) * (0.6 + 0.5 * np.abs(surprise))
        up_wicks, down_wicks = bridge_wicks(returns, sigmas, draws.waits)
        shape = Shape(path(levels, returns), up_wicks, down_wicks, bustle, lean=0.1 * np.tanh(surprise / 2))
        return shaped(self.listing, days, shape, draws)

    def _compute_levels(self, days: int) -> np.ndarray:
        moves = self._beta * self._factor.days(days) + self._own.days(days)
        return pulled_levels(moves, PULL)


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides a symbol's candles: log levels, log wicks, activity (1 is usual), lean of takers."""

    logs: np.ndarray
    up_wicks: np.ndarray
    down_wicks: np.ndarray
    bustle: np.ndarray | float = 1.0
    lean: np.ndarray | float = 0.0


class Draws:
    """The random numbers that shape a symbol's candles: wicks, volume, who took."""

    def __init__(self, seed: int, symbol: str, days: range) -> None:
        """Draw for every minute of `days`, each day by itself."""
        streams = [generator(seed, f"{symbol}/candles", day) for day in days]
        self.waits = np.stack([numbers.standard_exponential((2, DAY_MINUTES)) for numbers in streams], axis=1)
        self.bursts = np.stack([numbers.standard_normal(DAY_MINUTES) for numbers in streams])
        self.shares = np.stack([numbers.random(DAY_MINUTES) for numbers in streams])


def pulled_levels(moves: np.ndarray, pull: float) -> np.ndarray:
    """Return the log level at the start of each day, and after the last: each day comes back by `pull` of it."""
    level, levels = 0.0, [0.0]
    for move in moves.tolist():
        level = (1 - pull) * level + move
        levels.append(level)
    return np.array(levels)


def path(levels: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Return log levels at the start and at every minute's end: one line a day, which ends where the next starts."""
    logs = np.empty((len(returns), DAY_MINUTES + 1))
    logs[:, 0] = levels[:-1]
    logs[:, 1:] = levels[:-1, None] + np.cumsum(returns, axis=1)
    logs[:, -1] = levels[1:]
    return logs


def bridge_wicks(returns: np.ndarray, sigmas: np.ndarray, waits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far above the higher and under the lower end the price went, as a Brownian path between them does."""
    size = np.abs(returns)
    reach = np.sqrt(returns**2 + 2 * sigmas**2 * waits)
    return (reach[0] - size) / 2, (reach[1] - size) / 2


def shaped(listing: Listing, days: range, shape: Shape, draws: Draws) -> np.ndarray:
    """Return klines on the symbol's steps of price and quantity: a matrix, one line a day."""
    rows = np.empty((len(days), DAY_MINUTES), dtype=KLINES)
    rows["open_ms"] = EPOCH_MS + np.arange(days.start, days.stop)[:, None] * DAY_MS + np.arange(DAY_MINUTES) * MINUTE_MS
    ends = listing.price * np.exp(shape.logs)
    opens, closes = ends[:, :-1], ends[:, 1:]
    highs = np.maximum(opens, closes) * (1 + shape.up_wicks)
    lows = np.minimum(opens, closes) / (1 + shape.down_wicks)
    scale = 10.0**listing.price_digits
    for name, prices in (("open", opens), ("high", highs), ("low", lows), ("close", closes)):
        rows[name] = np.maximum(np.rint(prices * scale), 1.0) / scale
    activity = shape.bustle * np.exp(0.5 * draws.bursts - 0.125)
    _fill_volumes(rows, listing, activity, np.clip(0.35 + 0.3 * draws.shares + shape.lean, 0, 1))
    return rows


def _fill_volumes(rows: np.ndarray, listing: Listing, activity: np.ndarray, taker_shares: np.ndarray) -> None:
    scale = 10.0**listing.quantity_digits
    typical = (rows["high"] + rows["low"] + rows["close"]) / 3
    wanted = listing.turnover / DAY_MINUTES * activity / typical
    volumes = np.maximum(np.rint(wanted * scale), 1.0) / scale
    rows["volume"] = volumes
    rows["quote_volume"] = np.rint(volumes * typical * 1e6) / 1e6
    rows["trades"] = np.clip(rows["quote_volume"] / _TRADE_SIZE, 1, MAX_TRADES)
    rows["taker_base"] = np.rint(volumes * taker_shares * scale) / scale
    rows["taker_quote"] = np.rint(rows["taker_base"] * typical * 1e6) / 1e6
