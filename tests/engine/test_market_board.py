"""What models see live is what they were trained on, whatever order candles come in."""

import numpy as np
import pytest

from config import Config
from data.candle_store import CandleStore
from data.database import open_database
from engine.forecaster import FeatureBoard
from engine.history import TrainingSpan
from engine.trainer import build_panel
from features.feature_engineering import COLUMNS, OWN_COLUMNS, WARMUP
from market.intervals import DAY_MS
from tests.engine.test_forecaster import START, STEP, candle, walk

CONFIG = Config(INTERVAL="5m", HISTORY_DAYS=1)
FIRST = WARMUP + 30  # the first candle that comes live
CLOSES = 60
SYMBOLS = ("SOLUSDT", "ADAUSDT", "BTCUSDT", "XRPUSDT", "ETHUSDT", "DOTUSDT")
LATE, LATE_AT = "XRPUSDT", 20  # two of its candles come when the next but one of the others has closed
HOLED, HOLED_AT = "ETHUSDT", 30  # one of its candles never exists
YOUNG = "DOTUSDT"  # has too short a history to count
RESTART_AT = 45


@pytest.fixture
def store(tmp_path):
    engine = open_database(tmp_path / "test.db")
    yield CandleStore(engine, "5m")
    engine.dispose()


def market():
    tables = {symbol: walk(FIRST + CLOSES, seed) for seed, symbol in enumerate(SYMBOLS)}
    tables[HOLED] = np.delete(tables[HOLED], FIRST + HOLED_AT)
    tables[YOUNG] = tables[YOUNG][FIRST - 200 :]
    return tables


def slots(tables):
    """Yield what comes live: candles of each close in some order and in two parts, and those that are late."""
    random = np.random.default_rng(7)
    live = {symbol: {int(row["open_ms"]): row for row in table} for symbol, table in tables.items()}
    for at in range(CLOSES):
        open_ms, late = START + (FIRST + at) * STEP, []
        if at == LATE_AT + 2:
            late = [START + (FIRST + LATE_AT + back) * STEP for back in (0, 1)]
        names = [name for name in random.permutation(SYMBOLS) if open_ms in live[name]]
        if LATE_AT <= at < LATE_AT + 3:
            names.remove(LATE)
        part = int(random.integers(1, len(names)))
        for group in (names[:part], names[part:]):
            yield at, [candle(live[name][open_ms][None], 0, str(name)) for name in group]
        for missed_ms in [*late, open_ms] if late else []:
            yield at, [candle(live[LATE][missed_ms][None], 0, LATE)]


def follow(tables, store):
    """Return the live row and reason of each symbol and candle, over a restart in the middle."""
    for symbol, table in tables.items():
        store.append_table(symbol, table[table["open_ms"] < START + FIRST * STEP])
    board, seen, has_restarted = FeatureBoard(SYMBOLS, store, STEP), {}, False
    for at, candles in slots(tables):
        if at == RESTART_AT and not has_restarted:
            board, has_restarted = FeatureBoard(SYMBOLS[::-1], store, STEP), True
        store.append(candles)
        for rows in board.step(candles):
            for one, values, reason in zip(rows.candles, rows.values, rows.reasons, strict=True):
                seen[one.symbol, (one.open_ms - START) // STEP - FIRST] = (values, reason)
    return seen


def span(first, last=FIRST + CLOSES):
    return TrainingSpan(START + first * STEP, START + last * STEP)


def test_live_rows_are_those_of_the_training_panel(store):
    seen = follow(market(), store)

    panel = build_panel(CONFIG, store, span(FIRST))

    assert len(seen) == len(SYMBOLS) * CLOSES - 1
    blind = {(symbol, LATE_AT + after) for symbol in SYMBOLS if symbol != LATE for after in (1, 2)}
    for (symbol, at), (values, reason) in seen.items():
        expected = panel.features[panel.symbols.index(symbol), at]
        columns = slice(0, len(OWN_COLUMNS) if (symbol, at) in blind else None)
        assert (reason is None) == np.isfinite(expected).all()
        if reason is None:
            np.testing.assert_allclose(values[columns], expected[columns], rtol=1e-9, atol=1e-9)


def test_a_candle_an_interval_late_is_missing_in_the_market_the_others_saw(store):
    seen = follow(market(), store)

    panel = build_panel(CONFIG, store, span(FIRST))

    place = COLUMNS.index("market_return_12")
    live, trained = seen["BTCUSDT", LATE_AT + 1][0], panel.features[panel.symbols.index("BTCUSDT"), LATE_AT + 1]
    others = [seen[symbol, LATE_AT][0] for symbol in ("ADAUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT")]
    assert live[place] != trained[place]
    assert live[place] == pytest.approx(np.mean([row[COLUMNS.index("return_12")] for row in others]), abs=1e-12)


def test_rows_do_not_depend_on_where_the_training_span_starts(store):
    for symbol, table in market().items():
        store.append_table(symbol, table)

    early, late = build_panel(CONFIG, store, span(FIRST - 10)), build_panel(CONFIG, store, span(FIRST + 20))

    np.testing.assert_allclose(early.features[:, 30:], late.features, rtol=1e-9, atol=1e-9)


def test_the_first_row_of_a_panel_knows_the_market_before_it(store):
    for symbol, table in market().items():
        store.append_table(symbol, table)

    panel = build_panel(CONFIG, store, span(FIRST))

    young = panel.symbols.index(YOUNG)
    assert int(panel.open_ms[0]) == START + FIRST * STEP
    assert np.isfinite(np.delete(panel.features[:, 0], young, axis=0)).all()


def test_a_symbol_that_is_followed_no_longer_is_no_part_of_the_market(store):
    tables = market()
    for symbol, table in tables.items():
        store.append_table(symbol, table if symbol != LATE else table[: -DAY_MS // STEP - 1])

    panel = build_panel(CONFIG, store, span(FIRST))

    assert set(panel.symbols) == set(SYMBOLS) - {LATE}


def test_a_symbol_alone_has_a_neutral_market(store):
    table = walk(FIRST + 5)
    store.append_table("BTCUSDT", table[:-1])

    rows = FeatureBoard(["BTCUSDT"], store, STEP).step([candle(table, -1)])[0]

    assert rows.reasons == [None]
    assert (rows.values[0, len(OWN_COLUMNS) :] == 0.0).all()
