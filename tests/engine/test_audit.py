"""The audit: what was written and what came of it can be computed again by anyone."""

import json

import pytest

from data.candle_store import CandleStore
from data.database import open_database
from data.prediction_store import PredictionStore
from data.sealing import Sealing
from engine import audit
from market.candles import Candle
from market.intervals import DAY_MS
from tests.data.test_prediction_store import START, STEP, abstention, prediction


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("CANDELA_INSTANCE_DIR", str(tmp_path))
    engine = open_database(tmp_path / "simulated-1.db")
    candles, store = CandleStore(engine, "5m"), PredictionStore(engine, "simulated", "5m")
    candles.append([Candle("BTCUSDT", START + at * STEP, 100.0, 105.0, 95.0, 100 + at % 3, 5.0) for at in range(30)])
    candles.settle()
    for index in range(10):
        store.publish([prediction(index, price=100.0 + index % 3), abstention(index, horizon="4h")])
    store.score(START + 30 * STEP)
    yield engine
    engine.dispose()


def change(engine, sql):
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


def told(capsys, *arguments):
    code = audit.main(["--json", *arguments])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_honest_ledger_holds(engine, capsys):
    code, (line,) = told(capsys)

    head = PredictionStore(engine, "simulated", "5m").chain()["head"]
    assert code == 0
    assert (line["links"], line["outcomes"], line["faults"], line["head"]) == (10, 20, 0, head)


@pytest.mark.parametrize("page", [0, 4096])
def test_a_damaged_database_is_named_and_the_others_are_looked_at(engine, tmp_path, capsys, page):
    engine.dispose()
    whole = (tmp_path / "simulated-1.db").read_bytes()
    (tmp_path / "binance.db").write_bytes(whole[:page] + b"\xff" * (len(whole) - page))

    code, (damaged, honest) = told(capsys)

    assert code == 1
    assert damaged["text"].startswith("binance.db cannot be read: ")
    assert (honest["database"], honest["faults"]) == ("simulated-1.db", 0)


def test_outcomes_hold_against_candles_that_were_sealed(engine, capsys):
    list(Sealing(engine, "5m").steps(START + 400 * DAY_MS))
    left = CandleStore(engine, "5m").load_live("BTCUSDT", START, START + 400 * DAY_MS)

    code, (line,) = told(capsys)

    assert len(left) == 0
    assert (code, line["outcomes"], line["unknown"], line["faults"]) == (0, 20, 0, 0)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE predictions SET probability_up = 0.9 WHERE seq = 1", "a row is not as it was made"),
        ("UPDATE predictions SET outcome_return_bps = 50.0 WHERE seq = 1", "row 1: its outcome is not"),
        ("UPDATE predictions SET net_bps = NULL WHERE seq = 1", "row 1: its outcome is not"),
        ("DELETE FROM predictions WHERE seq = 2", "1 rows are there of 2"),
    ],
)
def test_a_changed_ledger_is_found_out(engine, capsys, sql, words):
    change(engine, sql)

    code, lines = told(capsys)

    assert code == 1
    assert any(words in line["text"] for line in lines)


def test_outcomes_whose_candle_is_gone_are_counted_apart(engine, capsys):
    change(engine, "DELETE FROM candles")

    code, (line,) = told(capsys)

    assert (code, line["outcomes"], line["unknown"]) == (0, 0, 20)


def test_without_a_ledger_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CANDELA_INSTANCE_DIR", str(tmp_path))

    code, (line,) = told(capsys)

    assert code == 2
    assert "holds no ledger yet" in line["text"]
