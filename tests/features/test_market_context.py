"""The market's part of a row: what others did one candle before."""

import numpy as np
import pytest

from features import feature_engineering, market_context
from features.feature_engineering import COLUMNS, OWN_COLUMNS, WARMUP, FeatureState, candle_values
from features.market_context import MIN_SYMBOLS, MOST_MOVES, SECTIONS, context, sections
from tests.features.candle_kinds import FIRST_MS, KINDS, MINUTE_MS, walk
from tests.features.panels import panel_of

MARKET = {name: place for place, name in enumerate(market_context.COLUMNS)}
FIRST = len(OWN_COLUMNS)  # where the market's columns begin in a row


def moves(*return_12):
    """Return sections of symbols with these moves and nothing else."""
    earlier = np.zeros((len(return_12), len(SECTIONS)))
    earlier[:, 0] = return_12
    return earlier


def test_the_market_is_the_mean_of_all_and_the_rest_is_a_symbols_own():
    told = context(moves(2.0, 1.0, -1.5, 0.5))

    np.testing.assert_allclose(told[:, MARKET["market_return_12"]], 0.5)
    np.testing.assert_allclose(told[:, MARKET["own_return_12"]], [1.5, 0.5, -2.0, 0.0])


def test_a_symbol_without_a_row_does_not_count_and_has_no_move_of_its_own():
    told = context(moves(1.0, 2.0, np.nan, 3.0))

    np.testing.assert_allclose(told[:, MARKET["market_return_12"]], 2.0)
    np.testing.assert_array_equal(np.isnan(told[:, MARKET["own_return_12"]]), [False, False, True, False])
    assert np.isfinite(told[:, : MARKET["own_return_12"]]).all()


@pytest.mark.parametrize("count", range(1, MIN_SYMBOLS))
def test_too_few_symbols_are_no_market(count):
    assert (context(np.full((count, len(SECTIONS)), 2.0)) == 0.0).all()


def test_one_mad_coin_does_not_move_the_market():
    rows = np.zeros((4, len(OWN_COLUMNS)))
    rows[0, OWN_COLUMNS.index("return_12")] = 1e6

    told = context(sections(rows, OWN_COLUMNS))

    assert told[1, MARKET["market_return_12"]] == MOST_MOVES / 4


def test_breadth_counts_symbols_above_their_mean_against_those_below():
    rows = np.zeros((4, len(OWN_COLUMNS)))
    rows[:, OWN_COLUMNS.index("sma_50_distance")] = [3.0, 0.1, 0.2, -0.01]

    assert context(sections(rows, OWN_COLUMNS))[0, MARKET["market_breadth"]] == 0.5


def test_a_row_knows_the_market_of_the_candle_before_and_nothing_later():
    tables = [walk(WARMUP + 20, seed=seed) for seed in range(4)]
    changed = [table.copy() for table in tables]
    for table in changed[1:]:
        table["close"][-1] *= 1.05
        table["high"][-1] *= 1.06

    before, after = panel_of(tables), panel_of(changed)

    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[:, :-1], after[:, :-1])


def test_market_columns_do_not_look_ahead():
    tables, cut = [walk(WARMUP + 60, seed=seed) for seed in range(4)], WARMUP + 20
    noise = [table.copy() for table in tables]
    for seed, table in enumerate(noise):
        table[cut:] = walk(len(table) - cut, price=7.0, noise=0.1, seed=50 + seed)
        table["open_ms"] = tables[0]["open_ms"]

    whole = panel_of(tables)[:, :cut]

    assert panel_of(noise)[:, :cut].tobytes() == whole.tobytes()
    assert panel_of([table[:cut] for table in tables]).tobytes() == whole.tobytes()


def test_every_column_is_finite_once_warm_in_a_market_of_all_kinds():
    panel = panel_of([make(1_000) for make in KINDS.values()])

    assert np.isfinite(panel[:, WARMUP - 1 :]).all()
    assert np.isnan(panel[:, WARMUP - 2]).any(axis=1).all()


def test_the_market_does_not_depend_on_where_the_history_starts():
    tables = [walk(2_000, price=10.0 ** (seed - 2), seed=seed) for seed in range(5)]

    early, late = panel_of(tables)[:, -400:], panel_of([table[700:] for table in tables])[:, -400:]

    np.testing.assert_allclose(early, late, rtol=1e-9, atol=1e-9)


def test_candles_of_a_close_may_come_in_any_order_and_several_steps():
    tables = [walk(WARMUP + 30, seed=seed) for seed in range(5)]
    state, random = FeatureState(5, MINUTE_MS), np.random.default_rng(1)
    for index, table in enumerate(tables):
        state.warm(index, table[:WARMUP])
    values = np.array([candle_values(table) for table in tables])

    live = np.empty((5, 30, len(COLUMNS)))
    for t in range(30):
        order = random.permutation(5)
        for part in (order[:2], order[2:]):
            candles = values[part, WARMUP + t]
            live[part, t] = state.step(part, FIRST_MS + (WARMUP + t) * MINUTE_MS, candles)

    assert live.tobytes() == np.ascontiguousarray(panel_of(tables)[:, WARMUP:]).tobytes()


def test_what_a_symbol_was_to_the_market_outlives_its_reset():
    tables = [walk(WARMUP + 1, seed=seed) for seed in range(3)]
    state = FeatureState(3, MINUTE_MS)
    for index, table in enumerate(tables):
        state.warm(index, table[:WARMUP])

    state.reset(2)
    rows = state.step(np.array([0]), FIRST_MS + WARMUP * MINUTE_MS, candle_values(tables[0][WARMUP:]))

    np.testing.assert_array_equal(rows[0, FIRST:], panel_of(tables)[0, WARMUP, FIRST:])


def test_a_long_panel_is_filled_piece_by_piece(monkeypatch):
    tables = [walk(WARMUP + 30, seed=seed) for seed in range(4)]
    whole = panel_of(tables)
    monkeypatch.setattr(feature_engineering, "_AT_ONCE", 7 * 4 * len(COLUMNS))

    assert panel_of(tables).tobytes() == whole.tobytes()
