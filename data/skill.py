"""How good scored predictions were, against the best baseline, with an interval that knows they overlap.

Everything is computed from sums over spans of one horizon (`data.ledger_tables.SUMS`). The interval is a circular
block bootstrap (Politis and Romano, 1992) over those spans, two at a time, because a prediction made late in one
span shares most of its outcome with those of the next; for few spans it is widened by Student's t. The base rate is
fitted to the rows it is judged on, which flatters it, in a resample more than in the record: the interval is moved by
that bias, estimated as Efron and Tibshirani (1993, chapter 10) do.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.ledger_tables import SUMS

MIN_RESAMPLED = 10  # spans below which the interval is everything that is possible
MIN_INDEPENDENT = 30  # horizons that do not overlap, below which nothing is called an edge
BINS = 10
_RESAMPLES = 1_000
_MAX_SPANS = 1_000
_BLOCK = 2  # spans drawn together
_SEED = 20_240_229
_Z = 1.959964
_WORST_LOG_LOSS = -math.log(1e-15)  # log losses are clipped there
_TOGETHER = 16  # groups resampled at once: 5x over one by one, and 2 MB
_AT = {name: index for index, name in enumerate(SUMS)}

Scores = dict[str, Any]
Bins = Sequence[tuple[int, float, float, float]]
_Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that are scored together.

    `spans`: (spans, len(SUMS)) sums in order of time, one row for each horizon-long span that has scored rows;
    `bins`: (bin, n, sum of probabilities, ups) of each tenth of probability; `independent`: how many horizons do not
    overlap, where the spans follow each other with holes.
    """

    spans: np.ndarray
    bins: Bins
    independent: int | None = None


def compute_skill(spans: np.ndarray, bins: Bins) -> Scores:
    """Return the scores of one group of rows."""
    return compute_skills([Group(spans, bins)])[0]


def compute_skills(groups: Sequence[Group]) -> list[Scores]:
    """Return the scores of each group; values that need rows there are none of are None.

    Groups of equally many spans are resampled together, which is what most of the time goes to.
    """
    lengths: dict[int, list[int]] = defaultdict(list)
    told = [told_spans(group.spans) for group in groups]
    for place, spans in enumerate(told):
        if len(spans):
            lengths[len(spans)].append(place)
    intervals: dict[int, list[_Interval]] = {}
    for places in lengths.values():
        intervals.update(zip(places, _intervals([told[place] for place in places]), strict=True))
    return [_group_scores(group, intervals.get(place)) for place, group in enumerate(groups)]


def told_spans(spans: np.ndarray) -> np.ndarray:
    """Return the rows of sums, whatever stands before these, that a probability is in; in others are calls only."""
    told: np.ndarray = spans[spans[:, _AT["n"] - len(SUMS)] > 0]
    return told


def _group_scores(group: Group, intervals: list[_Interval] | None) -> Scores:
    """Return the scores of one group; `intervals` of Brier skill, log-loss skill and accuracy, None without rows."""
    spans, bins = group.spans, group.bins
    total = spans.sum(axis=0)
    if intervals is None:
        return {**_nothing(), "n_calls": int(total[_AT["calls"]]), **_net(total)}
    n = total[_AT["n"]]
    independent = _independent(spans) if group.independent is None else group.independent
    brier, base, log_base = (float(value) for value in _losses(total))
    skill, log_skill, accuracy = (float(value) for value in _scores(total))
    (skill_low, skill_high), (log_low, log_high), (accuracy_low, accuracy_high) = intervals
    return {
        "n": int(n),
        "n_independent": independent,
        "base_rate": float(total[_AT["ups"]] / n),
        "accuracy": accuracy,
        "accuracy_low": accuracy_low,
        "accuracy_high": accuracy_high,
        "brier": brier,
        "brier_base": base,
        "brier_skill": skill if base else None,
        "brier_skill_low": skill_low if base else None,
        "brier_skill_high": skill_high if base else None,
        "log_loss": float(total[_AT["log_loss"]] / n),
        "log_loss_base": log_base,
        "log_loss_skill": log_skill if log_base else None,
        "log_loss_skill_low": log_low if log_base else None,
        "log_loss_skill_high": log_high if log_base else None,
        "coverage_claimed": _share(total, "claimed", "intervals"),
        "coverage_kept": _share(total, "inside", "intervals"),
        "n_intervals": int(total[_AT["intervals"]]),
        "calibration": _calibration(bins),
        **_net(total),
        "n_calls": int(total[_AT["calls"]]),
        "verdict": _verdict(independent, skill_low, skill_high) if base else "no measurable edge",
    }


def calibration_gap(calibration: Sequence[Scores]) -> float | None:
    """Return the mean distance between what was said and what happened, weighted by n (the ECE); None without rows."""
    n = sum(entry["n"] for entry in calibration)
    if not n:
        return None
    return float(sum(abs(entry["mean_probability"] - entry["share_up"]) * entry["n"] for entry in calibration) / n)


def _independent(spans: np.ndarray) -> int:
    """Return how many horizons of the record do not overlap.

    The record begins and ends within a span; where these two parts make less than a whole one, they count once.
    """
    rows = told_spans(spans)[:, _AT["n"]]
    are_ends_short = len(rows) > 1 and rows[0] + rows[-1] <= rows.max()
    return len(rows) - int(are_ends_short)


def independent_parts(spans: Sequence[int]) -> int:
    """Return how many horizons surely do not overlap when the rows of a span may be but a part of it.

    Of spans that follow each other every second one counts: rows may lie at the end of one and the start of the next.
    """
    count, last = 0, None
    for span in sorted(spans):
        if last is None or span > last + 1:
            count, last = count + 1, span
    return count


def _losses(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Brier score, the best baseline's Brier score and the best baseline's log loss of each row of sums.

    The baselines: the base rate, "price stays" (a half for either side), and the sign of the last move over the same
    horizon, which says 0 or 1 (one half where that move is not known).
    """
    n = np.maximum(totals[..., _AT["n"]], 1e-12)
    rate = totals[..., _AT["ups"]] / n
    base = np.minimum(np.minimum(rate * (1 - rate), 0.25), totals[..., _AT["last_sign_brier"]] / n)
    safe = np.clip(rate, 1e-15, 1 - 1e-15)
    entropy = np.where((rate > 0) & (rate < 1), -rate * np.log(safe) - (1 - rate) * np.log(1 - safe), 0.0)
    log_base = np.minimum(np.minimum(entropy, math.log(2.0)), totals[..., _AT["last_sign_log_loss"]] / n)
    return totals[..., _AT["brier"]] / n, base, log_base


def _scores(totals: np.ndarray) -> np.ndarray:
    """Return Brier skill, log-loss skill and accuracy, first axis, for each row of sums, last axis of `totals`."""
    n = np.maximum(totals[..., _AT["n"]], 1e-12)
    brier, base, log_base = _losses(totals)
    log_loss, hits = totals[..., _AT["log_loss"]] / n, totals[..., _AT["hits"]] / n
    return np.stack([_skill(brier, base), _skill(log_loss, log_base), hits])


def _skill(loss: np.ndarray, base: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(loss, base, out=np.ones_like(loss), where=base > 0)
    return 1 - share


def _intervals(groups: Sequence[np.ndarray]) -> list[list[_Interval]]:
    """Return for each group the 95 % intervals of Brier skill, log-loss skill and accuracy; all have as many spans."""
    length = len(groups[0])
    if length < MIN_RESAMPLED:
        return [_widest(spans.sum(axis=0)) for spans in groups]
    draws, factor = _draws(len(_merged(groups[0]))), _student_factor(length // _BLOCK)
    starts = range(0, len(groups), _TOGETHER)
    return [found for at in starts for found in _resampled(draws, groups[at : at + _TOGETHER], factor)]


def _resampled(draws: np.ndarray, groups: Sequence[np.ndarray], factor: float) -> list[list[_Interval]]:
    """Return the intervals of some groups, `factor` times as wide as these draws of their spans say."""
    merged = np.stack([_merged(spans)[:, : _AT["intervals"]] for spans in groups], axis=1)
    totals = draws @ merged.reshape(len(merged), -1)
    drawn = _scores(totals.reshape(_RESAMPLES, *merged.shape[1:]))
    point = _scores(np.stack([spans.sum(axis=0) for spans in groups]))
    low, high = np.percentile(drawn, (2.5, 97.5), axis=1) + 2 * (point - drawn.mean(axis=1))
    lows = point - np.maximum(point - low, 0.0) * factor
    lows[-1] = np.maximum(0.0, lows[-1])  # an accuracy
    highs = np.minimum(point + np.maximum(high - point, 0.0) * factor, 1.0)
    return np.stack([lows, highs], axis=2).transpose(1, 0, 2).tolist()  # type: ignore[no-any-return]


def _widest(total: np.ndarray) -> list[_Interval]:
    """Return everything that is possible."""
    _, base, log_base = (float(value) for value in _losses(total))
    worst = (1.0 - 1.0 / base if base else 0.0, 1.0 - _WORST_LOG_LOSS / log_base if log_base else 0.0, 0.0)
    return [(low, 1.0) for low in worst]


def _merged(spans: np.ndarray) -> np.ndarray:
    """Return at most `_MAX_SPANS` rows of sums: a long record is resampled in longer spans."""
    length = -(-len(spans) // _MAX_SPANS)
    return np.add.reduceat(spans, np.arange(0, len(spans), length)) if length > 1 else spans


def _draws(spans: int) -> np.ndarray:
    """Return how often each span is in each resample: (resamples, spans); the same for all records of one length."""
    random = np.random.default_rng(_SEED)
    starts = random.integers(0, spans, size=(_RESAMPLES, -(-spans // _BLOCK)))
    places = (np.arange(_RESAMPLES)[:, None] * spans + starts).ravel()
    firsts = np.bincount(places, minlength=_RESAMPLES * spans).reshape(_RESAMPLES, spans).astype(np.uint8)
    counts = firsts + np.roll(firsts, 1, axis=1)  # each block is a span and the next one, around the end
    if spans % _BLOCK:  # the last block gives its first span only
        counts[np.arange(_RESAMPLES), (starts[:, -1] + 1) % spans] -= 1
    return counts.astype(float)


def _student_factor(blocks: int) -> float:
    """Return t / z at 97.5 % for `blocks` independent blocks (Abramowitz and Stegun 26.7.5, two terms)."""
    freedom = max(blocks - 1, 1)
    t = _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    return t / _Z * math.sqrt((freedom + 1) / freedom)


def _verdict(independent: int, low: float, high: float) -> str:
    if high < 0:
        return "worse than base"
    if low > 0 and independent >= MIN_INDEPENDENT:
        return "edge"
    return "no measurable edge"


def _net(total: np.ndarray) -> Scores:
    return {"net_bps_per_prediction": _share(total, "net_bps", "calls")}


def _share(total: np.ndarray, part: str, whole: str) -> float | None:
    return float(total[_AT[part]] / total[_AT[whole]]) if total[_AT[whole]] else None


def _calibration(bins: Sequence[tuple[int, float, float, float]]) -> list[Scores]:
    return [
        {
            "low": bin_ / BINS,
            "high": (bin_ + 1) / BINS,
            "n": int(n),
            "mean_probability": probability_sum / n,
            "share_up": ups / n,
        }
        for bin_, n, probability_sum, ups in sorted(bins)
        if n
    ]


def _nothing() -> Scores:
    keys = (
        "base_rate accuracy accuracy_low accuracy_high brier brier_base brier_skill brier_skill_low brier_skill_high "
        "log_loss log_loss_base log_loss_skill log_loss_skill_low log_loss_skill_high coverage_claimed coverage_kept"
    )
    return {
        "n": 0,
        "n_independent": 0,
        **dict.fromkeys(keys.split()),
        "calibration": [],
        "n_intervals": 0,
        "n_calls": 0,
        "verdict": "no measurable edge",
    }
