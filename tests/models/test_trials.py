"""What is cheaper is used only where later rows show that nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from models.fit_memory import FitMemory
from models.fitting import TIE_LOSS, fit
from models.flattening import first_trees
from models.job import Job, Past
from models.panel import outcomes_of
from models.training import TrainingSettings, train_horizon
from models.trials import smallest, try_fewer_columns, try_newer_leaves
from models.validation import walk_forward
from models.walk import tell, walk_through
from tests.models.synthetic import COLUMNS, synthetic_panel

HORIZON = 12
SETTINGS = TrainingSettings(
    replay_candles=2_000, folds=2, max_rows=8_000, threads=2, families=("random_forest",), cost_bps=24.0
)


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=6, candles=6_000, seed=4, edge_share=0.5)


@pytest.fixture(scope="module")
def walk(market):
    job = Job(market, outcomes_of(market, HORIZON), "5m", "1h", SETTINGS, FitMemory(market))
    return walk_through(job, walk_forward(48, range(4_000, 6_000), HORIZON, 2))


@pytest.fixture(scope="module")
def trained(market):
    return train_horizon(market, "5m", "1h", HORIZON, SETTINGS)


def test_the_column_with_the_planted_edge_is_of_stable_use(walk):
    told = walk.told["random_forest"]
    columns, trial = try_fewer_columns(told)

    assert COLUMNS.index("balance") in columns
    assert len(columns) < len(COLUMNS)
    assert fit(told[-1].fitted.past, "random_forest", columns).model.form.feature_count == len(COLUMNS)
    assert trial.is_used == (trial.excess <= TIE_LOSS)


def test_newer_leaves_are_judged_on_rows_later_than_both_models(walk):
    told = walk.told["random_forest"]

    trial = try_newer_leaves(told)

    assert trial.n == np.isfinite(told[-1].fitted.past.job.outcomes.return_bps[:, told[-1].span.start :]).sum()
    assert trial.excess == pytest.approx(trial.log_loss - trial.usual_log_loss)
    assert abs(trial.excess) < 0.02


def test_one_fold_alone_has_no_older_trees(walk):
    assert try_newer_leaves(walk.told["random_forest"][-1:]) is None


def test_a_fold_too_short_to_judge_by_tries_nothing(walk):
    told = walk.told["random_forest"]
    past = told[-1].fitted.past
    start = past.split.test.start
    short = replace(past.split, test=range(start, start + 3 * past.job.block_candles))
    fitted = fit(Past(past.job, short), "random_forest")

    folds = [told[0], tell(fitted)]

    assert try_fewer_columns(folds)[1] is None
    assert try_newer_leaves(folds) is None


def test_trees_that_gain_are_not_given_away(walk):
    fitted = walk.told["random_forest"][-1].fitted

    form, sizes = smallest(fitted.past, fitted.model.form)

    best = min(size.log_loss for size in sizes)
    kept = next(size for size in sizes if size.trees == len(form.starts) - 1)
    assert [size.trees for size in sizes] == [4, 8, 16, 32]
    assert kept.log_loss - best <= 0.01 * (np.log(2.0) - best)
    assert all(size.log_loss > kept.log_loss for size in sizes if size.trees < kept.trees)


def test_trees_that_all_say_the_same_are_few(walk):
    fitted = walk.told["random_forest"][-1].fitted
    forest = fitted.model.form
    first = first_trees(forest, 1)
    twins = replace(
        first,
        nodes=np.tile(first.nodes, (8, 1)),
        starts=np.arange(9) * len(first.nodes),
        means=np.tile(first.means, 8),
        weight=1.0 / 8,
    )

    form, sizes = smallest(fitted.past, twins)

    assert len(form.starts) - 1 == 1
    assert len({size.log_loss for size in sizes}) == 1


def test_where_nothing_is_gained_all_trees_stay(walk):
    # The same features, but what they told before now misleads.
    market = synthetic_panel(symbols=6, candles=6_000, seed=4, edge_share=-0.5)
    job = Job(market, outcomes_of(market, HORIZON), "5m", "1h", SETTINGS, FitMemory(market))
    fitted = walk.told["random_forest"][-1].fitted

    kept, sizes = smallest(Past(job, fitted.past.split), fitted.model.form)

    assert min(size.log_loss for size in sizes) >= np.log(2.0) - TIE_LOSS
    assert kept is fitted.model.form


def test_the_card_tells_what_was_chosen_and_why(trained):
    choices = trained.choices

    assert choices.trees in {size.trees for size in choices.sizes}
    assert bool(choices.dropped) == (choices.fewer_columns is not None and choices.fewer_columns.is_used)
    assert set(choices.dropped) < set(COLUMNS)
    assert "balance" not in choices.dropped
    assert choices.newer_leaves is None or not choices.dropped  # what nobody has tried together is not served together
    assert (trained.estimator is None) == (choices.newer_leaves is not None and choices.newer_leaves.is_used)


def test_a_model_taught_few_columns_is_asked_about_whole_rows(market, trained):
    rows = market.features[:, -1].astype(np.float64)
    changed = rows.copy()
    for name in trained.choices.dropped:
        if name != market.scale_column:
            changed[:, COLUMNS.index(name)] += 5.0

    assert trained.model.features == COLUMNS
    assert trained.model.predict(changed).probability_up.tolist() == trained.model.predict(rows).probability_up.tolist()


def test_the_size_of_moves_is_foretold_better_than_by_their_share(trained):
    record = trained.cost_record

    assert record.cost_bps == 24.0
    assert record.brier_skill > 0.02
    assert record.ece < 0.05


def test_without_a_cost_there_is_no_record_of_it(market):
    assert train_horizon(market, "5m", "1h", HORIZON, replace(SETTINGS, cost_bps=0.0)).cost_record is None
