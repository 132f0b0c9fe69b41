"""The generated market: every symbol's minute candles for any day, from a seed and nothing else."""

from typing import Protocol

import numpy as np

from simulator.coins import FACTOR_SIGMA, Coin
from simulator.controls import Edge, Walk
from simulator.listings import CONTROLS, Listing, coin_listings
from simulator.returns import ClusteredReturns, SharedReturns, log_volatility

_FACTOR_DAYS_KEPT = 128


class Model(Protocol):
    """One symbol of the generated market."""

    listing: Listing

    def minutes(self, days: range) -> np.ndarray:
        """Return the klines of every minute: a matrix, one line a day (days count from the epoch)."""


def market_model(seed: int, count: int) -> list[Model]:
    """Return the market's symbols: `count` - 2 coins that share one factor, then the two control symbols."""
    common = log_volatility(seed, "market/volatility")
    factor = SharedReturns(
        ClusteredReturns(seed, "market/returns", FACTOR_SIGMA, ((1.0, common),)), capacity=_FACTOR_DAYS_KEPT
    )
    coins = [Coin(seed, listing, factor, common) for listing in coin_listings(count - CONTROLS)]
    return [*coins, Walk(seed), Edge(seed)]
