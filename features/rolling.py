"""What several rules share: windows as rings in the flat state row, smoothing, and divisions a flat market survives.

Every window function takes the row, where its own part starts (`k`), how many candles came before (`seen`) and a
length. A part starts as zeros. No sum is ever corrected by subtracting what left the window, so nothing drifts and a
window of zeros sums to exactly zero.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol, SupportsIndex, TypeVar, cast

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

SPARE = 2  # what a window in blocks needs beside its ring
# Nothing calls these functions from Python: without the wrappers for that they compile in two thirds of the time.
_INLINED = {"forceinline": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class Row(Protocol):
    """The state of one symbol, or a part of many: a float64 array, once compiled."""

    def __getitem__(self, place: SupportsIndex, /) -> float:
        """Return one number."""
        ...

    def __setitem__(self, place: SupportsIndex, value: float, /) -> None:
        """Keep one number."""
        ...


def inlined(function: Function) -> Function:
    """Make a function that is compiled into each of its callers."""
    return cast("Function", numba.njit(**_INLINED)(function))


def block_size(length: int) -> int:
    """Return the state a `total`, `highest` or `lowest` of that length needs."""
    return length + SPARE


def mean_size(length: int) -> int:
    """Return the state a `mean` of that length needs."""
    return length + 2 * SPARE


def ring_size(length: int) -> int:
    """Return the state a `delayed` of that length needs."""
    return length


def past_size(length: int) -> int:
    """Return the state a `distance` or `variance` of that length needs: the newest value is at hand."""
    return length - 1


@inlined
def place(seen: int, length: int) -> int:
    """Return where in a ring of `length` the candle number `seen` belongs."""
    # Unsigned, because then the compiler knows the index is not negative and drops Python's wrap-around.
    return int(np.uint32(seen) % np.uint32(length))


@inlined
def total(state: Row, k: int, seen: int, value: float, length: int) -> float:
    """Return the sum of the last `length` values; right from the length-th value on.

    The ring is cut into blocks: where the running block has not come yet, each place holds the sum from there to the
    end of the block before, and one number more holds the sum of the running block.
    """
    position = place(seen, length)
    if position == 0:
        for i in range(k + length - 2, k - 1, -1):
            state[i] += state[i + 1]
        state[k + length + 1] = 0.0
    state[k + length + 1] += value
    state[k + position] = value
    return state[k + length + 1] + state[k + position + 1]


@inlined
def mean(state: Row, k: int, seen: int, value: float, length: int) -> float:
    """Return the mean of the last `length` values; right from the length-th value on, exact when all are equal.

    Blocks as in `total`, but each holds differences from its own first value, which are small where prices are large.
    """
    position = place(seen, length)
    if position == 0:
        for i in range(k + length - 2, k - 1, -1):
            state[i] += state[i + 1]
        state[k + length + 1] = 0.0
        state[k + length + 2] = state[k + length + 3]
        state[k + length + 3] = value
    state[k + position] = value - state[k + length + 3]
    state[k + length + 1] += value - state[k + length + 3]
    gap = state[k + length + 1] + state[k + position + 1]
    gap += (position + 1) * (state[k + length + 3] - value)
    gap += (length - 1 - position) * (state[k + length + 2] - value)
    return value + gap * (1.0 / length)


@inlined
def highest(state: Row, k: int, seen: int, value: float, length: int) -> float:
    """Return the largest of the last `length` values; right from the length-th value on. Blocks as in `total`."""
    position = place(seen, length)
    if position == 0:
        for i in range(k + length - 2, k - 1, -1):
            state[i] = larger(state[i], state[i + 1])
        state[k + length] = -math.inf
        state[k + length + 1] = -math.inf
    state[k + length + 1] = larger(state[k + length + 1], value)
    state[k + position] = value
    return larger(state[k + length + 1], state[k + position + 1])


@inlined
def lowest(state: Row, k: int, seen: int, value: float, length: int) -> float:
    """Return the smallest of the last `length` values; right from the length-th value on. Blocks as in `total`."""
    return -highest(state, k, seen, -value, length)


@inlined
def delayed(state: Row, k: int, seen: int, value: float, length: int) -> float:
    """Keep the value and return the one of `length` candles ago (zero while there is none)."""
    position = k + place(seen, length)
    earlier = state[position]
    state[position] = value
    return earlier


@inlined
def distance(state: Row, k: int, seen: int, value: float, mean: float, length: int) -> float:
    """Return the mean absolute distance of the last `length` values, this one included, from their mean."""
    distances = abs(value - mean)
    for i in range(min(seen, length - 1)):
        distances = plus(distances, abs(kept(state, k, i) - mean))
    state[k + place(seen, length - 1)] = value
    return distances * (1.0 / length)


@inlined
def variance(state: Row, k: int, seen: int, value: float, mean: float, length: int) -> float:
    """Return the variance (over `length`) of the last `length` values, this one included, given their mean.

    The second pass of two: right also for 0.2 of noise on a price of 100,000.
    """
    squares = (value - mean) * (value - mean)
    for i in range(min(seen, length - 1)):
        squares = plus(squares, (kept(state, k, i) - mean) * (kept(state, k, i) - mean))
    state[k + place(seen, length - 1)] = value
    return squares * (1.0 / length)


# The next two let a compiled loop over a ring take eight values at once: 1.2x for all of indicators_batch, see
# tests/performance/indicator_benchmarks.py.
@numba.njit(**_INLINED, fastmath={"reassoc"})
def plus(a: float, b: float) -> float:
    """Return a + b as a step of a sum whose order does not matter."""
    return a + b


@inlined
def kept(state: Row, k: int, i: int) -> float:
    """Return what is kept at k + i; the index is unsigned, so that it cannot mean "from the end"."""
    return state[np.uint64(k + i)]


@inlined
def gather(state: Row, k: int, number: int, length: int, open_: float, high: float, low: float, volume: float) -> bool:
    """Take a base candle into the longer one that holds it; return whether that one is whole now.

    `number`: how many base candles fit between 1970 and this one, which puts longer candles on the grid of
    `market.candles.aggregate`. state[k:k+6]: number of the first, how many are in, open, high, low, volume.
    """
    position = number % length
    if position == 0:
        state[k] = number
        state[k + 1] = 0.0
        state[k + 2] = open_
        state[k + 3] = high
        state[k + 4] = low
        state[k + 5] = 0.0
    state[k + 1] += 1.0
    state[k + 3] = larger(state[k + 3], high)
    state[k + 4] = smaller(state[k + 4], low)
    state[k + 5] += volume
    return position == length - 1 and state[k] == number - position and state[k + 1] == length


@inlined
def gathered(state: Row, k: int) -> tuple[float, float, float, float]:
    """Return open, high, low and volume of the longer candle at k."""
    return state[k + 2], state[k + 3], state[k + 4], state[k + 5]


@inlined
def drawn(state: Row, k: int, place: int) -> float:
    """Return what a longer timeframe keeps at `place`; nan before its first candle, counted at k, is whole."""
    return state[place] if state[k] > 0.0 else math.nan


@inlined
def smooth(state: Row, k: int, count: int, value: float, length: int, weight: float) -> float:
    """Return an exponential mean: the plain mean while `count` values (this one included) are at most `length`."""
    if count <= length:
        state[k] += (value - state[k]) / count
    else:
        state[k] += (value - state[k]) * weight
    return state[k]


@inlined
def true_range(high: float, low: float, last_close: float) -> float:
    """Return how far the price moved in a candle, the jump from the last close included."""
    return larger(high, last_close) - smaller(low, last_close)


@inlined
def typical(high: float, low: float, close: float) -> float:
    """Return the mean of high, low and close; divided, not multiplied, so that equal means stay equal as in TA-Lib."""
    return (high + low + close) / 3.0


@inlined
def ratio(part: float, whole: float, neutral: float) -> float:
    """Return part / whole, or `neutral` where there is nothing to divide by."""
    return part / whole if whole > 0.0 else neutral


@inlined
def larger(a: float, b: float) -> float:
    """Return the larger of two numbers that are not nan: one instruction, where Python's max takes several."""
    return a if a > b else b


@inlined
def smaller(a: float, b: float) -> float:
    """Return the smaller of two numbers that are not nan."""
    return a if a < b else b
