import subprocess
import sys

import numpy as np
import pytest

from features import indicators
from features.feature_engineering import (
    COLUMNS,
    FORMULAS,
    SCALE,
    WARMUP,
    FeatureState,
    candle_values,
    compile_kernels,
    compute_features,
)
from tests.conftest import CHECKOUT
from tests.features.candle_kinds import KINDS, recorded, walk


def assert_forgets_its_start(candles):
    skipped, first = 777, WARMUP - 1
    early, late = compute_features(candles)[skipped + first :], compute_features(candles[skipped:])[first:]
    distances = np.max(np.abs(early - late) / np.maximum(1.0, np.abs(early)), axis=0)
    assert {name: value for name, value in zip(COLUMNS, distances, strict=True) if value > 1e-9} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_finite_once_warm(kind):
    rows = compute_features(KINDS[kind]())

    assert np.isfinite(rows[WARMUP - 1 :]).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "flat"])
def test_warm_rows_do_not_depend_on_where_the_history_starts(kind):
    assert_forgets_its_start(KINDS[kind](3_000))


def test_warm_rows_of_a_flat_market_do_not_depend_on_where_the_history_starts():
    candles = walk(4_000)
    for name in ("open", "high", "low", "close"):
        candles[name][500:3_000] = candles["close"][499]

    assert_forgets_its_start(candles)


def test_warm_rows_of_recorded_candles_do_not_depend_on_where_the_history_starts(shared_data):
    for path in sorted((shared_data / "candles").glob("*m-*.csv.gz")):
        candles = recorded(path)
        if len(candles) > 3_000:
            assert_forgets_its_start(candles[:8_000])


def test_rows_do_not_look_ahead():
    candles, cut = walk(1_200), 800
    changed = candles.copy()
    changed[cut:] = walk(400, price=3.0, noise=0.2, seed=5)

    assert compute_features(changed)[:cut].tobytes() == compute_features(candles)[:cut].tobytes()
    assert compute_features(candles[:cut]).tobytes() == compute_features(candles)[:cut].tobytes()


def test_history_and_live_steps_give_the_same_bits():
    histories = [walk(600, price=price, seed=seed) for seed, price in enumerate((5e4, 1.0, 1e-5))]
    state = FeatureState(len(histories))
    for index, history in enumerate(histories):
        state.warm(index, history[:500])

    stepped = [
        state.step(np.array([2, 0, 1]), np.array([candle_values(histories[index])[t] for index in (2, 0, 1)]))
        for t in range(500, 600)
    ]

    for place, index in enumerate((2, 0, 1)):
        live = np.array([rows[place] for rows in stepped])
        assert live.tobytes() == compute_features(histories[index])[500:].tobytes()


def test_columns_have_no_scale():
    candles = walk(900)
    scaled = candles.copy()
    for name in ("open", "high", "low", "close"):
        scaled[name] *= 2.0**13
    scaled["volume"] *= 2.0**20

    assert compute_features(scaled).tobytes() == compute_features(candles).tobytes()
    assert len(COLUMNS) >= 24


def test_scale_is_the_deviation_of_one_candle_returns_in_basis_points():
    candles = walk(600)
    returns = candles["close"][1:] / candles["close"][:-1] - 1

    column = compute_features(candles)[:, COLUMNS.index(SCALE)]

    assert column[-1] == pytest.approx(1e4 * returns[-48:].std(), rel=1e-9)


def test_warming_forgets_what_was_before():
    state, candles = FeatureState(2), walk(500)
    state.warm(1, walk(700, seed=8))

    rows = state.warm(1, candles)

    assert rows.tobytes() == compute_features(candles).tobytes()
    assert (state.seen(0), state.seen(1)) == (0, 500)
    state.reset(1)
    assert state.seen(1) == 0


def test_several_candles_of_one_symbol_in_one_step_are_taken_in_turn():
    state, candles = FeatureState(2), walk(500)
    state.warm(0, candles[:490])

    rows = state.step(np.zeros(10, dtype=np.int64), candle_values(candles[490:]))

    assert rows.tobytes() == compute_features(candles)[490:].tobytes()


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_is_refused(index):
    with pytest.raises(IndexError, match=r"from 0 to 1"):
        FeatureState(2).step(np.array([index]), np.ones((1, 5)))


def test_candles_that_do_not_match_the_indexes_are_refused():
    with pytest.raises(ValueError, match=r"2 symbols need as many candles of 5 values, not \(1, 5\)"):
        FeatureState(2).step(np.array([0, 1]), np.ones((1, 5)))


def test_no_candles_give_no_rows():
    assert compute_features(walk(5)[:0]).shape == (0, len(COLUMNS))
    assert FeatureState(1).step(np.array([], dtype=np.int64), np.empty((0, 5))).shape == (0, len(COLUMNS))


def test_names_are_known_without_a_compiler():
    program = (
        "import sys; from features.feature_engineering import COLUMNS, SCALE, WARMUP; import data.data_processor;"
        "print(len(COLUMNS), SCALE in COLUMNS, WARMUP <= 420, 'numba' in sys.modules)"
    )

    answer = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert answer.stdout.split() == [str(len(COLUMNS)), "True", "True", "False"]


def test_compiling_tells_how_long_it_took():
    told = compile_kernels()

    assert told["seconds"] > 0
    assert isinstance(told["cached"], bool)


def test_every_column_and_line_is_documented():
    text = (CHECKOUT / "docs" / "features.md").read_text(encoding="utf-8")

    assert [name for name in (*COLUMNS, *indicators.by_line()) if f"`{name}`" not in text] == []


def test_every_formula_is_documented_as_it_is():
    text = (CHECKOUT / "docs" / "features.md").read_text(encoding="utf-8")

    assert [name for name, formula in FORMULAS.items() if f"| `{name}` | `{formula}` |" not in text] == []
