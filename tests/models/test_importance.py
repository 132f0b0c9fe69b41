import numpy as np

from models.importance import MIN_COLUMNS, Importance, importance, stable_columns
from models.linear import Linear
from models.panel import Sample

BLOCK = 24


def later_rows(columns, seed=1):
    """Return rows over 100 blocks of time, where only column 0 leans."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(12_000, columns)).astype(np.float32)
    up = random.random(12_000) < 1.0 / (1.0 + np.exp(-rows[:, 0]))
    return Sample(rows, up, np.zeros(12_000), np.arange(12_000) // 5, np.zeros(12_000, np.int64))


def line(weights):
    return Linear(np.vstack((np.zeros(len(weights)), np.ones(len(weights)), weights)), 0.0, 4.0)


def test_only_what_a_model_lives_on_is_missed():
    # The model looks at columns 0 to 2, but only column 0 tells anything.
    found = importance(line([1.0, 0.2, 0.2, 0.0]), later_rows(4), BLOCK, seed=1)

    assert found.is_useful.tolist() == [True, False, False, False]
    assert found.rise[3] == 0.0
    assert found.rise[0] > 0.05


def test_the_rows_are_left_as_they_were():
    later = later_rows(4)
    kept = later.rows.copy()

    importance(line([1.0, 0.2, 0.2, 0.0]), later, BLOCK, seed=1)

    assert (later.rows == kept).all()


def test_few_blocks_of_time_show_the_use_of_nothing():
    later = later_rows(4)
    moment = Sample(later.rows, later.up, later.moves, np.zeros(len(later), np.int64), later.symbols)

    assert not importance(line([1.0, 0.0, 0.0, 0.0]), moment, BLOCK, seed=1).is_useful.any()


def fold(useful, columns=20):
    rise = np.linspace(-0.01, -0.001, columns)
    rise[useful] = 1.0
    return Importance(rise, np.full(columns, 0.1))


def test_a_column_must_be_of_use_in_most_folds():
    often = list(range(10))

    kept = stable_columns([fold([*often, 15]), fold([*often, 16]), fold(often[:-1])])

    assert kept == often


def test_a_few_columns_always_stay_the_best_of_the_others_among_them():
    kept = stable_columns([fold([3])])

    assert len(kept) == MIN_COLUMNS
    assert kept == [3, *range(13, 20)]
