"""What the other symbols do: the market's move and breadth, and a symbol's own move against it.

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
MOST_MOVES = 5.0  # no single coin counts for more of its usual moves


@dataclass(frozen=True, slots=True)
class Section:
    """One column of a symbol's own that the market is made of, and how it is read."""

    column: str
    read: Callable[[Values], Values]


def _moves(values: Values) -> Values:
    return np.clip(values, -MOST_MOVES, MOST_MOVES)


SECTIONS = (
    Section("return_12", _moves),
    Section("efficiency_48", np.array),
    Section("sma_50_distance", np.sign),
)
# Few of them are the same for all symbols of a candle. Such a column tells a model which hour it is: with seven of them
# it learned the past by heart, and lost half of a planted edge (docs/features.md).
COLUMNS = {
    "market_return_12": "mean of `return_12`: the move all have in common, each in its own usual moves",
    "market_breadth": "share of symbols above their mean of 50 less share below, -1 to 1",
    "own_return_12": "the symbol's `return_12` less the mean: its own part of the move",
    "own_efficiency_48": "the symbol's `efficiency_48` less the mean of all",
}
_MARKET = [0, 2]  # the sections whose mean is told
_OWN = slice(0, 2)  # and those of which a symbol is told how far it is from the mean


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
    own = np.where(is_there, (known - mean) * (weight > 0.0), np.nan)[..., _OWN]
    market = np.broadcast_to(mean[..., _MARKET], (*earlier.shape[:-1], len(_MARKET)))
    return np.concatenate([market, own], axis=-1)
