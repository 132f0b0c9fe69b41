"""What explains a prediction is kept as it was known when it was made."""

import numpy as np
import pytest

from data.database import open_database
from data.explanation_store import CASES, TOP, Explanation, ExplanationStore, ModelWords
from data.retention import let_go

OPEN_MS = 1_763_640_000_000
COLUMNS = [(f"column_{place}", f"Column {place}") for place in range(8)]
RETURNS = np.array([5.0, -7.0, 9.0, 11.0])
SHIFTS = np.array([-0.0625, 0.0])
POINTS = np.array([[0.01, -0.09, 0.0, 0.02, 0.03, -0.04, 0.005, 0.07], np.zeros(8)])


@pytest.fixture
def engine(tmp_path):
    made = open_database(tmp_path / "test.db")
    yield made
    made.dispose()


@pytest.fixture
def store(engine):
    return ExplanationStore(engine, "5m")


def words(_):
    cases = np.array([[place % 2, OPEN_MS - place * 86_400_000] for place in range(4)])
    return ModelWords(0.5, COLUMNS, ["AUSDT", "BUSDT"], cases, RETURNS)


def explanation(open_ms=OPEN_MS, model="m-1", symbols=("AUSDT", "BUSDT")):
    kept = slice(len(symbols))
    cases = np.array([[3, 1, 0], [0, 1, 2]])[kept]
    return Explanation(
        open_ms, "1h", model, list(symbols), SHIFTS[kept], POINTS[kept], np.array([0.5, 1.5])[kept], cases
    )


def row(symbol="AUSDT", **changes):
    facts = {
        "symbol": symbol,
        "horizon": "1h",
        "model": "m-1",
        "candle_open_time": "2025-11-20T12:00:00Z",
        "probability_up": 0.505,
        "inputs": {"column_1": 51.5},
    }
    return facts | changes


def test_the_largest_contributions_come_first_and_the_rest_as_one(store):
    store.keep([explanation()], words)

    told = store.of(row())

    assert [one["feature"] for one in told["contributions"]] == [f"column_{place}" for place in (1, 7, 5, 4, 3)]
    assert told["contributions"][0]["value"] == 51.5
    shown = sum(one["contribution"] for one in told["contributions"])
    assert told["base_probability"] == 0.4375
    assert told["base_probability"] + shown + told["other_contributions"] == pytest.approx(0.505, abs=1e-12)
    assert told["other_contributions"] == pytest.approx(0.0775)
    assert len(told["contributions"]) == TOP


def test_the_most_similar_cases_are_named(store):
    store.keep([explanation()], words)

    near = store.of(row())["nearest_cases"]

    assert len(near) == CASES
    assert near[0] == {"symbol": "BUSDT", "candle_open_time": "2025-11-17T12:00:00.000Z", "return_bps": 11.0}


def test_what_moved_nothing_is_not_listed(store):
    store.keep([explanation()], words)

    told = store.of(row("BUSDT", probability_up=0.5))

    assert told["contributions"] == []
    assert (told["other_contributions"], told["strangeness"]) == (0.0, 1.5)


@pytest.mark.parametrize("changes", [{"model": "m-2"}, {"horizon": "4h"}, {"symbol": "CUSDT"}])
def test_another_row_is_not_explained(store, changes):
    store.keep([explanation()], words)

    assert store.of(row(**changes))["contributions"] == []


def test_symbols_that_close_in_several_parts_are_all_there(store):
    store.keep([explanation(symbols=["AUSDT"])], words)
    store.keep([explanation(symbols=["BUSDT"])], words)

    assert [store.of(row(name))["base_probability"] for name in ("AUSDT", "BUSDT")] == [0.4375, 0.4375]


def test_rows_from_before_probabilities_were_adapted_start_from_the_base_of_their_model(engine, store):
    store.keep([explanation()], words)
    with engine.begin() as connection:
        blob = connection.exec_driver_sql('SELECT "values" FROM explanations').scalar_one()
        size = len(blob) // 2
        old = blob[: size - 4] + blob[size:-4]
        connection.exec_driver_sql('UPDATE explanations SET "values" = ?', (old,))

    told = store.of(row("AUSDT"))

    assert told["base_probability"] == 0.5
    assert told["contributions"][0]["contribution"] == pytest.approx(-0.09)
    assert store.of(row("BUSDT"))["strangeness"] == 1.5


def test_the_first_word_stays(store):
    store.keep([explanation()], words)
    store.keep([explanation(model="m-2")], words)

    assert store.of(row())["contributions"]


def test_retention_lets_go_of_old_explanations_and_their_models(engine, store):
    store.keep([explanation()], words)
    store.keep([explanation(OPEN_MS + 3_600_000, "m-2")], words)

    let_go(engine, "5m", [], OPEN_MS + 1_800_000)

    assert store.of(row())["contributions"] == []
    assert store.of(row(model="m-2", candle_open_time="2025-11-20T13:00:00Z"))["contributions"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT model FROM explained_models").scalars().all() == ["m-2"]
