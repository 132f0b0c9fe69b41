"""A difference between two models counts only when it is more than chance."""

import numpy as np

from data.paired_score import MIN_SPANS, NOTHING, compare


def spans(count, gain, seed, rows=50):
    """Return sums over `count` spans of two models whose scores share most of their noise."""
    random = np.random.default_rng(seed)
    champion = rows * (0.24 + random.normal(0, 0.02, count))
    model = champion - rows * gain + rows * random.normal(0, 0.004, count)
    return np.column_stack([np.full(count, rows), model, champion])


def test_nothing_is_said_of_nothing():
    assert compare(np.empty((0, 3))) == NOTHING


def test_a_few_spans_give_a_difference_and_no_interval():
    compared = compare(spans(MIN_SPANS - 1, 0.01, seed=1))

    assert compared.difference > 0
    assert (compared.low, compared.is_better, compared.is_worse) == (None, False, False)


def test_a_real_gain_is_found_and_a_loss_too():
    assert compare(spans(48, 0.01, seed=1)).is_better
    assert compare(spans(48, -0.01, seed=1)).is_worse


def test_chance_is_rarely_taken_for_a_difference():
    found = [compare(spans(24, 0.0, seed)) for seed in range(400)]

    wrong = sum(one.is_better or one.is_worse for one in found) / len(found)

    assert wrong < 0.08


def test_who_looks_after_every_outcome_is_rarely_misled():
    looks = [[compare(spans(60, 0.0, seed)[:end]) for end in range(MIN_SPANS, 61)] for seed in range(100)]

    misled = sum(any(one.is_better or one.is_worse for one in found) for found in looks) / len(looks)

    assert misled <= 0.05


def test_the_difference_is_the_share_by_which_the_brier_score_is_lower():
    compared = compare(np.array([[10, 1.8, 2.0], [10, 2.2, 3.0]]))

    assert compared.n == 20
    assert np.isclose(compared.difference, 1 - 4.0 / 5.0)
