"""The two control symbols: one that nobody can predict and one with a planted edge of known size."""

import numpy as np

from market.intervals import MINUTE_MS
from simulator.coins import EPOCH_MS, PULL, Draws, Shape, bridge_wicks, path, pulled_levels, shaped
from simulator.listings import EDGE_LISTING, WALK_LISTING
from simulator.noise import generator
from simulator.returns import DAY_MINUTES, Calendar, CalmReturns

WALK_SIGMA = 0.0006  # of a minute's log return
EDGE_SIGMA = 0.0008
EDGE_DRIFT = 0.00011  # a minute, up or down with the regime
EDGE_REGIME_MINUTES = (360.0, 1_080.0)  # shortest and longest duration
EDGE_WICK_SIGMAS = (2.0, 2.5)  # of the wick the regime shows
EDGE_OTHER_WICK_SIGMAS = 0.1  # mean of the wick on the other side
_SWITCHES_A_DAY = 2 * DAY_MINUTES / sum(EDGE_REGIME_MINUTES)


class Walk:
    """A symmetric random walk in the log price, of one volatility, whose volume and wicks are drawn apart from it."""

    listing = WALK_LISTING

    def __init__(self, seed: int) -> None:
        """Draw by `seed`."""
        self._seed = seed
        self._returns = CalmReturns(seed, f"{self.listing.symbol}/returns", WALK_SIGMA)
        self._levels = Calendar(lambda days: pulled_levels(self._returns.days(days), 0.0))

    def minutes(self, days: range) -> np.ndarray:
        """Return the klines of every minute: a matrix, one line a day (days count from the epoch)."""
        returns, sigmas = self._returns.minutes(days)
        draws = Draws(self._seed, self.listing.symbol, days)
        logs = path(self._levels.through(days.stop)[days.start : days.stop + 1], returns)
        up_wicks, down_wicks = bridge_wicks(returns, sigmas, draws.waits)
        return shaped(self.listing, days, Shape(logs, up_wicks, down_wicks), draws)


class Edge:
    """A walk with a drift of known size whose sign, the regime, shows only in the wicks of the candles."""

    listing = EDGE_LISTING

    def __init__(self, seed: int) -> None:
        """Draw by `seed`."""
        self._seed = seed
        self._returns = CalmReturns(seed, f"{self.listing.symbol}/returns", EDGE_SIGMA)
        self._switches = Calendar(self._compute_switches)
        self._levels = Calendar(self._compute_levels)

    def regimes(self, opens_ms: np.ndarray) -> np.ndarray:
        """Return the regime, +1 or -1, in which each of these times lies: the truth a test may look up."""
        minutes = (opens_ms - EPOCH_MS) / MINUTE_MS
        switches = self._switches.through(int(minutes.max()) // DAY_MINUTES)
        return 1 - 2 * (np.searchsorted(switches, minutes, side="right") % 2)

    def minutes(self, days: range) -> np.ndarray:
        """Return the klines of every minute: a matrix, one line a day (days count from the epoch)."""
        returns, sigmas = self._returns.minutes(days)
        times = days.start * DAY_MINUTES + np.arange(len(days) * DAY_MINUTES + 1)
        drifts = np.diff(self._drift(times)).reshape(returns.shape)
        levels = self._levels.through(days.stop)[days.start : days.stop + 1]
        logs = path(levels, returns + drifts - (PULL / DAY_MINUTES) * levels[:-1, None])
        draws = Draws(self._seed, self.listing.symbol, days)
        regimes = self.regimes(EPOCH_MS + times[:-1] * MINUTE_MS).reshape(returns.shape)
        up_wicks, down_wicks = _telling_wicks(regimes, sigmas, draws.waits)
        return shaped(self.listing, days, Shape(logs, up_wicks, down_wicks), draws)

    def _drift(self, minutes: np.ndarray) -> np.ndarray:
        """Return the log price the regimes have added up to each time."""
        switches = self._switches.through(int(minutes[-1]) // DAY_MINUTES)
        times = np.r_[0.0, switches]
        signs = np.where(np.arange(len(switches)) % 2 == 0, 1.0, -1.0)
        return np.asarray(EDGE_DRIFT * np.interp(minutes, times, np.r_[0.0, np.cumsum(np.diff(times) * signs)]))

    def _compute_switches(self, days: int) -> np.ndarray:
        # Twice as many as are needed in the mean: then the last of them is far behind the last day.
        count = int(2 * _SWITCHES_A_DAY * days) + 100
        return np.cumsum(generator(self._seed, f"{self.listing.symbol}/regimes").uniform(*EDGE_REGIME_MINUTES, count))

    def _compute_levels(self, days: int) -> np.ndarray:
        drifts = np.diff(self._drift(np.arange(days + 1) * DAY_MINUTES))
        return pulled_levels(self._returns.days(days) + drifts, PULL)


def _telling_wicks(regimes: np.ndarray, sigmas: np.ndarray, waits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shortest, longest = EDGE_WICK_SIGMAS
    long_wicks = sigmas * (longest - (longest - shortest) * np.exp(-waits[0]))
    short_wicks = sigmas * EDGE_OTHER_WICK_SIGMAS * waits[1]
    is_up = regimes > 0
    return np.where(is_up, short_wicks, long_wicks), np.where(is_up, long_wicks, short_wicks)
