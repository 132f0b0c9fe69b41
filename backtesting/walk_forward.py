"""Score a walk-forward in memory as the ledger would: the same sums, the same skill, the same interval."""

from dataclasses import dataclass

import numpy as np

from data.ledger_tables import SUMS
from data.outcomes import Numbers, outcomes_of, sums_of
from data.skill import BINS, Scores, compute_skill
from market.predictions import Verdict
from models.panel import Panel
from models.training import Fold, TrainedHorizon


@dataclass(frozen=True, slots=True)
class WalkForward:
    """The scored rows of one horizon, one value (or one line of sums) a row."""

    symbols: np.ndarray  # index of the symbol in the panel
    candles: np.ndarray  # index of the candle
    spans: np.ndarray  # number of the horizon-long span the row was made in
    probability_up: np.ndarray
    sums: np.ndarray  # (rows, len(SUMS))

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.symbols)

    def skill(self, is_kept: np.ndarray | None = None) -> Scores:
        """Return the scores of the kept rows together (all when None), as `data.skill` gives them."""
        kept = np.ones(len(self), bool) if is_kept is None else is_kept
        _, places = np.unique(self.spans[kept], return_inverse=True)
        sums, chance = self.sums[kept], self.probability_up[kept]
        spans = np.column_stack([np.bincount(places, column) for column in sums.T])
        tenths = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
        ups = sums[:, SUMS.index("ups")]
        columns = (np.bincount(tenths, values, BINS) for values in (np.ones(len(chance)), chance, ups))
        bins = [(number, *found) for number, found in enumerate(zip(*(c.tolist() for c in columns), strict=True))]
        return compute_skill(spans, bins)


def walk_forward_of(panel: Panel, trained: TrainedHorizon, cost_bps: float) -> WalkForward:
    """Return the rows of all folds that have a probability and an outcome."""
    horizon = trained.model.horizon_candles
    step_ms = int(panel.open_ms[1] - panel.open_ms[0])
    parts = [_rows(panel, fold, horizon, trained.model.coverage, cost_bps) for fold in trained.folds]
    symbols, candles = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    number: Numbers = {name: np.concatenate([part[2][name] for part in parts]) for name in parts[0][2]}
    verdicts = np.where(
        np.abs(number["expected"]) <= cost_bps,
        Verdict.ABSTAIN.value,
        np.where(number["expected"] > 0, Verdict.UP.value, Verdict.DOWN.value),
    )
    sums = sums_of(number, outcomes_of(number, verdicts.tolist()))
    spans = (panel.open_ms[candles] + step_ms) // (horizon * step_ms)
    lines = np.column_stack([sums[name] for name in SUMS])
    return WalkForward(symbols, candles, spans, number["probability_up"], lines)


def _rows(
    panel: Panel, fold: Fold, horizon: int, coverage: float, cost_bps: float
) -> tuple[np.ndarray, np.ndarray, Numbers]:
    """Return symbol, candle and numbers of the scored rows of one fold."""
    span = np.arange(fold.first, fold.last + 1)
    later, past = _closes(panel, span + horizon), _closes(panel, span - horizon)
    price = panel.close[:, span]
    is_scored = np.isfinite(fold.scores.probability_up) & np.isfinite(later) & np.isfinite(price)
    symbols, at = np.nonzero(is_scored)
    rows = {
        "price": price,
        "later": later,
        "past": past,
        "probability_up": fold.scores.probability_up,
        "expected": fold.scores.expected_return_bps,
        "low_bps": fold.scores.low_bps,
        "high_bps": fold.scores.high_bps,
    }
    number = {name: values[symbols, at] for name, values in rows.items()}
    number["coverage"] = np.full(len(at), coverage)
    number["cost_bps"] = np.full(len(at), cost_bps)
    return symbols, span[at], number


def _closes(panel: Panel, candles: np.ndarray) -> np.ndarray:
    """Return the closes (S, candles) at candles that may lie outside the panel: nan there."""
    is_inside = (candles >= 0) & (candles < panel.close.shape[1])
    found = panel.close[:, np.clip(candles, 0, panel.close.shape[1] - 1)]
    return np.where(is_inside, found, np.nan)
