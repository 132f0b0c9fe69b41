"""Which model serves each horizon, when the next training is due, and what a person asks for on the models page."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from config import Config
from data.adaptation_store import Adaptations
from data.champion_store import MODEL_LIFE_MS, ChampionStore
from data.drift_store import DriftStore
from data.model_seal import KEY_FILE
from data.model_store import ModelStore
from data.shadow_store import ShadowStore
from engine.champions import Champions
from engine.contest import trial_ms
from engine.drift import DriftWatch
from engine.forecaster import Rows, ServedHorizon
from engine.history import training_span
from engine.shadow import Shadow
from engine.source import Source, first_trainer_command, leaks_command, trainer_command, work_environment
from engine.tools import empty_cache
from engine.training_job import Progress, TrainingJob
from features.feature_engineering import definition_hash
from market.errors import ModelError, SourceUnavailable
from market.intervals import DAY_MS, HOUR_MS
from market.predictions import Prediction
from models.scores import Scores
from utils.mailbox import LETTERS_FOLDER, Letter, Mailbox
from utils.model_utils import BatchPredictor

logger = logging.getLogger(__name__)

RETRAIN_AFTER_MS = DAY_MS
LATE_AFTER_MS = DAY_MS // 2  # a refresh that long overdue is told on every page
RETRY_AFTER_MS = HOUR_MS  # while there is no model at all
REFRESH_SECONDS = 30.0  # between two looks at the files and at who has earned what


class Serving:
    """The models that speak, those in their shadow, and the training that renews them."""

    def __init__(self, config: Config, source: Source, engine: Engine) -> None:
        """Look for models of `source` in SAVED_MODELS_DIR at the first `refresh`; roles lie in the database."""
        self._config = config
        self._source = source
        self._store = ModelStore(config.SAVED_MODELS_DIR, config.INSTANCE_DIR / KEY_FILE)
        self.load = self._store.cached
        self.predictor = BatchPredictor[Scores](self.load, config.BATCH_SIZE)
        self._shadow = Shadow(ShadowStore(engine, config.INTERVAL), self.predictor)
        self._drift = DriftWatch(DriftStore(engine, config.INTERVAL), self._store)
        roles = ChampionStore(engine, config.INTERVAL)
        self._champions = Champions(
            roles, self._store, self._shadow, source.venue, config.INTERVAL, dict(config.horizon_ms)
        )
        self._job = TrainingJob(config.INSTANCE_DIR / "run", work_environment())
        self._leaks = TrainingJob(config.INSTANCE_DIR, work_environment(), f"{source.venue}.leaks.json")
        self._asked: Sequence[str] = ()  # horizons of the training that goes on or was last
        self._is_first = True  # none of them spoke when it began, so it may go at full speed
        self._failed: set[str] = set()  # horizons whose last training left no new model
        self._mailbox = Mailbox(config.INSTANCE_DIR / "run" / LETTERS_FOLDER)
        self.served: Mapping[str, ServedHorizon] = {}
        self._attempted_ms: dict[str, int] = {}  # by horizon: when a training of it began last
        self._refresh_at_s = 0.0
        self.note: str | None = None
        self._alarms: list[str] = []
        self._drifts: list[str] = []

    def follow(self, rows: Rows, predictions: Sequence[Prediction], adaptations: Adaptations) -> None:
        """Ask the models in the shadow about what was just published, and count what all of them saw."""
        self._shadow.follow(rows, predictions, adaptations)
        self._drift.follow(rows, self._champions.roles)

    def refresh(self, market_ms: int) -> None:
        """Let the champion of each horizon serve from now on; where none can be loaded, the one that serves stays."""
        self._refresh_at_s = time.monotonic() + REFRESH_SECONDS
        self._champions.review(market_ms)
        served = dict(self.served)
        for name, roles in self._champions.roles.items():
            champion = roles.champion.model if roles.champion else None
            if champion not in self._champions.cuts[name] or (name in served and served[name].model == champion):
                continue  # its files are not sound or for other features, or it serves already
            try:
                facts = self._store.facts(champion)
                if self._config.ENABLE_MODEL_PRELOADING:
                    self._store.cached(champion)
            except ModelError as error:
                logger.warning("model refused model=%s reason=%s", champion, error)
                continue
            logger.info("model serves horizon=%s model=%s", name, champion)
            served[name] = ServedHorizon(champion, float(facts["coverage"]), int(facts["cut_ms"]) + MODEL_LIFE_MS)
        self.served = served
        self._alarms = self._find_alarms(market_ms)
        self._drifts = self._drift.alarms(self._champions.roles)

    def tend(self, market_ms: int) -> None:
        """Do what was asked for, start a training when one is due, and take over what a finished one left."""
        for letter in self._mailbox.take():
            try:
                self._obey(letter, market_ms)
            except SourceUnavailable as error:
                logger.warning("order not done order=%r reason=%s", letter.get("order"), error)
        self._shadow.tend(market_ms)
        self._drift.tend(market_ms)
        if time.monotonic() >= self._refresh_at_s:
            self.refresh(market_ms)
        self._leaks.poll(lambda: None)
        if self._job.is_running:
            if self._job.poll(lambda: self.refresh(market_ms)):
                self._note_end(market_ms)
        elif due := self._due(market_ms):
            self._train(due, market_ms)

    def training(self) -> Progress | None:
        """Return how far the training is that goes on, or None."""
        progress = self._job.progress()
        return progress and {**progress, "horizons": list(self._asked), "is_first": self._is_first}

    def described(self) -> dict[str, Any]:
        """Return what the pages should know: alarms, and of each loaded model how long that took and its size."""
        leaks = self._leaks.progress()
        return {
            "definition": definition_hash(),
            "alarms": self._alarms,
            "drifts": self._drifts,
            "training_failure": self._job.failure,
            "loads": {name: asdict(load) for name, load in dict(self._store.loads).items()},
            "leaks": leaks,
            "leaks_failure": self._leaks.failure,
        }

    def stop(self) -> None:
        """End what goes on, and keep what was counted."""
        self._job.stop()
        self._leaks.stop()
        self._drift.stop()

    def _obey(self, letter: Letter, market_ms: int) -> None:
        """Do what a person asks for; what cannot be done is written down with the reason."""
        order, model = letter.get("order"), letter.get("model", "")
        if order == "cancel":
            self._job.cancel()
        elif order == "retrain":
            horizons = [name for name in self._oldest_first() if letter.get("horizon") in (name, "all")]
            if not horizons or not self._train(horizons, market_ms):
                self._champions.refuse("", "no training was started: one goes on, or failed a moment ago", market_ms)
        elif order == "leaks":
            if not self._leaks.start(leaks_command(self._source)):
                self._champions.refuse("", "the leak tests run already, or failed a moment ago", market_ms)
        elif order == "promote":
            reason = self._champions.promote(model, market_ms)
            if reason is not None:
                self._champions.refuse(model, reason, market_ms)
            self.refresh(market_ms)
        elif order == "empty":
            empty_cache(letter.get("cache", ""))
        else:
            logger.warning("order not understood order=%r", str(order)[:40])

    def _train(self, horizons: Sequence[str], market_ms: int) -> bool:
        is_first = self.served.keys().isdisjoint(horizons)
        command = first_trainer_command if is_first else trainer_command
        if not self._job.start(command(self._source, market_ms, horizons)):
            return False
        self._attempted_ms |= dict.fromkeys(horizons, market_ms)
        self._asked, self._is_first = tuple(horizons), is_first
        return True

    def _note_end(self, market_ms: int) -> None:
        """Remember how the training ended."""
        job, attempted_ms = self._job, self._attempted_ms[self._asked[0]]
        if job.has_crashed:
            self._attempted_ms = {name: ms for name, ms in self._attempted_ms.items() if name not in self._asked}
        self.note = job.failure and f"not every horizon has a model: {job.failure}"
        if not job.was_cancelled:
            cut_ms = training_span(self._config, attempted_ms).cut_ms
            missed = {name for name in self._asked if self._newest_ms(name) < cut_ms}
            self._failed = (self._failed - set(self._asked)) | missed
        self._alarms = self._find_alarms(market_ms)

    def _newest_ms(self, horizon: str) -> int:
        return max(self._champions.cuts.get(horizon, {}).values(), default=0)

    def _oldest_first(self) -> list[str]:
        return sorted(self._config.horizons, key=self._newest_ms)

    def _wanted_ms(self, horizon: str) -> int:
        """Return when the next training of a horizon is due: a day after the last, and not while one is on trial."""
        roles = self._champions.roles.get(horizon)
        due_ms = self._newest_ms(horizon) + RETRAIN_AFTER_MS
        if roles is None or roles.challenger is None:
            return due_ms
        return max(due_ms, roles.challenger.since_ms + trial_ms(self._config.horizon_ms[horizon]))

    def _due(self, market_ms: int) -> list[str]:
        """Return the horizons that want a new model, oldest first; one that had too little history waits a while."""
        pause_ms = RETRAIN_AFTER_MS if self.served else RETRY_AFTER_MS
        rested = [name for name in self._oldest_first() if market_ms - self._attempted_ms.get(name, 0) >= pause_ms]
        return [name for name in rested if market_ms >= self._wanted_ms(name)]

    def _find_alarms(self, market_ms: int) -> list[str]:
        """Return what a person should know about horizons that have a model, in sentences."""
        found = []
        for name, served in self.served.items():
            late_ms = market_ms - self._wanted_ms(name)
            if not self._champions.cuts.get(name):
                found.append(
                    f"No file of a model of {name} is sound; the one in memory speaks until the next training."
                )
            elif market_ms >= served.expires_ms:
                found.append(f"The model of {name} has expired, so its rows abstain.")
            elif name in self._failed:
                reason = self._job.failure or "it left no new model"
                found.append(f"The last training of {name} failed: {reason}.")
            elif late_ms >= LATE_AFTER_MS:
                found.append(f"The refresh of the model of {name} is {late_ms // HOUR_MS} h late.")
        return found
