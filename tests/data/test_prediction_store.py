"""The ledger: durable, once, scored when due, never changed."""

import json
import math

import numpy as np
import pytest
from msgspec.structs import replace
from sqlalchemy import event

from data.candle_store import CandleStore
from data.database import open_database
from data.ledger_inputs import Inputs
from data.ledger_rows import FIELDS
from data.ledger_writing import ROWS_A_VERSION
from data.prediction_store import PredictionStore
from data.skill_store import SkillStore
from market.candles import Candle
from market.errors import DataError
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Reason, Verdict

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP
FEATURES = ("rsi", "slope")


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path / "simulated-1.db")
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine):
    return PredictionStore(engine, "simulated", "5m", FEATURES)


@pytest.fixture
def closes(engine):
    """Return a function that stores closes of BTCUSDT from START on."""

    def keep(prices, first=0):
        candles = CandleStore(engine, "5m")
        candles.append(
            [
                Candle("BTCUSDT", START + (first + i) * STEP, p, p * 1.001, p * 0.999, p, 1.0)
                for i, p in enumerate(prices)
            ]
        )
        candles.settle()

    return keep


def test_a_prediction_that_waited_too_long_is_none(store):
    published = store.publish([prediction()], is_timely=lambda: False)

    assert published.parts() == []
    assert store.ledger() == ([], None)
    assert store.version() == 0


def publish(store, predictions, inputs=()):
    published = store.publish(predictions, inputs)
    store.settle()
    return published


def prediction(index=0, **changes):
    made = START + (index + 1) * STEP
    row = Prediction(
        symbol="BTCUSDT",
        interval="5m",
        horizon="1h",
        candle_open_ms=START + index * STEP,
        made_ms=made,
        due_ms=made + HOUR_MS,
        price=100.0,
        cost_bps=24.0,
        verdict=Verdict.UP,
        reason=None,
        origin=Origin.LIVE,
        model="m-1",
        probability_up=0.7,
        expected_return_bps=40.0,
        low_bps=-60.0,
        high_bps=140.0,
        coverage=0.8,
        edge_bps=16.0,
    )
    return replace(row, **changes)


def abstention(index=0, **changes):
    empty = dict.fromkeys(
        ("model", "probability_up", "expected_return_bps", "low_bps", "high_bps", "coverage", "edge_bps")
    )
    return prediction(index, verdict=Verdict.ABSTAIN, reason=Reason.TOO_FEW_CANDLES, **empty, **changes)


def test_a_row_shows_every_field_of_the_contract_before_its_outcome(store):
    row = publish(store, [prediction()]).rows[0]

    assert set(row) == set(FIELDS)
    assert row["made_at"] == "2025-06-15T15:15:00.000Z"
    assert row["due_at"] == "2025-06-15T16:15:00.000Z"
    assert row["state"] == "open"
    assert row["outcome_up"] is None
    json.dumps(row, allow_nan=False)


def test_a_second_row_of_the_same_candle_and_horizon_is_not_written(store):
    publish(store, [prediction(probability_up=0.7)])

    again = publish(store, [prediction(probability_up=0.2)])

    assert again.rows == []
    assert [row["probability_up"] for row in store.ledger()[0]] == [0.7]


def test_a_due_row_gets_its_outcome_from_the_candle_that_closes_then(store, closes):
    closes([100.0] * 12 + [101.0])
    publish(store, [prediction()])

    store.score(START + 13 * STEP)
    row = store.ledger()[0][0]

    assert row["state"] == "scored"
    assert row["outcome_return_bps"] == pytest.approx(100.0)
    assert row["outcome_up"] is True
    assert row["brier"] == pytest.approx(0.09)
    assert row["inside_interval"] is True
    assert row["net_bps"] == pytest.approx(76.0)
    assert row["scored_at"] >= row["due_at"]


def test_a_row_is_not_scored_before_its_outcome_candle_has_closed(store, closes):
    closes([100.0] * 12)
    publish(store, [prediction()])

    assert store.score(START + 12 * STEP) == []
    assert store.ledger()[0][0]["state"] == "open"


def test_a_tie_is_not_up(store, closes):
    closes([100.0] * 13)
    publish(store, [prediction()])

    store.score(START + 13 * STEP)

    assert store.ledger()[0][0]["outcome_up"] is False


@pytest.mark.parametrize(("verdict", "net"), [(Verdict.UP, -124.0), (Verdict.DOWN, 76.0), (Verdict.ABSTAIN, None)])
def test_net_is_what_the_verdict_earned_after_costs(store, closes, verdict, net):
    closes([100.0] * 12 + [99.0])
    publish(store, [prediction(verdict=verdict, reason=Reason.COST if verdict is Verdict.ABSTAIN else None)])

    store.score(START + 13 * STEP)

    assert store.ledger()[0][0]["net_bps"] == (None if net is None else pytest.approx(net))


def test_an_abstention_without_probability_gets_its_outcome_and_no_scores(store, closes):
    closes([100.0] * 12 + [102.0])
    publish(store, [abstention()])

    store.score(START + 13 * STEP)
    row = store.ledger()[0][0]

    assert row["outcome_return_bps"] == pytest.approx(200.0)
    assert (row["brier"], row["inside_interval"], row["net_bps"]) == (None, None, None)


def test_a_scored_row_never_changes_again(store, closes):
    closes([100.0] * 13)
    publish(store, [prediction()])
    store.score(START + 13 * STEP)
    before = store.ledger()[0]

    closes([200.0] * 30, first=13)

    assert store.score(START + 43 * STEP) == []
    assert store.ledger()[0] == before


def test_a_row_whose_outcome_candle_is_a_true_gap_becomes_void(store, closes):
    closes([100.0] * 12)
    closes([100.0] * 20, first=13)
    publish(store, [prediction()])

    store.score(START + 33 * STEP)
    row = store.ledger()[0][0]

    assert row["state"] == "void"
    assert row["void_reason"] == "no candle closes at due_at"


def test_a_gap_that_may_still_be_repaired_stays_open(store, closes):
    closes([100.0] * 12)
    closes([100.0] * 3, first=13)
    publish(store, [prediction()])

    store.score(START + 16 * STEP)

    assert store.ledger()[0][0]["state"] == "open"


def test_a_symbol_that_stopped_trading_leaves_void_rows(store, closes):
    closes([100.0] * 5)
    publish(store, [prediction()])

    store.score(START + 40 * STEP, stopped=["BTCUSDT"])

    assert store.ledger()[0][0]["void_reason"] == "the symbol stopped trading"


def test_pages_follow_each_other_without_gap_or_repetition_while_rows_arrive(store):
    publish(store, [prediction(index) for index in range(25)])
    seen, cursor = [], None
    for arriving in range(30, 40):
        rows, cursor = store.ledger(limit=7, cursor=cursor)
        seen += [row["candle_open_time"] for row in rows]
        publish(store, [prediction(arriving)])
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 25
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", ".1", "1.g", "-1.2", "1.2.3", "f" * 60])
def test_a_cursor_that_is_none_is_refused(store, cursor):
    with pytest.raises(DataError, match="cursor"):
        store.ledger(cursor=cursor)


def test_rows_are_filtered_by_what_is_asked(store):
    publish(store, [prediction(0), prediction(0, horizon="4h"), abstention(1)])

    assert len(store.ledger(horizon="4h")[0]) == 1
    assert len(store.ledger(model="m-1")[0]) == 2
    assert store.ledger(origin="replayed")[0] == []
    assert len(store.ledger(state="open", symbol="BTCUSDT")[0]) == 3


def test_latest_is_the_newest_row_of_each_symbol_and_horizon(store):
    publish(store, [prediction(0), prediction(1), prediction(1, horizon="4h"), prediction(0, symbol="ETHUSDT")])
    store.add_replayed([prediction(-5, origin=Origin.REPLAYED)], [])

    latest = store.latest()

    assert [(row["symbol"], row["horizon"]) for row in latest] == [
        ("BTCUSDT", "1h"),
        ("BTCUSDT", "4h"),
        ("ETHUSDT", "1h"),
    ]
    assert latest[0]["candle_open_time"] == "2025-06-15T15:15:00.000Z"


def test_a_row_keeps_what_its_model_saw_in_full_precision(store):
    values = np.array([1 / 3, math.nan])
    row = publish(store, [prediction()], [Inputs("BTCUSDT", START, values)]).rows[0]

    assert store.row(row["id"])["inputs"] == {"rsi": 1 / 3, "slope": None}


@pytest.mark.parametrize("id_", ["", "nothing", "simulated-1-", "simulated-1-00000000zz", "other-0000000001"])
def test_an_id_of_no_row_finds_nothing(store, id_):
    publish(store, [prediction()])

    assert store.row(id_) is None


def test_the_sums_of_the_skill_equal_the_ledger(store, engine, closes):
    random = np.random.default_rng(3)
    prices = 100 * np.exp(np.cumsum(random.normal(0, 0.002, 400)))
    closes(prices.tolist())
    rows = [
        prediction(
            index,
            price=float(prices[index]),
            probability_up=float(random.uniform(0.2, 0.8)),
            verdict=list(Verdict)[index % 3],
        )
        for index in range(300)
    ]
    store.add_replayed([replace(row, origin=Origin.REPLAYED) for row in rows], [])
    store.score(START + 400 * STEP)

    scored, cursor = [], None
    while True:
        page, cursor = store.ledger(state="scored", limit=100, cursor=cursor)
        scored += page
        if cursor is None:
            break
    skill = SkillStore(engine, "simulated", "5m").skill(origin="replayed")[0]

    chance = np.array([row["probability_up"] for row in scored])
    ups = np.array([row["outcome_up"] for row in scored], dtype=float)
    net = [row["net_bps"] for row in scored if row["net_bps"] is not None]
    assert skill["n"] == len(scored) == 300
    assert skill["base_rate"] == pytest.approx(ups.mean())
    assert skill["brier"] == pytest.approx(((chance - ups) ** 2).mean())
    assert skill["brier_base"] <= ups.mean() * (1 - ups.mean()) + 1e-12
    assert skill["brier_skill"] == pytest.approx(1 - skill["brier"] / skill["brier_base"])
    assert skill["accuracy"] == pytest.approx(((chance >= 0.5) == ups).mean())
    assert skill["log_loss"] == pytest.approx(-np.log(np.where(ups == 1, chance, 1 - chance)).mean())
    assert skill["coverage_kept"] == pytest.approx(np.mean([row["inside_interval"] for row in scored]))
    assert skill["coverage_claimed"] == pytest.approx(0.8)
    assert skill["net_bps_per_prediction"] == pytest.approx(np.mean(net))
    assert sum(entry["n"] for entry in skill["calibration"]) == 300


def test_skill_by_horizon_pools_the_symbols(store, engine, closes):
    closes([100.0] * 30)
    publish(store, [prediction(index) for index in range(5)])
    store.score(START + 30 * STEP)
    skill = SkillStore(engine, "simulated", "5m")

    pooled = skill.skill(by="horizon")

    assert [(item["symbol"], item["horizon"], item["n"]) for item in pooled] == [(None, "1h", 5)]
    assert skill.skill(model="m-1")[0]["model"] == "m-1"
    assert skill.skill(symbol="ETHUSDT") == []


def test_the_version_grows_with_every_change(store, closes):
    closes([100.0] * 13)
    first = publish(store, [prediction()]).version

    store.score(START + 13 * STEP)

    assert store.version() > first


def test_each_part_of_many_rows_has_a_version_of_its_own(store):
    published = publish(store, [prediction(index) for index in range(2 * ROWS_A_VERSION + 1)])

    versions, parts = zip(*published.parts(), strict=True)

    assert versions == (store.version() - 2, store.version() - 1, store.version())
    assert [row for part in parts for row in part] == published.told


def test_a_row_is_found_by_its_id_before_it_is_settled(store):
    published = store.publish([prediction()], [Inputs("BTCUSDT", START, np.array([1 / 3, math.nan]))])
    told = published.rows[0]

    waiting = store.row(told["id"])
    version = store.version()
    store.settle()

    assert version == 0
    assert store.version() == published.version
    assert waiting == store.row(told["id"]) == {**told, "inputs": {"rsi": 1 / 3, "slope": None}}


def test_published_rows_survive_a_new_start(store, tmp_path):
    first, second = store.publish([prediction(0)]), store.publish([prediction(1)])

    again = PredictionStore(open_database(tmp_path / "simulated-1.db"), "simulated", "5m", FEATURES)
    again.settle()

    assert again.ledger()[0] == second.rows + first.rows
    assert again.version() == second.version


def test_rows_that_wait_are_not_published_twice(store):
    told = store.publish([prediction(0), prediction(0, horizon="4h")])

    again = store.publish([prediction(0, probability_up=0.1), prediction(0, symbol="ETHUSDT")])
    store.settle()

    assert [row["symbol"] for row in again.rows] == ["ETHUSDT"]
    assert len({row["id"] for row in told.rows + again.rows}) == 3
    assert sorted(row["id"] for row in store.ledger()[0]) == sorted(row["id"] for row in told.rows + again.rows)


def test_rows_of_others_come_after_those_that_wait(store):
    told = store.publish([prediction(10)])

    store.add_replayed([prediction(0, origin=Origin.REPLAYED)], [])

    rows, _ = store.ledger()
    assert rows[0] == told.rows[0]
    assert rows[1]["id"] > rows[0]["id"]
    assert store.version() == told.version + 1


def test_nothing_new_has_no_part(store):
    assert publish(store, []).parts() == []


def test_what_is_published_is_what_the_ledger_will_say(store):
    published = publish(store, [prediction(0), prediction(1)])

    rows, _ = store.ledger(limit=10)

    assert [list(row.items()) for row in published.rows] == [list(row.items()) for row in rows]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "predictions_newest"),
        ({"origin": "replayed"}, "predictions_replayed"),
        ({"symbol": "A"}, "predictions_key"),
    ],
)
def test_a_page_of_the_ledger_is_found_by_an_index(engine, store, wanted, index):
    asked = []
    event.listen(engine, "before_cursor_execute", lambda _, __, sql, parameters, *___: asked.append((sql, parameters)))

    store.ledger(limit=20, **wanted)

    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1][0]}", asked[-1][1]).all()
    assert index in plan[0].detail
    assert not any("TEMP B-TREE FOR ORDER BY" in step.detail for step in plan)
