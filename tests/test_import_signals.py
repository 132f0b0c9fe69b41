"""The door for signals of others."""

import json

import pytest

import import_signals
from data.candle_store import CandleStore
from data.database import open_database
from data.foreign_store import ForeignStore
from market.candles import Candle

STEP = 300_000
START = 1_750_000_200_000
HEADER = "symbol,candle_open_time,horizon,probability_up"


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """Return an instance with 20 candles of BTCUSDT in the database of one market."""
    monkeypatch.setenv("CANDELA_INSTANCE_DIR", str(tmp_path))
    engine = open_database(tmp_path / "simulated-1.db")
    CandleStore(engine, "5m").append(
        [Candle("BTCUSDT", START + index * STEP, 100.0, 101.0, 99.0, 100.0 + index, 1.0) for index in range(20)]
    )
    engine.dispose()
    return tmp_path


def file_of(folder, *lines):
    path = folder / "signals.csv"
    path.write_text("\n".join((HEADER, *lines)))
    return str(path)


def rows_of(instance, venue="simulated-1"):
    engine = open_database(instance / f"{venue}.db")
    rows, _ = ForeignStore(engine, "simulated", "5m").ledger()
    engine.dispose()
    return rows


def test_a_file_is_imported_and_scored(instance, capsys):
    path = file_of(instance, f"BTCUSDT,{START},1h,0.7", f"BTCUSDT,{START + 900 * STEP},1h,0.7")

    code = import_signals.main([path, "--source", "friend", "--json"])

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert (told[0]["added"], told[0]["scored"], told[0]["without_candle"]) == (1, 1, 1)
    assert told[1]["text"].endswith("(line 3)")
    assert rows_of(instance)[0]["outcome_return_bps"] == pytest.approx(1_200.0)


def test_a_file_with_a_problem_is_refused_whole(instance, capsys):
    path = file_of(instance, f"BTCUSDT,{START},1h,0.7", f"BTCUSDT,{START},1h,high")

    code = import_signals.main([path, "--source", "friend"])

    assert code == 2
    assert capsys.readouterr().err.splitlines() == [
        "line 3, probability_up: 'high' is no number from 0 to 1",
        "signals.csv: 1 problem, nothing was imported",
    ]
    assert rows_of(instance) == []


def test_of_many_problems_the_first_are_told(instance, capsys):
    path = file_of(instance, *["BTCUSDT,x,1h,0.5"] * 30)

    assert import_signals.main([path, "--source", "friend"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert (len(told), told[20]) == (22, "and 10 more")


def test_with_several_markets_the_last_engines_is_meant(instance, capsys):
    open_database(instance / "binance.db").dispose()
    path = file_of(instance, f"BTCUSDT,{START},1h,0.7")

    assert import_signals.main([path, "--source", "friend"]) == 2
    assert "name it with --venue; there is binance, simulated-1" in capsys.readouterr().err

    (instance / "run").mkdir()
    (instance / "run" / "engine.json").write_text('{"venue": "simulated-1"}')
    assert import_signals.main([path, "--source", "friend"]) == 0
    assert len(rows_of(instance)) == 1


def test_a_market_that_was_never_followed_is_refused(instance, capsys):
    assert import_signals.main([file_of(instance), "--venue", "nasdaq"]) == 2

    assert "--venue 'nasdaq' has no database" in capsys.readouterr().err


def test_a_name_that_is_none_is_refused(instance, capsys):
    assert import_signals.main([file_of(instance), "--source", "a b"]) == 2

    assert "--source 'a b' is no name" in capsys.readouterr().err
