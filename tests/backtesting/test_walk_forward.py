"""A walk-forward scored in memory is worth what the ledger says of the same rows."""

import numpy as np
import pytest

from backtesting.walk_forward import walk_forward_of
from config import Config
from data.candle_store import CandleStore
from data.database import open_database
from data.skill_store import SkillStore
from engine.history import training_span
from engine.trainer import Training
from market.intervals import HOUR_MS
from models.training import TrainingSettings, train_horizon
from tests.backtesting.conftest import CONFIG


@pytest.fixture(scope="module")
def ledger(case, tmp_path_factory):
    """Return the skill the trainer leaves in a database that holds the candles of the case."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "run").mkdir()
    config = Config(
        HISTORY_DAYS=CONFIG.HISTORY_DAYS, HORIZONS="1h", INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder / "models"
    )
    engine = open_database(folder / "simulated-1.db")
    CandleStore(engine, "5m").append_tables(list(case.tables.items()))
    market_ms = max(int(table["open_ms"][-1]) for table in case.tables.values()) + config.interval_ms
    assert Training(config, "simulated", "simulated-1", market_ms).run() == []
    yield SkillStore(engine, "simulated", "5m")
    engine.dispose()


def test_the_same_rows_have_the_same_skill(case, panel, ledger):
    walked = walk_forward_of(panel, train_horizon(panel, "5m", "1h", 12, case.settings), CONFIG.cost_bps)

    for name in ("WALKUSDT", "EDGEUSDT"):
        skill = walked.skill(walked.symbols == panel.symbols.index(name))
        stored = ledger.skill(symbol=name, horizon="1h", origin="replayed")[0]
        for key in ("n", "n_independent", "base_rate", "brier", "brier_base", "brier_skill_low", "coverage_kept"):
            assert skill[key] == pytest.approx(stored[key], rel=1e-9), (name, key)
        assert skill["verdict"] == stored["verdict"]
        assert [entry["n"] for entry in skill["calibration"]] == [entry["n"] for entry in stored["calibration"]]


def test_rows_without_an_outcome_are_none(case, panel):
    settings = TrainingSettings(600, max_rows=5_000, folds=1, families=("hist_gradient_boosting",))

    walked = walk_forward_of(panel, train_horizon(panel, "5m", "1h", 12, settings), CONFIG.cost_bps)

    assert walked.candles.max() == len(panel.open_ms) - 12 - 1
    assert np.unique(walked.symbols).tolist() == [0, 1, 2, 3]
    assert len(walked) == 4 * (600 - 12)


def test_the_span_of_the_case_is_the_trainers(case, panel):
    newest_ms = max(int(table["open_ms"][-1]) for table in case.tables.values())

    assert panel.open_ms[-1] == training_span(CONFIG, newest_ms + CONFIG.interval_ms).cut_ms - CONFIG.interval_ms
    assert len(panel.open_ms) == CONFIG.HISTORY_DAYS * 24 * HOUR_MS // CONFIG.interval_ms
