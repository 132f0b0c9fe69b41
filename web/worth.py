"""What a prediction is worth to a reader: after the costs it was made with, or after those of a fee of their own."""

from dataclasses import dataclass

from data.ledger_rows import Row
from market.predictions import round_trip_cost_bps
from trading.signals import edge_bps
from web.preferences import preferences
from web.site_stores import settings


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs a reader on one side, in bps."""

    fee_bps: float
    slippage_bps: float
    is_own: bool  # the fee is the reader's, not the one this instance predicts and scores with

    @property
    def round_trip_bps(self) -> float:
        """Return what entering and leaving costs."""
        return round_trip_cost_bps(self.fee_bps, self.slippage_bps)


@dataclass(frozen=True, slots=True)
class Worth:
    """What one prediction leaves after costs, in bps."""

    cost_bps: float
    edge_bps: float | None
    is_below: bool  # it said up or down, and the reader's costs leave nothing of it
    tone: str  # up or down where it is worth following, else abstain


def reader_costs() -> Costs:
    """Return the costs of this request's reader; by default those the instance is set to."""
    own, asked = preferences().fee_bps, settings()
    return Costs(asked.FEE_BPS if own is None else own, asked.SLIPPAGE_BPS, own is not None)


def worth_of(call: Row, costs: Costs) -> Worth:
    """Return what a row is worth: as the ledger has it, or anew at a fee of the reader's own.

    The verdict is not judged anew: an abstention stays one, however low the fee.
    """
    verdict, expected = str(call["verdict"]), call["expected_return_bps"]
    if not costs.is_own:
        return Worth(call["cost_bps"], call["edge_bps"], False, verdict)
    edge = None if expected is None else edge_bps(expected, costs.round_trip_bps)
    is_below = verdict != "abstain" and (edge is None or edge <= 0)
    return Worth(costs.round_trip_bps, edge, is_below, "abstain" if is_below else verdict)
