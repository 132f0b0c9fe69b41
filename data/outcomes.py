"""What became of predictions: return, Brier score, interval and net result, and what they add to the sums of skill."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market.predictions import BPS

_LOG_LOSS_CLIP = 1e-15
_HALF_BRIER, _HALF_LOG_LOSS = 0.25, math.log(2.0)  # of saying one half
_SIDES = {"up": 1.0, "down": -1.0}

Numbers = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One value a row; nan where a row has none."""

    returns_bps: np.ndarray
    ups: np.ndarray  # bool
    brier: np.ndarray
    inside: np.ndarray  # 1.0 or 0.0
    net_bps: np.ndarray


def outcomes_of(number: Numbers, verdicts: Sequence[str]) -> Outcomes:
    """Return the outcomes of rows: `number` holds price, later, probability_up, low_bps, high_bps and cost_bps."""
    returns = (number["later"] / number["price"] - 1.0) * BPS
    ups = returns > 0
    inside = (number["low_bps"] <= returns) & (returns <= number["high_bps"])
    has_interval = np.isfinite(number["low_bps"]) & np.isfinite(number["high_bps"])
    side = np.array([_SIDES.get(verdict, math.nan) for verdict in verdicts])
    return Outcomes(
        returns,
        ups,
        (number["probability_up"] - ups) ** 2,
        np.where(has_interval, inside, math.nan),
        side * returns - number["cost_bps"],
    )


def sums_of(number: Numbers, outcomes: Outcomes) -> Numbers:
    """Return what each row adds to `data.ledger_tables.SUMS`.

    `number` also holds past, the close one horizon before the row's own (nan: unknown), and coverage. A row without a
    probability adds nothing but its net result.
    """
    chance, ups = number["probability_up"], outcomes.ups
    has_chance = np.isfinite(chance)
    said = np.where(has_chance, chance, 0.5)
    is_past_known = np.isfinite(number["past"])
    is_miss = (number["price"] > number["past"]) != ups
    has_interval = has_chance & np.isfinite(outcomes.inside)
    values = {
        "n": np.ones(len(ups)),
        "ups": ups,
        "hits": (said >= 0.5) == ups,
        "brier": (said - ups) ** 2,
        "last_sign_brier": np.where(is_past_known, is_miss, _HALF_BRIER),
        "log_loss": _log_loss(said, ups),
        "last_sign_log_loss": np.where(is_past_known, -math.log(_LOG_LOSS_CLIP) * is_miss, _HALF_LOG_LOSS),
        "intervals": has_interval,
        "claimed": np.where(has_interval, number["coverage"], 0.0),
        "inside": np.where(has_interval, outcomes.inside, 0.0),
    }
    summed = {name: np.where(has_chance, column, 0.0).astype(float) for name, column in values.items()}
    return {
        **summed,
        "calls": np.isfinite(outcomes.net_bps).astype(float),
        "net_bps": np.nan_to_num(outcomes.net_bps),
    }


def _log_loss(chance: np.ndarray, ups: np.ndarray) -> np.ndarray:
    loss: np.ndarray = -np.log(np.clip(np.where(ups, chance, 1 - chance), _LOG_LOSS_CLIP, 1.0))
    return loss
