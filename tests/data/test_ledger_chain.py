"""The chain over the ledger: what was written stays provable, whatever is changed later."""

import pytest

from data import ledger_chain
from data.database import open_database
from data.prediction_store import PredictionStore
from data.retention import let_go
from market.predictions import Origin
from tests.data.test_prediction_store import START, STEP, prediction


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path / "simulated-1.db")
    store = PredictionStore(engine, "simulated", "5m")
    for index in range(5):
        store.publish([prediction(index), prediction(index, horizon="4h")])
        store.settle()
    store.add_replayed([prediction(-index, origin=Origin.REPLAYED) for index in range(1, 4)], [])
    yield engine
    engine.dispose()


def faults(engine):
    with engine.connect() as connection:
        let_go_seq = ledger_chain.let_go_seq(connection)
        return [one.fault for one in ledger_chain.verify(connection, let_go_seq)]


def change(engine, sql):
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


def test_every_link_holds_before_and_after_scoring(engine):
    before = faults(engine)

    change(engine, "UPDATE predictions SET state = 'scored', outcome_up = 1, scored_ms = 5 WHERE seq < 4")

    assert before == faults(engine) == [None] * 6


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE predictions SET probability_up = 0.7000000000000001 WHERE seq = 3",
        "UPDATE predictions SET verdict = 'down' WHERE seq = 3",
        "UPDATE predictions SET made_ms = made_ms - 1 WHERE seq = 3",
        "DELETE FROM predictions WHERE seq = 3",
        "UPDATE ledger_links SET digest = zeroblob(32) WHERE number = 2",
    ],
)
def test_a_row_that_was_changed_or_removed_breaks_its_link(engine, sql):
    change(engine, sql)

    found = faults(engine)

    assert found[0] is None
    assert found[1] is not None


def test_a_history_written_anew_has_another_head(engine, tmp_path):
    other = PredictionStore(open_database(tmp_path / "other.db"), "simulated", "5m")
    for index in range(5):
        other.publish([prediction(index, probability_up=0.71 if index == 2 else 0.7)])
        other.settle()

    here, there = PredictionStore(engine, "simulated", "5m").chain(), other.chain()

    assert (here["links"], there["links"]) == (6, 5)
    assert here["last_id"] == "simulated-1-000000000d"
    assert here["head"] != there["head"]


def test_links_of_rows_that_were_let_go_break_nothing(engine):
    change(engine, "UPDATE predictions SET state = 'void' WHERE seq < 6")

    let_go(engine, "5m", ["BTCUSDT"], START + 3 * STEP)

    assert faults(engine) == [None] * 6


def test_an_empty_ledger_has_no_head(tmp_path):
    store = PredictionStore(open_database(tmp_path / "new.db"), "simulated", "5m")

    assert store.chain() == {"links": 0, "last_id": None, "head": None}
