"""A bounded set of training rows and what became of them: how unusual is a new row, and which cases were like it?"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from market.errors import ModelError
from models.forest_kernels import INNER
from models.panel import Outcomes, Panel, Sample

REFERENCE_ROWS = 512  # chosen evenly over symbols and time
LIMIT_ROWS = 3_000  # later rows that say how far usual ones lie
NEAREST = 3
USUAL_SHARE = 0.999  # of the later rows lie within the limit
SLACK = 1.25  # on top of it, for markets go on changing
_NORMAL_SPAN = 3.29  # between the 5 % and the 95 % point of a normal distribution of unit spread
_LEAST_SHARE = 1e-3  # a scale that goes down to nothing is held at so much of the least value seen
_STILL = 1e-3  # a column that never moved counts in units of this share of its size


@dataclass(frozen=True, slots=True)
class Likes:
    """The cases most like each of n rows, nearest first."""

    distance: (
        np.ndarray
    )  # float64 (n,) mean distance of them, in usual spreads of one column; nan for a row with a hole
    places: np.ndarray  # int64 (n, NEAREST): which cases they are


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of training in comparable units; a column that is a scale, all values positive, counts by its logarithm."""

    columns: np.ndarray  # float64 (4, features): 1 for a logarithm, its least value, center, spread
    rows: np.ndarray  # float32 (features, k): the values of one feature lie together
    cases: np.ndarray  # int64 (k, 2): index of the symbol, open time in ms
    returns: np.ndarray  # float64 (k,): the return over the horizon that followed, bps
    limit: float  # the distance beyond which a row is out of distribution
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if reason := _fault(self):
            raise ModelError(f"reference rows refused: {reason}; train again")

    def likes(self, rows: np.ndarray) -> Likes:
        """Return the cases most like each of the rows (n, features)."""
        return Likes(*_nearest(_comparable(rows, self.columns), self.rows))

    def strangeness(self, rows: np.ndarray) -> np.ndarray:
        """Return the distance of each row from what was seen, in limits: beyond 1 it is out of distribution."""
        result: np.ndarray = self.likes(rows).distance / self.limit
        return result

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything, for a file; names as the numbers of their letters."""
        return {
            "reference_columns": self.columns,
            "reference_rows": self.rows,
            "reference_cases": self.cases,
            "reference_returns": self.returns,
            "reference_limit": np.array([self.limit]),
            "reference_symbols": _letters(self.symbols),
        }


def fit_reference(panel: Panel, outcomes: Outcomes, training: Sample, later: Sample) -> Reference:
    """Return the reference rows of a training; how far usual rows lie from them is learnt from later ones."""
    kept = _evenly(len(training), REFERENCE_ROWS)
    symbols, times = training.symbols[kept], training.times[kept]
    columns = _columns_of(training.rows[_evenly(len(training), LIMIT_ROWS)].astype(np.float64))
    rows = np.ascontiguousarray(_comparable(training.rows[kept], columns).T)
    distances, _ = _nearest(_comparable(later.rows[_evenly(len(later), LIMIT_ROWS)], columns), rows)
    return Reference(
        columns=columns,
        rows=rows,
        cases=np.column_stack((symbols, panel.open_ms[times])).astype(np.int64),
        returns=outcomes.return_bps[symbols, times],
        limit=max(float(np.quantile(distances, USUAL_SHARE)) * SLACK, _STILL),
        symbols=panel.symbols,
    )


def reference_from(arrays: Mapping[str, np.ndarray]) -> Reference:
    """Return the reference rows kept in `arrays`; ModelError names what is missing or cannot be."""
    names = ("columns", "rows", "cases", "returns", "limit", "symbols")
    try:
        columns, rows, cases, returns, limit, letters = (arrays[f"reference_{name}"] for name in names)
    except KeyError as error:
        raise ModelError(f"reference rows refused: array {error} is missing; train again") from None
    if limit.shape != (1,) or limit.dtype != np.float64:
        raise ModelError("reference rows refused: their limit is no number; train again")
    if letters.ndim != 2 or letters.dtype != np.uint16:
        raise ModelError("reference rows refused: their symbols have no names; train again")
    return Reference(columns, rows, cases, returns, float(limit[0]), _names(letters))


def compile_kernels() -> dict[str, float]:
    """Compile the kernel or take it from the disk cache; return the seconds it took."""
    start = time.perf_counter()
    _nearest(np.zeros((1, 1), np.float32), np.zeros((1, NEAREST), np.float32))
    return {"reference": time.perf_counter() - start}


def _letters(names: tuple[str, ...]) -> np.ndarray:
    width = max(map(len, names), default=0)
    return np.array([[ord(letter) for letter in name.ljust(width, "\0")] for name in names], np.uint16)


def _names(letters: np.ndarray) -> tuple[str, ...]:
    return tuple("".join(map(chr, row)).rstrip("\0") for row in letters.tolist())


def _evenly(there: int, wanted: int) -> np.ndarray:
    """Return the places of at most `wanted` of so many rows, evenly apart; a sample lies by symbol, then time."""
    return np.linspace(0, there - 1, min(there, wanted)).astype(np.int64)


def _columns_of(rows: np.ndarray) -> np.ndarray:
    is_scale = rows.min(axis=0) > 0.0
    least = np.where(is_scale, rows.min(axis=0) * _LEAST_SHARE, 1.0)
    values = np.where(is_scale, np.log(np.maximum(rows, least)), rows)
    low, center, high = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
    still = _STILL * np.maximum(np.abs(center), 1.0)
    return np.vstack((is_scale, least, center, np.maximum((high - low) / _NORMAL_SPAN, still)))


def _comparable(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    is_scale, least, center, spread = columns
    values, scales = rows.astype(np.float64), is_scale > 0.0
    values[:, scales] = np.log(np.maximum(values[:, scales], least[scales]))
    with np.errstate(over="ignore"):  # what is too large for a float32 is infinitely far
        result: np.ndarray = ((values - center) / spread).astype(np.float32)
    return result


def _fault(reference: Reference) -> str:
    columns, rows, cases, returns = reference.columns, reference.rows, reference.cases, reference.returns
    kinds = " ".join(str(part.dtype) for part in (columns, rows, cases, returns))
    if kinds != "float64 float32 int64 float64" or rows.ndim != 2 or not rows.flags.c_contiguous:
        return f"arrays are {kinds} {rows.shape}"
    features, count = rows.shape
    if columns.shape != (4, features) or cases.shape != (count, 2) or returns.shape != (count,) or count < NEAREST:
        return f"shapes {columns.shape}, {rows.shape}, {cases.shape} and {returns.shape} do not fit"
    if not all(np.isfinite(part).all() for part in (columns, rows, returns)) or not 0.0 < reference.limit < np.inf:
        return "a number is not finite"
    if (columns[1] <= 0.0).any() or (columns[3] <= 0.0).any():
        return "a unit is not positive"
    is_known = (cases[:, 0] >= 0) & (cases[:, 0] < len(reference.symbols))
    return "" if is_known.all() else "a case has no symbol"


def _nearest(rows: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the root mean square distance to the nearest cases, averaged, and which they are.

    `rows` (n, features), `reference` (features, k). A row alone goes the same way as one of many, to the last bit.
    """
    reference = reference.view()
    reference.flags.writeable = False  # as when it comes from a file: one kind, one compiled kernel
    distances, places = np.empty(len(rows)), np.zeros((len(rows), NEAREST), np.int64)
    four, sums = np.zeros((4, rows.shape[1]), np.float32), np.empty((4, reference.shape[1]), np.float32)
    _find_nearest(rows, reference, four, sums, np.empty(NEAREST, np.float32), distances, places)
    return distances, places


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _find_nearest(
    rows: np.ndarray,
    reference: np.ndarray,
    four: np.ndarray,
    sums: np.ndarray,
    least: np.ndarray,
    distances: np.ndarray,
    places: np.ndarray,
) -> None:
    """Fill `distances` and `places` (n,) and (n, NEAREST); room for four rows and what is found of them is handed in.

    An array made in here would cost a first start a tenth of a second of compiling.
    """
    count, features = rows.shape
    for first in range(0, count, 4):
        filled = min(4, count - first)
        for row in range(filled):
            for feature in range(features):
                four[row, feature] = rows[first + row, feature]
        _sum_squares(four, reference, sums)
        for row in range(filled):
            _find_least(sums[row], least, places[first + row])
            total = 0.0
            for square in least:
                total += np.sqrt(square / features)
            distances[first + row] = total / NEAREST


@njit(**INNER, fastmath={"contract"})  # type: ignore[untyped-decorator]
def _sum_squares(rows: np.ndarray, reference: np.ndarray, sums: np.ndarray) -> None:
    """Put the squared distance of four rows from each case into `sums` (4, k).

    All cases are more than the processor's nearest cache holds, so each is read once for four rows, and a sum once
    for two features: 1.4x over one row and one feature at a time.
    """
    features, cases = reference.shape
    for row in range(4):
        for case in range(cases):
            sums[row, case] = 0.0
    for at in range(0, features - 1, 2):
        a_first, a_second, a_third, a_fourth = rows[0, at], rows[1, at], rows[2, at], rows[3, at]
        b_first, b_second, b_third, b_fourth = rows[0, at + 1], rows[1, at + 1], rows[2, at + 1], rows[3, at + 1]
        for case in range(cases):
            a, b = reference[at, case], reference[at + 1, case]
            sums[0, case] += _square(a - a_first) + _square(b - b_first)
            sums[1, case] += _square(a - a_second) + _square(b - b_second)
            sums[2, case] += _square(a - a_third) + _square(b - b_third)
            sums[3, case] += _square(a - a_fourth) + _square(b - b_fourth)
    if features % 2:
        for row in range(4):
            for case in range(cases):
                sums[row, case] += _square(reference[features - 1, case] - rows[row, features - 1])


@njit(**INNER, fastmath={"contract"})  # type: ignore[untyped-decorator]
def _square(value: float) -> float:
    return value * value


@njit(**INNER)  # type: ignore[untyped-decorator]
def _find_least(sums: np.ndarray, least: np.ndarray, places: np.ndarray) -> None:
    """Put the least of the sums and their places into `least` and `places`, least first; nan counts as least.

    One pass with a sorted handful: 9x over looking for the least as often as there are places.
    """
    for rank in range(len(least)):
        least[rank] = np.inf
    bound = least[-1]
    for case in range(len(sums)):
        if not sums[case] >= bound:
            rank = len(least) - 1
            while rank > 0 and sums[case] < least[rank - 1]:
                least[rank], places[rank] = least[rank - 1], places[rank - 1]
                rank -= 1
            least[rank], places[rank] = sums[case], case
            bound = least[-1]
