"""What the other symbols do: the market's move, its breadth and unrest, and a symbol's own move against it.

A row is told of the market as it was one candle earlier. Candles of one close come one after the other, some of them
late; those of the close before are all in, or an interval late. So nobody waits, the order of arrival does not matter,
and history, replay and the live board give the same numbers.

Everything is made from the warm rows of that one earlier candle: there is no memory that a start or a gap could upset.
A symbol without such a row does not count; with fewer than `MIN_SYMBOLS` there is no market, and all is neutral.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

MIN_SYMBOLS = 3
# No single coin counts for more than so many usual moves, or for so many times its usual unrest.
MOST_MOVES = 5.0
MOST_UNREST = 3.0


@dataclass(frozen=True, slots=True)
class Section:
    """One column of a symbol's own that the market is made of, and how it is read."""

    column: str
    read: Callable[[Values], Values]


def _moves(values: Values) -> Values:
    return np.clip(values, -MOST_MOVES, MOST_MOVES)


def _unrest(values: Values) -> Values:
    # Both ways alike: twice the usual unrest is as far from it as half of it.
    return np.log(np.clip(values, 1.0 / MOST_UNREST, MOST_UNREST))


SECTIONS = (
    Section("return_3", _moves),
    Section("return_12", _moves),
    Section("efficiency_48", np.array),
    Section("sma_50_distance", np.sign),
    Section("volatility_trend", _unrest),
    Section("volume_trend", np.array),
)
COLUMNS = {
    "market_return_3": "mean of `return_3`: the move all have in common, each in its own usual moves",
    "market_return_12": "mean of `return_12`",
    "market_efficiency_48": "mean of `efficiency_48`: how straight all went up (1) or down (-1)",
    "market_breadth": "share of symbols above their mean of 50 less share below, -1 to 1",
    "market_unrest": "mean of log `volatility_trend`: livelier (above 0) or quieter than usual",
    "market_volume": "mean of `volume_trend`: more or less traded than usual",
    "market_dispersion": "standard deviation of `return_12` between symbols",
    "own_return_12": "the symbol's `return_12` less `market_return_12`: its own part of the move",
    "own_efficiency_48": "the symbol's `efficiency_48` less `market_efficiency_48`",
}
_OWN = slice(1, 3)  # the sections a symbol's own moves are told of


def sections(rows: Values, columns: tuple[str, ...]) -> Values:
    """Return what the market is made of, shape (..., sections), from rows of `columns`; nan where there is no row."""
    return np.stack([section.read(rows[..., columns.index(section.column)]) for section in SECTIONS], axis=-1)


def context(earlier: Values) -> Values:
    """Return `COLUMNS` of every symbol, shape (symbols, ..., columns), from the `sections` one candle earlier.

    `earlier`: shape (symbols, ..., sections), nan where a symbol has no warm row; such a symbol gets the market's
    figures, and nan for its own moves. Sums go over symbols in their order, so equal rows give equal bits.
    """
    is_there = np.isfinite(earlier).all(axis=-1, keepdims=True)
    count = is_there.sum(axis=0)
    weight = np.where(count >= MIN_SYMBOLS, 1.0 / np.maximum(count, 1), 0.0)
    known = np.where(is_there, earlier, 0.0)
    mean = known.sum(axis=0) * weight
    own = (known - mean)[..., _OWN] * (weight > 0.0)
    squares = np.where(is_there, own * own, 0.0).sum(axis=0)
    market = np.concatenate([mean, np.sqrt(squares * weight)[..., :1]], axis=-1)
    everywhere = np.broadcast_to(market, (*earlier.shape[:-1], market.shape[-1]))
    return np.concatenate([everywhere, np.where(is_there, own, np.nan)], axis=-1)
