"""What a market does, past and still to come: the exchange shows it as far as its clock has run."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from simulator.listings import Listing


class Tape(Protocol):
    """The candles of a market for all times, known in advance."""

    listings: list[Listing]

    def is_trading(self, symbol: str, now_ms: int) -> bool:
        """Return whether the symbol is traded at that time."""

    def window(self, symbol: str, interval: str, start_ms: int | None, before_ms: int, limit: int) -> tuple[int, int]:
        """Return the opening times, first inclusive and last exclusive, that hold at most `limit` whole candles.

        The oldest ones from `start_ms` on, or without it the newest ones before `before_ms`.
        """

    def candles(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> Iterator[np.ndarray]:
        """Yield the whole candles with start_ms <= open_ms < before_ms, oldest first, in parts cheap to make."""

    def so_far(self, symbol: str, interval: str, now_ms: int) -> np.ndarray | None:
        """Return the candle that is open at that time as it stands, one row; None when there is none."""

    def last_day(self, symbol: str, now_ms: int) -> np.ndarray:
        """Return the finest rows of the 24 hours up to that time, the last one as far as it has come."""

    def price(self, symbol: str, now_ms: int) -> float:
        """Return the price last paid; 0 when the symbol was never traded yet."""

    def prepare(self, now_ms: int) -> bool:
        """Do a little of the work that the next hours will ask for at once; return whether there was any left."""
