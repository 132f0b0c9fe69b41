"""Who serves, when it is renewed, and what a person may ask for: with the real trainer in a child."""

import time
from dataclasses import replace

import numpy as np
import pytest

from config import Config
from data.champion_store import MODEL_LIFE_MS
from data.database import open_database
from data.drift_store import DriftStore
from data.model_seal import KEY_FILE
from data.model_store import ModelStore
from engine.serving import Serving
from engine.source import Source
from features.feature_engineering import COLUMNS, SCALE, definition_hash
from market.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from models.panel import Panel
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from utils.mailbox import LETTERS_FOLDER, Mailbox
from utils.model_cache import model_cache

STEP = 5 * MINUTE_MS
SOURCE = Source("simulated", "simulated-1", "http://127.0.0.1:1", "ws://127.0.0.1:1", 1.0)


@pytest.fixture(scope="module")
def trained():
    random = np.random.default_rng(1)
    features = np.abs(random.normal(size=(10, 500, len(COLUMNS)))).astype(np.float32)
    closes = random.uniform(99.0, 101.0, (10, 500))
    times = 1_750_000_200_000 // HOUR_MS * HOUR_MS - np.arange(500)[::-1] * STEP - STEP
    panel = Panel(tuple(f"S{at}" for at in range(10)), COLUMNS, SCALE, times, features, closes)
    return train_horizon(panel, "5m", "1h", 12, TrainingSettings(replay_candles=60, folds=1))


class Bench:
    """An engine's models without its market."""

    def __init__(self, folder, trained, monkeypatch, horizons="1h"):
        self.config = Config(INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder / "models", HORIZONS=horizons)
        for name, value in (("INSTANCE_DIR", folder), ("SAVED_MODELS_DIR", folder / "models"), ("HORIZONS", horizons)):
            monkeypatch.setenv(f"CANDELA_{name}", str(value))
        (folder / "run").mkdir()
        self.trained, self.now_ms = trained, trained.cut_ms
        self.models = ModelStore(self.config.SAVED_MODELS_DIR, folder / KEY_FILE)
        self.database = open_database(folder / "simulated-1.db")
        self.mailbox = Mailbox(folder / "run" / LETTERS_FOLDER)
        self.serving = Serving(self.config, SOURCE, self.database)

    def save(self, step=0, definition=None, horizon="1h"):
        move = replace(self.trained.model.move, half_width=1.0 + step)
        model = replace(self.trained.model, move=move, horizon=horizon)
        whole = replace(self.trained, model=replace(model, id=content_id(model)), cut_ms=self.now_ms + step * HOUR_MS)
        return self.models.save(whole, "simulated-1", (0, 1), definition or definition_hash())

    def tend_until(self, is_done):
        deadline = time.monotonic() + 240  # the child steps back behind all there is
        while not is_done() and time.monotonic() < deadline:
            self.serving.tend(self.now_ms)
            time.sleep(0.02)
        assert is_done()


@pytest.fixture
def make_bench(tmp_path, trained, monkeypatch):
    model_cache.clear_cache()
    made = []

    def make(horizons="1h"):
        made.append(Bench(tmp_path, trained, monkeypatch, horizons))
        return made[-1]

    yield make
    for bench in made:
        bench.serving.stop()
        bench.database.dispose()


@pytest.fixture
def bench(make_bench):
    return make_bench()


def test_the_champion_serves_for_a_week_of_the_market(bench):
    model = bench.save()

    bench.serving.refresh(bench.now_ms)

    served = bench.serving.served["1h"]
    assert (served.model, served.expires_ms) == (model, bench.now_ms + MODEL_LIFE_MS)
    assert bench.serving.described()["loads"][model]["bytes"] > 0
    assert bench.serving.described()["alarms"] == []


def test_what_a_person_chose_serves_at_once(bench):
    first = bench.save()
    bench.serving.refresh(bench.now_ms)
    second = bench.save(1)
    bench.serving.refresh(bench.now_ms)
    assert bench.serving.served["1h"].model == first

    bench.mailbox.put({"order": "promote", "model": second})
    bench.serving.tend(bench.now_ms)

    assert bench.serving.served["1h"].model == second


def test_a_training_that_leaves_no_new_model_is_told_on_every_page(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    bench.now_ms += DAY_MS

    bench.serving.tend(bench.now_ms)
    assert bench.serving.training()["horizons"] == ["1h"]
    bench.tend_until(lambda: bench.serving.training() is None)

    (alarm,) = bench.serving.described()["alarms"]
    assert alarm.startswith("The last training of 1h failed")


def test_a_refresh_that_does_not_come_is_told_and_so_is_a_model_that_has_expired(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)

    bench.serving.refresh(bench.now_ms + 2 * DAY_MS)
    late = bench.serving.described()["alarms"]
    bench.serving.refresh(bench.now_ms + MODEL_LIFE_MS)
    expired = bench.serving.described()["alarms"]

    assert late == ["The refresh of the model of 1h is 24 h late."]
    assert expired == ["The model of 1h has expired, so its rows abstain."]


def test_the_oldest_model_is_renewed_first_and_one_that_is_missing_before_all(make_bench):
    bench = make_bench("1h,4h,1d")
    bench.save(2, horizon="1h")
    bench.save(horizon="4h")
    bench.now_ms += DAY_MS + 2 * HOUR_MS
    bench.serving.refresh(bench.now_ms)

    bench.serving.tend(bench.now_ms)

    assert bench.serving.training()["horizons"] == ["1d", "4h", "1h"]


def test_all_horizons_that_a_person_asks_for_are_trained_the_oldest_first(make_bench):
    bench = make_bench("1h,4h")
    bench.save(2, horizon="1h")
    bench.save(horizon="4h")
    bench.serving.refresh(bench.now_ms)
    bench.mailbox.put({"order": "retrain", "horizon": "all"})

    bench.serving.tend(bench.now_ms)

    assert bench.serving.training()["horizons"] == ["4h", "1h"]


def test_a_training_of_one_horizon_does_not_put_off_that_of_another(make_bench):
    bench = make_bench("1h,4h")
    bench.save(2, horizon="1h")
    bench.save(horizon="4h")
    bench.serving.refresh(bench.now_ms)
    bench.mailbox.put({"order": "retrain", "horizon": "1h"})
    bench.serving.tend(bench.now_ms)
    bench.mailbox.put({"order": "cancel"})
    bench.tend_until(lambda: bench.serving.training() is None)

    bench.now_ms += DAY_MS
    bench.serving.tend(bench.now_ms)

    assert bench.serving.training()["horizons"] == ["4h"]


def test_only_horizons_that_no_model_speaks_for_are_trained_at_full_speed(make_bench):
    bench = make_bench("1h,4h")
    bench.save(horizon="1h")
    bench.serving.refresh(bench.now_ms)
    bench.serving.tend(bench.now_ms)
    first = bench.serving.training()
    bench.serving.stop()
    bench.mailbox.put({"order": "retrain", "horizon": "all"})

    bench.serving.tend(bench.now_ms)

    assert (first["horizons"], first["is_first"]) == (["4h"], True)
    assert bench.serving.training()["is_first"] is False


def test_a_training_is_cancelled_without_holding_up_the_loop_and_is_no_failure(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    bench.mailbox.put({"order": "retrain", "horizon": "1h"})
    bench.serving.tend(bench.now_ms)
    assert bench.serving.training() is not None

    bench.mailbox.put({"order": "cancel"})
    bench.tend_until(lambda: bench.serving.training() is None)

    assert bench.serving.described()["alarms"] == []
    assert bench.serving.note is None


def test_while_a_challenger_is_on_trial_its_horizon_is_not_trained_again(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    bench.now_ms += HOUR_MS
    bench.save(1)
    bench.now_ms += 22 * HOUR_MS
    bench.serving.refresh(bench.now_ms)  # the challenger is noticed only now: its trial is a day

    bench.now_ms += 4 * HOUR_MS
    bench.serving.tend(bench.now_ms)

    assert bench.serving.training() is None


def test_when_no_file_is_sound_a_training_begins_and_the_model_in_memory_serves_on(bench):
    model = bench.save()
    bench.serving.refresh(bench.now_ms)
    (bench.config.SAVED_MODELS_DIR / f"{model}.npz").write_bytes(b"?")

    bench.serving.refresh(bench.now_ms)
    bench.serving.tend(bench.now_ms)

    assert bench.serving.training() is not None
    assert bench.serving.served["1h"].model == model
    (alarm,) = bench.serving.described()["alarms"]
    assert alarm == "No file of a model of 1h is sound; the one in memory speaks until the next training."


def test_the_leak_tests_are_started_once_and_followed(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    for _ in range(2):
        bench.mailbox.put({"order": "leaks"})

    bench.serving.tend(bench.now_ms)

    assert bench.serving.described()["leaks"] is not None
    with bench.database.connect() as connection:
        texts = connection.exec_driver_sql("SELECT text FROM model_changes WHERE kind = 'not done'").scalars().all()
    assert texts == ["the leak tests run already, or failed a moment ago"]


def test_after_an_upgrade_of_the_features_an_old_champion_does_not_serve_and_a_new_one_does_at_once(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    bench.save(definition="the rules of before")  # the same model, as an earlier version left it
    bench.serving = Serving(bench.config, SOURCE, bench.database)

    bench.serving.refresh(bench.now_ms)
    assert bench.serving.served == {}
    newer = bench.save(1)
    bench.serving.refresh(bench.now_ms)

    assert bench.serving.served["1h"].model == newer


def test_an_order_that_cannot_be_done_is_written_down(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    bench.mailbox.put({"order": "promote", "model": "random_forest-1h-000000000000"})
    bench.mailbox.put({"order": "dance"})

    bench.serving.tend(bench.now_ms)

    with bench.database.connect() as connection:
        rows = connection.exec_driver_sql("SELECT kind, text FROM model_changes ORDER BY seq DESC LIMIT 1").all()
    assert rows[0][0] == "not done"
    assert "no sound model" in rows[0][1]


def test_a_cache_is_emptied_when_a_person_asks_for_it(bench):
    bench.save()
    bench.serving.refresh(bench.now_ms)
    held = model_cache.get_stats()["size_bytes"]

    bench.mailbox.put({"order": "empty", "cache": "models"})
    bench.mailbox.put({"order": "empty", "cache": "everything"})
    bench.serving.tend(bench.now_ms)

    stats = model_cache.get_stats()
    assert (stats["emptied"].entries, stats["emptied"].size_bytes) == (1, held)
    assert held > 10_000
    assert bench.serving.load(bench.serving.served["1h"].model).id == bench.serving.served["1h"].model


def test_a_champion_that_sees_another_market_than_its_training_is_told(bench):
    features = len(COLUMNS)
    spread = {"edges": [list(range(9))] * features, "shares": [[0.1] * 10] * features}
    model = bench.models.save(
        replace(bench.trained, cut_ms=bench.now_ms), "simulated-1", (0, 1), definition_hash(), spread=spread
    )
    even, moved = np.full((features, 10), 60), np.full((features, 10), 60)
    moved[3] = [600] + [0] * 9
    days = DriftStore(bench.database, "5m")
    for day in (1, 2, 3):
        days.keep(day, {model: even})
    bench.serving.refresh(bench.now_ms)
    before = bench.serving.described()["drifts"]
    for day in (4, 5, 6):
        days.keep(day, {model: moved})

    bench.serving.refresh(bench.now_ms)

    assert before == []
    assert bench.serving.described()["drifts"] == [
        f"1 of {features} features of the model of 1h has moved from its training."
    ]
