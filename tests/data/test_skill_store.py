"""The sums of skill: by week, regime and model they say what the rows of the ledger say."""

import math
from collections import defaultdict

import numpy as np
import pytest

from data.candle_store import CandleStore
from data.database import SCHEMA_VERSION, open_database
from data.foreign_store import ForeignStore
from data.ledger_inputs import Inputs
from data.ledger_sealing import seal_rows
from data.prediction_store import PredictionStore
from data.regimes import FEATURES, REGIMES, regimes_of, week_of
from data.signal_file import Signal
from data.skill import independent_parts
from data.skill_store import SkillStore
from features.feature_engineering import COLUMNS
from market.candles import CANDLES
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Verdict
from utils.times import parse_utc

STEP = 5 * MINUTE_MS
START = parse_utc("2025-11-14T00:00:00Z")
CANDLES_KEPT, ROWS = 1_700, 1_500
KEYS = ("n", "accuracy", "base_rate", "brier", "brier_base", "brier_skill", "log_loss", "log_loss_base")


@pytest.fixture
def engine(tmp_path):
    """Return a database with six days of candles and scored rows of two models, from Friday to Wednesday."""
    engine = open_database(tmp_path / "simulated-1.db")
    random = np.random.default_rng(5)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        table = np.ones(CANDLES_KEPT, CANDLES)
        table["open_ms"] = START + np.arange(CANDLES_KEPT) * STEP
        table["close"] = 100 * np.exp(np.cumsum(random.normal(0, 0.001, CANDLES_KEPT)))
        CandleStore(engine, "5m").append_table(symbol, table)
        rows = [prediction(symbol, index, float(table["close"][index]), random.random()) for index in range(ROWS)]
        inputs = [Inputs(symbol, row.candle_open_ms, random.normal([1.0, 5.0, 0.0], [0.4, 1, 0.3])) for row in rows]
        store = PredictionStore(engine, "simulated", "5m", (FEATURES[0], "rsi", FEATURES[1]))
        store.add_replayed(rows, inputs)
    store.score(START + CANDLES_KEPT * STEP)
    yield engine
    engine.dispose()


def prediction(symbol, index, price, up):
    open_ms = START + index * STEP
    return Prediction(
        symbol=symbol,
        interval="5m",
        horizon="1h",
        candle_open_ms=open_ms,
        made_ms=open_ms + STEP,
        due_ms=open_ms + STEP + HOUR_MS,
        price=price,
        cost_bps=24.0,
        verdict=Verdict.UP if up > 0.7 else Verdict.ABSTAIN,
        reason=None,
        origin=Origin.REPLAYED,
        model="m-1" if index < 700 else "m-2",
        probability_up=up,
        low_bps=-50.0,
        high_bps=50.0,
        coverage=0.8,
    )


def skills(engine, **wanted):
    return SkillStore(engine, "simulated", "5m").skill(**wanted)


def ledger_rows(engine):
    """Return every row as the API shows it, with its inputs."""
    store = PredictionStore(engine, "simulated", "5m")
    rows, cursor = store.ledger(limit=500)
    while cursor:
        page, cursor = store.ledger(limit=500, cursor=cursor)
        rows += page
    return [store.row(row["id"]) for row in rows]


def recomputed(rows, closes):
    """Return the scores of rows of the API, by the rules of docs/api.md."""
    up = np.array([row["outcome_up"] for row in rows], dtype=float)
    said = np.array([row["probability_up"] for row in rows])
    last = np.array([last_sign(row, closes) for row in rows])
    rate = up.mean()
    brier_base = min(rate * (1 - rate), 0.25, ((last - up) ** 2).mean())
    log_base = min(log_loss(np.full(len(up), rate), up), math.log(2), log_loss(last, up))
    brier = ((said - up) ** 2).mean()
    return {
        "n": len(rows),
        "accuracy": ((said >= 0.5) == up).mean(),
        "base_rate": rate,
        "brier": brier,
        "brier_base": brier_base,
        "brier_skill": 1 - brier / brier_base,
        "log_loss": log_loss(said, up),
        "log_loss_base": log_base,
    }


def last_sign(row, closes):
    then = closes[row["symbol"]].get(parse_utc(row["candle_open_time"]) - HOUR_MS)
    return 0.5 if then is None else float(row["price"] > then)


def log_loss(said, up):
    return -np.log(np.clip(np.where(up > 0, said, 1 - said), 1e-15, 1)).mean()


@pytest.mark.parametrize("by", ["model", "week", "regime"])
def test_scores_can_be_recomputed_from_what_anyone_can_read(engine, by):
    store = CandleStore(engine, "5m")
    closes = {name: dict(store.load(name)[["open_ms", "close"]].tolist()) for name in ("BTCUSDT", "ETHUSDT")}
    parts = {
        "model": lambda row: [row["model"]],
        "week": lambda row: [week_of(parse_utc(row["made_at"]))],
        "regime": lambda row: regimes_of([row["inputs"][name] for name in FEATURES]),
    }
    groups = defaultdict(list)
    for row in ledger_rows(engine):
        for part in parts[by](row):
            groups[part].append(row)

    items = skills(engine, by=by)

    assert {item[by] for item in items} == set(groups)
    for item in items:
        assert {key: item[key] for key in KEYS} == pytest.approx(recomputed(groups[item[by]], closes))
        assert sum(entry["n"] for entry in item["calibration"]) == item["n"]
        assert item["log_loss_skill_low"] <= item["log_loss_skill"] <= item["log_loss_skill_high"]


def test_weeks_regimes_of_volatility_and_regimes_of_trend_each_hold_every_row(engine):
    (pooled,) = skills(engine, by="horizon")
    regimes = {item["regime"]: item["n"] for item in skills(engine, by="regime")}

    assert list(regimes) == list(REGIMES)
    assert sum(regimes[name] for name in REGIMES[:3]) == sum(regimes[name] for name in REGIMES[3:]) == pooled["n"]
    assert sum(item["n"] for item in skills(engine, by="week")) == pooled["n"] == 2 * ROWS


def test_a_span_in_which_the_model_changed_is_one_span(engine):
    (one,), (summed,) = skills(engine, symbol="ETHUSDT"), skills(engine, symbol="ETHUSDT", by="horizon")

    assert one["n_independent"] == summed["n_independent"]
    assert [one[key] for key in KEYS] == pytest.approx([summed[key] for key in KEYS])
    assert one["brier_skill_low"] == pytest.approx(summed["brier_skill_low"])


def test_parts_of_one_symbol_carry_its_name(engine):
    ours = skills(engine, by="week", symbol="ETHUSDT")

    assert {item["symbol"] for item in ours} == {"ETHUSDT"}
    assert sum(item["n"] for item in ours) == ROWS
    assert {item["symbol"] for item in skills(engine, by="week")} == {None}


@pytest.mark.parametrize("is_old", [False, True], ids=["rows", "blocks"])
def test_a_database_of_an_older_version_gets_the_same_sums_from_its_ledger(engine, tmp_path, is_old):
    moved = sum(seal_rows(engine, "5m", START + CANDLES_KEPT * STEP)) if is_old else 0
    assert moved == (2_000 if is_old else 0)
    before = {by: skills(engine, by=by) for by in (None, "week", "regime", "model")}
    with engine.connect() as connection:
        for table in ("regime_blocks", "part_bins", "skill_blocks", "calibration_bins"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("CREATE TABLE skill_blocks (symbol TEXT PRIMARY KEY, n FLOAT)")
        connection.exec_driver_sql("CREATE TABLE calibration_bins (symbol TEXT PRIMARY KEY, n FLOAT)")
        connection.exec_driver_sql("PRAGMA user_version = 4")
        connection.commit()
    engine.dispose()

    again = open_database(tmp_path / "simulated-1.db")

    for by, items in before.items():
        for old, new in zip(items, skills(again, by=by), strict=True):
            assert new.pop("calibration") == [pytest.approx(entry) for entry in old.pop("calibration")]
            assert new == pytest.approx(old)
    with again.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION
    again.dispose()


def test_the_inputs_that_tell_the_regime_are_features():
    assert set(FEATURES) <= set(COLUMNS)


@pytest.mark.parametrize(
    ("volatility", "efficiency", "found"),
    [
        (0.7, 0.0, ("calm", "sideways")),
        (0.75, 0.15, ("normal", "sideways")),
        (1.3, -0.2, ("wild", "falling")),
        (1.25, 0.16, ("normal", "rising")),
        (None, math.nan, ()),
    ],
)
def test_a_row_belongs_to_one_regime_of_volatility_and_one_of_trend(volatility, efficiency, found):
    assert regimes_of([volatility, efficiency]) == found


def test_weeks_are_those_of_the_iso_calendar():
    assert week_of(parse_utc("2024-12-29T23:59:59Z")) == "2024-W52"
    assert week_of(parse_utc("2024-12-30T00:00:00Z")) == "2025-W01"


def test_neighbouring_spans_that_may_be_partly_filled_count_once():
    assert independent_parts([]) == 0
    assert independent_parts([4]) == 1
    assert independent_parts([1, 2, 3, 7, 8]) == 3


def test_horizons_of_imported_calls_without_a_probability_count_in_no_regime(engine):
    said = {"expected_return_bps": None, "low_bps": None, "high_bps": None, "coverage": None}
    times = [START + hour * HOUR_MS for hour in range(0, 100, 2)]
    calls = [Signal(2, "a", "BTCUSDT", "1h", at, Verdict.UP, probability_up=None, **said) for at in times[1:]]
    whole = Signal(2, "a", "BTCUSDT", "1h", times[0], Verdict.UP, probability_up=0.7, **said)

    ForeignStore(engine, "simulated", "5m").keep([whole, *calls], cost_bps=24.0)

    parts = skills(engine, origin="imported", by="regime")
    assert {(part["n"], part["n_independent"]) for part in parts} == {(0, 0), (1, 1)}
