"""The scores behind every claim on the board."""

import numpy as np
import pytest
from scipy import stats

from data.ledger_tables import SUMS
from data.skill import MIN_INDEPENDENT, Group, calibration_gap, compute_skill, compute_skills


def _spans(chance: np.ndarray, ups: np.ndarray, rows_a_span: int) -> np.ndarray:
    """Return the sums of rows in order of time; `chance` and `ups` are one value a row."""
    count = len(ups) // rows_a_span
    values = {
        "n": np.ones(len(ups)),
        "ups": ups,
        "hits": ((chance >= 0.5) == ups).astype(float),
        "brier": (chance - ups) ** 2,
        "last_sign_brier": np.full(len(ups), 0.25),
        "log_loss": -np.log(np.where(ups, chance, 1 - chance)),
        "last_sign_log_loss": np.full(len(ups), np.log(2.0)),
        "intervals": np.ones(len(ups)),
        "claimed": np.full(len(ups), 0.8),
        "inside": np.ones(len(ups)),
        "calls": np.zeros(len(ups)),
        "net_bps": np.zeros(len(ups)),
    }
    stacked = np.stack([values[name] for name in SUMS], axis=1)
    return stacked[: count * rows_a_span].reshape(count, rows_a_span, -1).sum(axis=1)


def test_saying_one_half_of_a_coin_flip_is_neither_an_edge_nor_worse_than_the_base_rate():
    verdicts = []
    for seed in range(100):
        ups = (np.random.default_rng(seed).random(60) < 0.5).astype(float)
        scores = compute_skill(_spans(np.full(60 * 12, 0.5), np.repeat(ups, 12), 12), [])
        verdicts.append(scores["verdict"])

    assert verdicts.count("edge") <= 5
    assert verdicts.count("worse than base") <= 5


def test_knowing_the_chance_is_an_edge():
    random = np.random.default_rng(1)
    chance = random.choice([0.3, 0.7], 2_000)
    ups = (random.random(2_000) < chance).astype(float)

    scores = compute_skill(_spans(chance, ups, 10), [])

    assert scores["verdict"] == "edge"
    assert scores["brier_skill"] == pytest.approx(0.16, abs=0.04)
    assert scores["brier_skill_low"] < scores["brier_skill"] < scores["brier_skill_high"]


def test_claiming_too_much_is_worse_than_the_base_rate():
    random = np.random.default_rng(3)
    ups = (random.random(3_000) < 0.5).astype(float)
    chance = random.choice([0.1, 0.9], 3_000)

    assert compute_skill(_spans(chance, ups, 10), [])["verdict"] == "worse than base"


def test_an_edge_needs_thirty_independent_horizons():
    random = np.random.default_rng(4)
    chance = random.choice([0.1, 0.9], 100 * (MIN_INDEPENDENT - 1))
    ups = (random.random(len(chance)) < chance).astype(float)

    scores = compute_skill(_spans(chance, ups, 100), [])

    assert scores["brier_skill_low"] > 0
    assert scores["verdict"] == "no measurable edge"


def test_horizons_with_calls_of_a_direction_only_are_no_evidence():
    random = np.random.default_rng(4)
    chance = random.choice([0.1, 0.9], 100 * (MIN_INDEPENDENT - 1))
    ups = (random.random(len(chance)) < chance).astype(float)
    told = _spans(chance, ups, 100)
    calls = np.zeros((4 * len(told), len(SUMS)))
    calls[:, SUMS.index("calls")] = calls[:, SUMS.index("net_bps")] = 1
    both = np.concatenate([calls[::2], told, calls[1::2]])

    scores, alone = compute_skill(both, []), compute_skill(told, [])

    assert scores["verdict"] == "no measurable edge"
    assert scores == {**alone, "n_calls": len(calls), "net_bps_per_prediction": 1.0}


def test_a_record_that_begins_and_ends_within_a_span_holds_one_horizon_less():
    random = np.random.default_rng(4)
    chance = random.choice([0.1, 0.9], 100 * MIN_INDEPENDENT)
    ups = (random.random(len(chance)) < chance).astype(float)
    spans = _spans(chance, ups, 100)
    spans[[0, -1]] /= 2

    scores = compute_skill(spans, [])

    assert scores["brier_skill_low"] > 0
    assert scores["n_independent"] == MIN_INDEPENDENT - 1
    assert scores["verdict"] == "no measurable edge"


def test_the_interval_covers_the_truth_of_overlapping_outcomes():
    random = np.random.default_rng(5)
    length, covered, trials = 12, 0, 120
    for _ in range(trials):
        noise = random.standard_normal(60 * length + length)
        walk = np.cumsum(noise)
        ups = (walk[length:] > walk[:-length]).astype(float)
        chance = np.clip(0.5 + 0.1 * np.repeat(random.standard_normal(60), length), 0.05, 0.95)
        scores = compute_skill(_spans(chance, ups, length), [])
        covered += scores["brier_skill_low"] <= 0
    # a model that knows nothing is called better than its baseline in at most 2.5 % of worlds, by intention
    assert covered / trials >= 0.95


def test_few_horizons_say_nothing_whatever_their_scores():
    scores = compute_skill(_spans(np.full(900, 0.5), np.zeros(900), 100), [])
    mixed = compute_skill(_spans(np.full(900, 0.9), np.r_[np.zeros(800), np.ones(100)], 100), [])

    assert scores["verdict"] == mixed["verdict"] == "no measurable edge"
    assert mixed["brier_skill_low"] < mixed["brier_skill"] < mixed["brier_skill_high"] == 1.0


def test_base_rate_is_the_baseline_to_beat():
    random = np.random.default_rng(6)
    ups = (random.random(2_000) < 0.7).astype(float)

    scores = compute_skill(_spans(np.full(2_000, 0.5), ups, 10), [])

    assert scores["brier_base"] == pytest.approx(ups.mean() * (1 - ups.mean()))
    assert scores["brier_skill"] < 0


def test_no_rows_give_no_figures():
    scores = compute_skill(np.zeros((0, len(SUMS))), [])

    assert scores["n"] == 0
    assert scores["brier_skill"] is None
    assert scores["verdict"] == "no measurable edge"


def test_only_ups_leave_no_baseline_to_beat():
    scores = compute_skill(_spans(np.full(100, 0.9), np.ones(100), 10), [])

    assert scores["brier_base"] == 0
    assert scores["brier_skill"] is None
    assert scores["verdict"] == "no measurable edge"


def test_the_calibration_gap_weighs_bins_by_their_rows():
    bins = [(5, 100.0, 55.0, 50.0), (6, 300.0, 195.0, 195.0)]

    scores = compute_skill(_spans(np.full(10, 0.5), np.ones(10), 5), bins)

    assert calibration_gap(scores["calibration"]) == pytest.approx(0.05 * 100 / 400)


def _resampled_skill(spans):
    """Return the Brier skills of the resamples that are drawn, one after the other, as a book would do it."""
    starts = np.random.default_rng(20_240_229).integers(0, len(spans), size=(1_000, -(-len(spans) // 2)))
    skills = []
    for blocks in starts:
        picked = [spans[(first + step) % len(spans)] for first in blocks for step in (0, 1)][: len(spans)]
        total = dict(zip(SUMS, np.sum(picked, axis=0), strict=True))
        rate = total["ups"] / total["n"]
        base = min(rate * (1 - rate), 0.25, total["last_sign_brier"] / total["n"])
        skills.append(1 - total["brier"] / total["n"] / base)
    return np.array(skills)


@pytest.mark.parametrize("length", [60, 61])
def test_intervals_are_those_of_a_circular_block_bootstrap(length):
    random = np.random.default_rng(length)
    chance = random.uniform(0.3, 0.7, length * 5)
    spans = _spans(chance, (random.random(len(chance)) < chance).astype(float), 5)

    scores = compute_skill(spans, [])

    drawn, point = _resampled_skill(spans), scores["brier_skill"]
    low, high = np.percentile(drawn, (2.5, 97.5)) + 2 * (point - drawn.mean())
    blocks = length // 2
    widened = stats.t.ppf(0.975, blocks - 1) / stats.norm.ppf(0.975) * np.sqrt(blocks / (blocks - 1))
    assert scores["brier_skill_low"] == pytest.approx(point - (point - low) * widened, abs=1e-5)
    assert scores["brier_skill_high"] == pytest.approx(point + (high - point) * widened, abs=1e-5)


def test_groups_that_are_scored_together_have_the_scores_they_have_alone():
    random = np.random.default_rng(9)
    groups = [Group(np.zeros((0, len(SUMS))), [])]
    for spans in (40, 40, 7, 41, *[40] * 20):
        chance = random.uniform(0.2, 0.8, spans * 6)
        groups.append(Group(_spans(chance, (random.random(len(chance)) < chance).astype(float), 6), []))

    together = compute_skills(groups)

    for group, scores in zip(groups, together, strict=True):
        alone = compute_skill(group.spans, [])
        floats = {name for name, value in alone.items() if isinstance(value, float)}
        assert [scores[name] for name in floats] == pytest.approx([alone[name] for name in floats], rel=1e-12)
        assert {name: scores[name] for name in alone.keys() - floats} == {
            name: alone[name] for name in alone.keys() - floats
        }
