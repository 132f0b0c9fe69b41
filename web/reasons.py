"""Why a prediction says what it says: what moved it away from the base, and the past cases most like it."""

from dataclasses import dataclass
from typing import Any

from data.ledger_rows import Row

HALF_WIDTH = 30.0  # of the drawing: the largest bar reaches so far to its side of the middle
MIDDLE = 32.0
_FINE = 1.0  # points; where no bar is larger, a second decimal is shown


@dataclass(frozen=True, slots=True)
class Bar:
    """How far one feature moved the probability, in points, and its bar."""

    name: str
    value: float | None
    points: float
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class PastCase:
    """A case the model has learnt from, and what became of it."""

    symbol: str
    open_time: str
    return_bps: float


@dataclass(frozen=True, slots=True)
class Reasons:
    """What explains one row; without a base nothing was kept of it."""

    base: float | None
    bars: list[Bar]
    others: Bar | None  # all features without a bar of their own
    digits: int
    strangeness: float | None
    cases: list[PastCase]
    rose: int
    inputs: int
    missing: int


def reasons_of(row: Row) -> Reasons:
    """Return why a ledger row, read with its inputs and explanation, says what it says."""
    told = row["contributions"]
    rest = row["other_contributions"] or 0.0
    largest = max([abs(rest), *(abs(one["contribution"]) for one in told)])
    unlisted = len(row["inputs"]) - len(told)
    cases = [PastCase(one["symbol"], one["candle_open_time"], one["return_bps"]) for one in row["nearest_cases"]]
    return Reasons(
        base=row["base_probability"],
        bars=[_bar(one["name"], one["value"], one["contribution"], largest) for one in told],
        others=_bar(f"{unlisted} others together", None, rest, largest) if told and unlisted > 0 else None,
        digits=1 if 100.0 * largest >= _FINE else 2,
        strangeness=row["strangeness"],
        cases=cases,
        rose=sum(case.return_bps > 0 for case in cases),
        inputs=len(row["inputs"]),
        missing=sum(value is None for value in row["inputs"].values()),
    )


def _bar(name: str, value: Any, contribution: float, largest: float) -> Bar:
    width = HALF_WIDTH * abs(contribution) / largest
    left = MIDDLE if contribution > 0 else MIDDLE - width
    return Bar(name, value, 100.0 * contribution, round(left, 1), round(width, 1))
