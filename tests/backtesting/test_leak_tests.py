"""Leak tests that find a leak where one was put, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from backtesting.leak_tests import (
    CHANCE,
    LEAK,
    MASKED,
    SHIFTED,
    SHUFFLED,
    TESTS,
    TOO_SHORT,
    changed_scores,
    judged,
    leak_tests,
)
from backtesting.relabelling import shifted_labels, shuffled_labels
from backtesting.walk_forward import walk_forward_of
from models.panel import Panel
from models.training import train_horizon

HORIZON = 12


@pytest.fixture(scope="module")
def quick(case):
    """Return the case with one family and one fold."""
    settings = replace(case.settings, families=("hist_gradient_boosting",), folds=1, max_rows=8_000)
    return replace(case, settings=settings)


def with_column(panel, values):
    """Return the panel with one more column."""
    features = np.concatenate((panel.features, values[..., None]), axis=2)
    return Panel(panel.symbols, (*panel.columns, "tip"), panel.scale_column, panel.open_ms, features, panel.close)


def with_tip(panel):
    """Return the panel with a column that half knows the outcome one horizon later."""
    logs = np.log(panel.close)
    tip = np.zeros(panel.close.shape)
    tip[:, :-HORIZON] = logs[:, HORIZON:] - logs[:, :-HORIZON]
    return with_column(panel, tip + np.random.default_rng(1).normal(size=tip.shape) * tip.std())


def walked(quick, panel):
    return walk_forward_of(panel, train_horizon(panel, "5m", "1h", HORIZON, quick.settings), quick.cost_bps)


def test_an_honest_pipeline_knows_nothing_it_must_not(quick):
    results = list(leak_tests(quick))

    assert [result.test for result in results] == list(TESTS)
    assert {result.verdict for result in results} == {CHANCE}, results
    assert all(result.low <= 0 for result in results)
    assert all("chance" in result.sentence for result in results)


@pytest.mark.parametrize(
    ("test", "relabel"),
    [
        (SHUFFLED, lambda panel: shuffled_labels(panel, HORIZON, 1)),
        (SHIFTED, lambda panel: shifted_labels(panel, 0.25)),
    ],
)
def test_labels_that_reach_the_features_are_found(quick, panel, test, relabel):
    result = judged(test, "1h", walked(quick, with_tip(relabel(panel))))

    assert result.verdict == LEAK
    assert "something leaks" in result.sentence


def test_a_feature_that_looks_ahead_is_found_and_named(quick):
    seeing = replace(quick, build=lambda tables: with_tip(quick.build(tables)))

    result = {result.test: result for result in leak_tests(seeing)}[MASKED]

    assert result.verdict == LEAK
    assert "tip" in result.sentence


def test_a_training_that_looks_ahead_is_found(quick, panel):
    trained = train_horizon(panel, "5m", "1h", HORIZON, quick.settings)
    fold = trained.folds[0]
    other = fold.scores.probability_up.copy()
    other[1, 3] += 1e-12
    changed = replace(trained, folds=[replace(fold, scores=replace(fold.scores, probability_up=other))])

    assert changed_scores(trained, trained, fold.first + 10) is None
    assert changed_scores(trained, changed, fold.first + 3) is None
    assert "depend on what came after" in changed_scores(trained, changed, fold.first + 10)


def test_a_record_of_few_horizons_is_too_short_to_tell(quick, panel):
    rows = walked(quick, panel)

    result = judged(SHUFFLED, "1h", rows, rows.candles >= rows.candles.max() - 5 * HORIZON)

    assert result.verdict == TOO_SHORT
    assert "too few" in result.sentence


def test_a_horizon_without_history_says_what_is_missing(quick):
    results = list(leak_tests(replace(quick, horizons=[("7d", 2_016)])))

    assert {result.verdict for result in results} == {TOO_SHORT}
    assert all("HISTORY_DAYS" in result.sentence for result in results)
