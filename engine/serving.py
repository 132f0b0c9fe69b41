"""Which model serves each horizon, and when the next training is due."""

import logging
import time
from collections.abc import Mapping

from config import Config
from data.model_store import ModelStore
from engine.forecaster import ServedHorizon
from engine.source import Source, house_environment, trainer_command
from engine.training_job import Progress, TrainingJob
from features.feature_engineering import COLUMNS, definition_hash
from market.errors import ModelError
from market.intervals import DAY_MS, HOUR_MS
from models.scores import Scores
from utils.model_utils import BatchPredictor

logger = logging.getLogger(__name__)

MODEL_LIFE_MS = 7 * DAY_MS  # market time after which a model that was not trained again abstains
RETRAIN_AFTER_MS = DAY_MS
RETRY_AFTER_MS = HOUR_MS  # while there is no model at all
REFRESH_SECONDS = 30.0  # between two looks whether the files of the serving models are still sound


class Serving:
    """The newest sound model of each horizon, loaded through the model cache, and the training that renews them."""

    def __init__(self, config: Config, source: Source) -> None:
        """Look for models of `source` in SAVED_MODELS_DIR at the first `refresh`."""
        self._config = config
        self._source = source
        self._store = ModelStore(config.SAVED_MODELS_DIR)
        self._job: TrainingJob | None = None
        self._trained_ms: dict[str, int] = {}
        self.load = self._store.cached
        self.predictor = BatchPredictor[Scores](self.load, config.BATCH_SIZE)
        self.served: Mapping[str, ServedHorizon] = {}
        self._attempted_ms: int | None = None
        self._refresh_at_s = 0.0
        self.note: str | None = None

    def refresh(self) -> None:
        """Serve the newest sound model of each horizon from now on; where there is none, the one that serves stays."""
        self._refresh_at_s = time.monotonic() + REFRESH_SECONDS
        served = dict(self.served)
        for name in self._config.horizons:
            newest = self._store.newest(self._source.venue, self._config.INTERVAL, name, COLUMNS, definition_hash())
            if newest is None or (name in served and served[name].model == newest):
                continue
            try:
                cut_ms, coverage = self._store.cut_ms(newest), self._store.coverage(newest)
                if self._config.ENABLE_MODEL_PRELOADING:
                    self._store.cached(newest)
            except ModelError as error:
                logger.warning("model refused model=%s reason=%s", newest, error)
                continue
            logger.info("model serves horizon=%s model=%s", name, newest)
            self._trained_ms[name] = cut_ms
            served[name] = ServedHorizon(newest, coverage, cut_ms + MODEL_LIFE_MS)
        self.served = served

    def tend(self, market_ms: int) -> None:
        """Start a training when one is due, and take over what a finished one left."""
        if time.monotonic() >= self._refresh_at_s:
            self.refresh()
        if self._job is not None and self._job.is_running:
            if self._job.poll(self.refresh):
                if self._job.has_crashed:
                    self._attempted_ms = None
                self.note = self._job.failure and f"not every horizon has a model: {self._job.failure}"
            return
        if self._is_due(market_ms):
            if self._job is None:
                self._job = TrainingJob(self._config.INSTANCE_DIR / "run", house_environment())
            if self._job.start(trainer_command(self._source, market_ms)):
                self._attempted_ms = market_ms

    def training(self) -> Progress | None:
        """Return how far the training is that goes on, or None."""
        return self._job.progress() if self._job else None

    def stop(self) -> None:
        """End a training that goes on."""
        if self._job is not None:
            self._job.stop()

    def _is_due(self, market_ms: int) -> bool:
        """Return whether a horizon wants a new model; one that had too little history is not tried again at once."""
        pause_ms = RETRAIN_AFTER_MS if self.served else RETRY_AFTER_MS
        if self._attempted_ms is not None and market_ms - self._attempted_ms < pause_ms:
            return False
        return any(market_ms - self._trained_ms.get(name, 0) >= RETRAIN_AFTER_MS for name in self._config.horizons)
