import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features import indicators, kernels, market_context
from features.feature_engineering import (
    COLUMNS,
    FORMULAS,
    OWN_COLUMNS,
    OWN_WARMUP,
    SCALE,
    SHARED,
    WARMUP,
    FeatureState,
    candle_values,
    compile_kernels,
    compute_features,
    definition_hash,
)
from tests.conftest import CHECKOUT
from tests.features.candle_kinds import FIRST_MS, KINDS, MINUTE_MS, recorded, walk
from tests.features.panels import panel_of

HISTORY = 1_000  # candles of a history that is warm for a while


def features(candles):
    """Return the own columns of a history of minutes."""
    return compute_features(candles, MINUTE_MS)


def assert_forgets_its_start(candles):
    skipped, first = 777, OWN_WARMUP - 1
    early, late = features(candles)[skipped + first :], features(candles[skipped:])[first:]
    distances = np.max(np.abs(early - late) / np.maximum(1.0, np.abs(early)), axis=0)
    assert {name: value for name, value in zip(OWN_COLUMNS, distances, strict=True) if value > 1e-9} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_finite_once_warm(kind):
    rows = features(KINDS[kind](HISTORY))

    assert np.isfinite(rows[OWN_WARMUP - 1 :]).all()


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


def test_the_warm_up_lasts_until_every_column_is_there():
    assert kernels.load("features", FORMULAS, SHARED).warmup <= OWN_WARMUP == WARMUP - 1


def test_rows_do_not_look_ahead():
    candles, cut = walk(HISTORY), WARMUP + 32
    changed = candles.copy()
    changed[cut:] = walk(HISTORY - cut, price=3.0, noise=0.2, seed=5)
    changed["open_ms"] = candles["open_ms"]

    assert features(changed)[:cut].tobytes() == features(candles)[:cut].tobytes()
    assert features(candles[:cut]).tobytes() == features(candles)[:cut].tobytes()


def test_history_and_live_steps_give_the_same_bits():
    histories = [walk(HISTORY, price=price, seed=seed) for seed, price in enumerate((5e4, 1.0, 1e-5))]
    state, live = FeatureState(3, MINUTE_MS), []
    for index, history in enumerate(histories):
        state.warm(index, history[:WARMUP])

    for t in range(WARMUP, HISTORY):
        candles = np.array([candle_values(histories[index])[t] for index in (2, 0, 1)])
        live.append(state.step(np.array([2, 0, 1]), FIRST_MS + t * MINUTE_MS, candles)[[1, 2, 0]])

    assert np.array(live).tobytes() == panel_of(histories)[:, WARMUP:].swapaxes(0, 1).tobytes()


def test_columns_have_no_scale():
    candles = walk(HISTORY)
    scaled = candles.copy()
    for name in ("open", "high", "low", "close"):
        scaled[name] *= 2.0**13
    scaled["volume"] *= 2.0**20

    assert features(scaled).tobytes() == features(candles).tobytes()
    assert len(COLUMNS) >= 40


def test_no_two_columns_say_the_same(shared_data):
    paths = sorted((shared_data / "candles").glob("*-15m-*.csv.gz"))
    rows = panel_of([recorded(path)[:6_000] for path in paths], 15 * MINUTE_MS)[:, WARMUP::3].reshape(-1, len(COLUMNS))
    ranks = np.argsort(np.argsort(rows, axis=0), axis=0)

    alike = np.tril(np.abs(np.corrcoef(ranks.T)), -1) > 0.96

    assert [(COLUMNS[a], COLUMNS[b]) for a, b in np.argwhere(alike)] == []


def test_scale_is_the_deviation_of_one_candle_returns_in_basis_points():
    candles = walk(600)
    returns = candles["close"][1:] / candles["close"][:-1] - 1

    column = features(candles)[:, OWN_COLUMNS.index(SCALE)]

    assert column[-1] == pytest.approx(1e4 * returns[-48:].std(), rel=1e-9)


def test_warming_forgets_what_was_before():
    state, candles = FeatureState(2, MINUTE_MS), walk(500)
    state.warm(1, walk(700, seed=8))

    rows = state.warm(1, candles)

    assert rows.tobytes() == features(candles).tobytes()
    assert (state.seen(0), state.seen(1)) == (0, 500)
    state.reset(1)
    assert state.seen(1) == 0


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_outside_is_refused(index):
    with pytest.raises(IndexError, match=r"from 0 to 1"):
        FeatureState(2, MINUTE_MS).step(np.array([index]), FIRST_MS, np.ones((1, 5)))


def test_candles_that_do_not_match_the_indexes_are_refused():
    with pytest.raises(ValueError, match=r"2 symbols need as many candles of 5 values, not \(1, 5\)"):
        FeatureState(2, MINUTE_MS).step(np.array([0, 1]), FIRST_MS, np.ones((1, 5)))


def test_no_candles_give_no_rows():
    nothing = np.array([], dtype=np.int64)

    assert features(walk(5)[:0]).shape == (0, len(OWN_COLUMNS))
    assert FeatureState(1, MINUTE_MS).step(nothing, FIRST_MS, np.empty((0, 5))).shape == (0, len(COLUMNS))


def test_names_are_known_without_a_compiler():
    program = (
        "import sys; from features.feature_engineering import COLUMNS, SCALE, WARMUP; import data.data_processor;"
        "print(len(COLUMNS), SCALE in COLUMNS, WARMUP, 'numba' in sys.modules)"
    )

    answer = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert answer.stdout.split() == [str(len(COLUMNS)), "True", str(WARMUP), "False"]


def test_the_definition_changes_with_how_the_market_is_read(monkeypatch, tmp_path):
    before = definition_hash()
    changed = tmp_path / "market_context.py"
    changed.write_bytes(Path(market_context.__file__).read_bytes().replace(b"MOST_MOVES = 5.0", b"MOST_MOVES = 4.0"))
    monkeypatch.setattr(market_context, "__file__", str(changed))
    definition_hash.cache_clear()

    after = definition_hash()

    definition_hash.cache_clear()
    assert after != before


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
    told = market_context.COLUMNS.items()
    assert [name for name, meaning in told if f"| `{name}` | {meaning} |" not in text] == []
