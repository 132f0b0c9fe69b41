"""Roles are given by rule or by a person, written down, and survive a restart."""

from dataclasses import replace

import numpy as np
import pytest

from data.adaptation_store import Adaptations
from data.champion_store import ENGINE, MODEL_LIFE_MS, PERSON, ChampionStore, Holder
from data.database import open_database
from data.model_store import ModelStore
from data.shadow_store import ShadowStore, shadow_sums
from engine.champions import Champions
from engine.contest import trial_ms
from engine.forecaster import Rows
from engine.shadow import Shadow
from features.feature_engineering import COLUMNS, SCALE, definition_hash
from market.candles import Candle
from market.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Reason, Verdict
from models.panel import Panel
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from utils.model_cache import model_cache
from utils.model_utils import BatchPredictor

STEP = 5 * MINUTE_MS
VENUE = "simulated-1"


@pytest.fixture(scope="module")
def trained():
    random = np.random.default_rng(1)
    features = np.abs(random.normal(size=(10, 500, len(COLUMNS)))).astype(np.float32)
    closes = random.uniform(99.0, 101.0, (10, 500))
    panel = Panel(tuple(f"S{at}" for at in range(10)), COLUMNS, SCALE, np.arange(500) * STEP, features, closes)
    return train_horizon(panel, "5m", "1h", 12, TrainingSettings(replay_candles=60, folds=1))


class Court:
    """The roles of one horizon over a real folder and a real database."""

    def __init__(self, folder, trained):
        self.folder, self._trained = folder, trained
        self.models = ModelStore(folder / "models", folder / "model.key")
        self.database = open_database(folder / "test.db")
        self.start_ms = trained.cut_ms
        self.open()

    def open(self):
        """Begin as an engine does that was started."""
        shadow_store = ShadowStore(self.database, "5m")
        self.shadow = Shadow(shadow_store, BatchPredictor(self.models.cached, 32))
        self.store = ChampionStore(self.database, "5m")
        self.champions = Champions(self.store, self.models, self.shadow, VENUE, "5m", {"1h": HOUR_MS})

    def train(self, day):
        model = replace(self._trained.model, move=replace(self._trained.model.move, half_width=1.0 + day))
        whole = replace(self._trained, model=replace(model, id=content_id(model)), cut_ms=self.start_ms + day * DAY_MS)
        return self.models.save(whole, VENUE, (0, self.start_ms), definition_hash())

    def review(self, day):
        self.champions.review(self.start_ms + round(day * DAY_MS))

    @property
    def roles(self):
        return self.champions.roles["1h"]

    def kinds(self):
        return [change.kind for change in self.store.changes(20)]


@pytest.fixture
def court(tmp_path, trained):
    model_cache.clear_cache()
    court = Court(tmp_path, trained)
    yield court
    court.database.dispose()


def test_the_first_model_serves_at_once_and_the_next_one_in_the_shadow(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)

    assert court.roles.champion.model == first
    assert court.roles.challenger == Holder(second, court.start_ms + DAY_MS)
    assert court.kinds() == ["challenges", "serves"]


def test_roles_survive_a_restart(court):
    court.train(0)
    court.review(0)
    court.train(1)
    court.review(1)
    before = court.roles

    court.open()
    court.review(1.1)

    assert court.roles == before
    assert court.kinds() == ["challenges", "serves"]


def test_a_newer_model_that_was_never_measured_takes_over_before_the_old_one_expires(court):
    court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)

    court.review(1 + trial_ms(HOUR_MS) / DAY_MS)
    assert court.roles.champion.model != second
    court.review(MODEL_LIFE_MS / DAY_MS - 1)

    assert court.roles.champion.model == second
    assert "about to expire" in court.store.changes(1)[0].text


def test_a_person_promotes_and_takes_it_back(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)

    assert court.champions.promote(second, court.start_ms + DAY_MS) is None
    assert (court.roles.champion.model, court.roles.champion.given_by) == (second, PERSON)
    assert court.roles.predecessor.model == first
    assert court.champions.promote(first, court.start_ms + DAY_MS) is None

    assert court.roles.champion.model == first
    assert court.roles.predecessor.model == second
    assert court.kinds()[:2] == ["rolled back", "promoted"]
    assert court.store.changes(1)[0].before == second


def test_a_model_that_was_taken_back_is_not_tried_again(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    court.champions.promote(second, court.start_ms + DAY_MS)
    court.champions.promote(first, court.start_ms + DAY_MS)

    court.review(1.5)
    third = court.train(2)
    court.review(2)

    assert court.roles.challenger.model == third
    assert court.roles.champion.model == first


def test_what_is_no_sound_model_is_not_promoted(court):
    first = court.train(0)
    court.review(0)

    assert "no sound model" in court.champions.promote("random_forest-1h-000000000000", 0)
    assert "speaks already" in court.champions.promote(first, 0)
    assert court.kinds() == ["serves"]


def test_when_the_champion_is_damaged_the_one_before_it_serves(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    court.champions.promote(second, court.start_ms + DAY_MS)
    path = court.folder / "models" / f"{second}.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    court.review(1.1)

    assert court.roles.champion.model == first
    assert court.roles.predecessor is None
    change = court.store.changes(1)[0]
    assert (change.before, change.made_by) == (second, ENGINE)
    assert "the files are not sound" in change.text


def test_when_no_file_is_sound_the_one_in_memory_stays(court):
    first = court.train(0)
    court.review(0)
    (court.folder / "models" / f"{first}.npz").write_bytes(b"")

    court.review(0.1)

    assert court.roles.champion.model == first


def test_the_shadow_is_asked_about_the_candles_its_champion_spoke_of(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    candles = [Candle(symbol, court.start_ms, 1.0, 1.0, 1.0, 1.0, 1.0) for symbol in ("AUSDT", "BUSDT", "CUSDT")]
    values = np.ones((3, len(COLUMNS)))
    values[2] = np.nan
    said = [
        Prediction(
            one.symbol, "5m", "1h", one.open_ms, one.open_ms + STEP, one.open_ms + STEP + HOUR_MS, 1.0, 24.0,
            Verdict.ABSTAIN, Reason.COST, Origin.LIVE, first if probability else None, probability,
        )
        for one, probability in zip(candles, (0.4, None, 0.6), strict=True)
    ]  # fmt: skip

    taught = Adaptations([("AUSDT", "1h")], np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]).T)
    court.shadow.follow(Rows(candles, values, [None] * 3), said, taught)

    (row,) = court.shadow._waiting
    assert (row.model, row.champion, row.symbols) == (second, first, ("AUSDT",))
    alone = court.models.cached(second).predict(values[:1]).probability_up[0]
    told = 1.0 / (1.0 + (1.0 / alone - 1.0) ** np.e)  # as the champion would have told it: log-odds times e
    assert row.probabilities.tolist() == [[pytest.approx(told)], [0.4]]


def compare(court, model, champion, first_block, gain=0.2):
    """Note down for 24 hours that a model in the shadow scored so much better a row than its champion."""
    random = np.random.default_rng(1)
    rows = [
        {"model": model, "champion": champion, "horizon": "1h", "interval": "5m", "block": first_block + at, "n": 10.0,
         "brier": value - gain - 0.01 * (at % 3), "champion_brier": value}
        for at, value in enumerate((2.5 + random.normal(0, 0.1, 24)).tolist())
    ]  # fmt: skip
    with court.database.begin() as connection:
        connection.execute(shadow_sums.insert(), rows)


def test_a_better_challenger_is_promoted_with_the_figures(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    compare(court, second, first, 0)
    court.open()

    court.review(1.2)

    change = court.store.changes(1)[0]
    assert (change.kind, change.model, change.before) == ("promoted", second, first)
    assert change.compared.n == 240
    assert change.compared.low > 0
    assert court.roles.predecessor.model == first


def test_a_champion_that_was_rolled_back_does_not_return_for_what_it_once_was(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    day = court.start_ms // HOUR_MS
    compare(court, second, first, day + 24)
    court.open()
    court.review(2)
    compare(court, first, second, day + 49)
    court.open()

    for look in range(4):
        court.review(4 + look / 2_880)

    assert court.roles.champion.model == first
    assert court.kinds() == ["rolled back", "promoted", "challenges", "serves"]


def test_a_folder_that_cannot_be_read_for_a_moment_takes_no_role_away(court):
    first = court.train(0)
    court.review(0)
    second = court.train(1)
    court.review(1)
    court.champions.promote(second, court.start_ms + DAY_MS)
    third = court.train(2)
    court.review(2)
    before = court.roles
    (court.folder / "models").rename(court.folder / "away")

    court.review(2.1)
    (court.folder / "away").rename(court.folder / "models")
    court.review(2.2)

    assert court.roles == before
    assert set(before.models()) == {first, second, third}
