"""A prediction as it is written into the ledger, and the arithmetic its honesty rests on."""

from enum import StrEnum

import msgspec

BPS = 10_000.0


class Verdict(StrEnum):
    """What a prediction says after costs."""

    UP = "up"
    DOWN = "down"
    ABSTAIN = "abstain"


class Origin(StrEnum):
    """Whether a row was published in time, or computed later by walk-forward."""

    LIVE = "live"
    REPLAYED = "replayed"


class Reason(StrEnum):
    """Why a prediction abstains. The first four are about data: then there is no probability at all."""

    TOO_FEW_CANDLES = "too few candles"
    STALE = "stale"
    GAPPED = "gapped"
    MODEL_MISSING = "model missing"
    COST = "cost"
    OUT_OF_DISTRIBUTION = "out of distribution"
    MODEL_EXPIRED = "model expired"


class Prediction(msgspec.Struct, frozen=True):  # made by the thousand at a close: 5x over a frozen dataclass
    """One row of the ledger as made: symbol x horizon x closed candle. Returns are simple, in basis points."""

    symbol: str
    interval: str
    horizon: str
    candle_open_ms: int
    made_ms: int  # candle_open_ms + interval
    due_ms: int  # made_ms + horizon
    price: float  # close of that candle
    cost_bps: float
    verdict: Verdict
    reason: Reason | None
    origin: Origin
    model: str | None = None
    probability_up: float | None = None
    expected_return_bps: float | None = None
    low_bps: float | None = None
    high_bps: float | None = None
    coverage: float | None = None  # what low..high claims to hold, 0 to 1
    edge_bps: float | None = None  # |expected_return_bps| - cost_bps


def round_trip_cost_bps(fee_bps: float, slippage_bps: float) -> float:
    """Return what entering and leaving costs, from the fee and slippage of one side."""
    return 2.0 * (fee_bps + slippage_bps)


def return_bps(price: float, later_price: float) -> float:
    """Return the simple return between two prices in basis points."""
    return (later_price / price - 1.0) * BPS


def net_bps(verdict: Verdict, outcome_return_bps: float, cost_bps: float) -> float | None:
    """Return what following the verdict earned after costs; None when it abstained."""
    if verdict is Verdict.UP:
        return outcome_return_bps - cost_bps
    if verdict is Verdict.DOWN:
        return -outcome_return_bps - cost_bps
    return None
