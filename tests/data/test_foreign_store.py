"""Signals of others: scored as ours are, and never among them."""

import dataclasses

import pytest

from data.candle_store import CandleStore
from data.database import open_database
from data.foreign_store import ForeignStore
from data.prediction_store import PredictionStore
from data.sealing import Sealing
from data.segment_reader import segment_reader
from data.segments import sealed_folder_of
from data.signal_file import Signal
from data.skill_store import SkillStore
from market.candles import Candle
from market.errors import DataError
from market.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from market.predictions import Verdict
from tests.data.test_prediction_store import prediction

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP
OUTCOME = ("outcome_return_bps", "outcome_up", "brier", "inside_interval", "net_bps", "state")
SAID = ("price", "probability_up", "expected_return_bps", "edge_bps", "cost_bps", "verdict", "due_at", "made_at")


@pytest.fixture
def engine(tmp_path):
    """Return a database of two hours of BTCUSDT that climbs by 10 bps a candle."""
    engine = open_database(tmp_path / "simulated-1.db")
    CandleStore(engine, "5m").append([candle(index) for index in range(24)])
    CandleStore(engine, "5m").settle()
    yield engine
    engine.dispose()


@pytest.fixture
def foreign(engine):
    return ForeignStore(engine, "simulated", "5m")


def candle(index):
    close = 100.0 * 1.001**index
    return Candle("BTCUSDT", START + index * STEP, close, close, close, close, 1.0)


def signal(index=0, **changes):
    said = Signal(index + 2, "friend", "BTCUSDT", "1h", START + index * STEP, None, 0.7, 40.0, -60.0, 140.0, 0.8)
    return dataclasses.replace(said, **changes)


def test_a_signal_is_scored_exactly_as_a_prediction_that_says_the_same(engine, foreign):
    ledger = PredictionStore(engine, "simulated", "5m")
    ledger.publish([prediction()])
    ledger.score(START + 24 * STEP)

    foreign.keep([signal()], cost_bps=24.0)

    (ours,), (theirs,) = ledger.ledger()[0], foreign.ledger()[0]
    assert {key: theirs[key] for key in (*OUTCOME, *SAID)} == {key: ours[key] for key in (*OUTCOME, *SAID)}
    assert (theirs["origin"], theirs["model"]) == ("imported", "foreign:friend")


def test_signals_are_in_no_list_and_no_figure_of_ours(engine, foreign):
    foreign.keep([signal(index) for index in range(5)], cost_bps=24.0)
    skills = SkillStore(engine, "simulated", "5m")

    assert PredictionStore(engine, "simulated", "5m").ledger() == ([], None)
    assert skills.skill() == skills.skill(by="horizon") == skills.skill(by="week") == []
    (theirs,) = skills.skill(origin="imported", by="model")
    assert (theirs["model"], theirs["n"], theirs["verdict"]) == ("foreign:friend", 5, "no measurable edge")


def test_a_file_that_is_imported_again_changes_nothing(engine, foreign):
    signals = [signal(index) for index in range(20)]
    first = foreign.keep(signals, cost_bps=24.0)
    rows, skill = foreign.ledger(), SkillStore(engine, "simulated", "5m").skill(origin="imported")

    again = foreign.keep(signals, cost_bps=24.0)

    assert (first.added, first.scored) == (20, 12)
    assert (again.added, again.known, again.scored, again.differing) == (0, 20, 0, [])
    assert foreign.ledger() == rows
    assert SkillStore(engine, "simulated", "5m").skill(origin="imported") == skill


def test_a_signal_that_says_something_else_later_stays_as_it_was(foreign):
    foreign.keep([signal()], cost_bps=24.0)

    changed = foreign.keep([signal(probability_up=0.9)], cost_bps=24.0)

    assert [one.line for one in changed.differing] == [2]
    assert foreign.ledger()[0][0]["probability_up"] == 0.7


def test_a_signal_without_its_candle_is_left_out_and_told(foreign):
    kept = foreign.keep([signal(), signal(100), signal(symbol="NOPEUSDT")], cost_bps=24.0)

    assert (kept.added, [one.line for one in kept.without_candle]) == (1, [102, 2])


def test_a_signal_that_is_not_due_yet_is_scored_later(engine, foreign):
    foreign.keep([signal(23)], cost_bps=24.0)
    assert (foreign.has_open(), foreign.score(START + 24 * STEP)) == (True, 0)

    CandleStore(engine, "5m").append([candle(index) for index in range(24, 36)])
    CandleStore(engine, "5m").settle()
    scored = foreign.score(START + 36 * STEP)

    assert (scored, foreign.has_open()) == (1, False)
    assert foreign.ledger()[0][0]["outcome_return_bps"] == pytest.approx((1.001**12 - 1) * 10_000)


@pytest.fixture
def seal(engine):
    """Return a function that seals the month of the candles; those of two months later are not sealed yet."""

    def do():
        candles = CandleStore(engine, "5m")
        candles.append([candle(60 * DAY_MS // STEP)])
        candles.settle()
        assert "recorded" in list(Sealing(engine, "5m").steps(START + 40 * DAY_MS))

    yield do
    segment_reader.close()


def test_a_signal_about_a_sealed_month_is_scored_as_before_it_was_sealed(engine, foreign, seal):
    foreign.keep([signal(11)], cost_bps=24.0)
    seal()

    foreign.keep([signal(11, source="late")], cost_bps=24.0)

    (late,), (early,) = (foreign.ledger(model=f"foreign:{name}")[0] for name in ("late", "friend"))
    assert {key: late[key] for key in (*OUTCOME, *SAID)} == {key: early[key] for key in (*OUTCOME, *SAID)}
    assert late["state"] == "scored"


def test_an_outcome_that_was_sealed_meanwhile_counts(engine, foreign, seal):
    foreign.keep([signal(14)], cost_bps=24.0)
    CandleStore(engine, "5m").append([candle(index) for index in range(24, 36)])
    CandleStore(engine, "5m").settle()
    seal()

    assert foreign.score(START + 60 * DAY_MS) == 1
    assert foreign.ledger()[0][0]["state"] == "scored"


def test_a_hole_in_a_sealed_month_leaves_a_void_row(engine, foreign, seal):
    CandleStore(engine, "5m").append([candle(25)])
    CandleStore(engine, "5m").settle()
    seal()

    foreign.keep([signal(12)], cost_bps=24.0)

    assert foreign.ledger()[0][0]["void_reason"] == "no candle closes at due_at"


def test_an_outcome_in_a_sealed_month_that_cannot_be_read_is_waited_for(engine, foreign, seal):
    foreign.keep([signal(14)], cost_bps=24.0)
    CandleStore(engine, "5m").append([candle(index) for index in range(24, 36)])
    CandleStore(engine, "5m").settle()
    seal()
    segment_reader.close()  # which has the file open
    for path in sealed_folder_of(engine).glob("*/*.parquet"):
        path.unlink()

    assert foreign.score(START + 60 * DAY_MS) == 0
    assert foreign.has_open()


@pytest.mark.parametrize(
    ("said", "verdict", "reason"),
    [
        ({"expected_return_bps": 40.0}, "up", None),
        ({"expected_return_bps": -40.0}, "down", None),
        ({"expected_return_bps": 20.0, "direction": Verdict.UP}, "abstain", "cost"),
        ({"expected_return_bps": None, "direction": Verdict.DOWN}, "down", None),
        ({"expected_return_bps": None}, "abstain", "no direction"),
    ],
)
def test_the_verdict_is_ours_where_a_move_is_expected_and_theirs_where_not(foreign, said, verdict, reason):
    foreign.keep([signal(**said)], cost_bps=24.0)
    (row,) = foreign.ledger()[0]

    assert (row["verdict"], row["reason"]) == (verdict, reason)


def test_a_direction_without_a_probability_counts_by_its_net_result_only(engine, foreign):
    nothing = {"probability_up": None, "expected_return_bps": None, "direction": Verdict.UP}

    foreign.keep([signal(index, **nothing) for index in range(3)], cost_bps=24.0)

    (item,) = SkillStore(engine, "simulated", "5m").skill(origin="imported")
    assert (item["n"], item["brier"], item["calibration"], item["n_calls"]) == (0, None, [], 3)
    assert item["net_bps_per_prediction"] == pytest.approx((1.001**12 - 1) * 10_000 - 24)


def test_an_import_is_a_new_version_of_the_ledger(engine, foreign):
    before = PredictionStore(engine, "simulated", "5m").version()

    foreign.keep([signal()], cost_bps=24.0)

    assert PredictionStore(engine, "simulated", "5m").version() == before + 1


def test_rows_are_found_by_id_and_page_by_page(foreign):
    foreign.keep([signal(index) for index in range(7)], cost_bps=24.0)
    whole, _ = foreign.ledger()

    first, cursor = foreign.ledger(limit=4, model="foreign:friend")
    second, end = foreign.ledger(limit=4, cursor=cursor)

    assert (first + second, end) == (whole, None)
    assert foreign.ledger(model="foreign:other") == ([], None)
    assert foreign.row(whole[0]["id"]) == {**whole[0], "inputs": {}}
    assert foreign.row("simulated-1-0000000001") is None
    with pytest.raises(DataError):
        foreign.ledger(cursor="x")


def test_a_due_time_is_a_horizon_after_the_close(foreign):
    foreign.keep([signal()], cost_bps=24.0)

    assert foreign.ledger(symbol="BTCUSDT")[0][0]["due_at"] == "2025-06-15T16:15:00.000Z"
    assert HOUR_MS == 12 * STEP
