"""Train every horizon from the stored candles, and fill the record with walk-forward rows."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from joblib import cpu_count

from config import Config, config_or_exit
from data.adaptation_store import AdaptationStore
from data.candle_store import CandleStore
from data.candle_tables import CandleTables
from data.champion_store import MODEL_LIFE_MS, ChampionStore
from data.data_processor import DataProcessor
from data.database import open_database
from data.drift import spread_of
from data.fit_shelf import FitShelf
from data.ledger_inputs import Inputs
from data.model_seal import KEY_FILE
from data.model_store import ModelStore
from data.prediction_store import PredictionStore
from engine.forecaster import Case, Horizon, ServedHorizon, Span, all_figures, prediction_of
from engine.history import TrainingSpan, training_span, warm_up_ms
from engine.training_job import PROGRESS_FILE
from features.feature_engineering import COLUMNS, OWN_COLUMNS, OWN_WARMUP, SCALE, add_market, definition_hash
from market.errors import ModelError
from market.intervals import DAY_MS
from market.predictions import Origin, Prediction, Reason
from models.fit_memory import FitMemory
from models.panel import Panel
from models.training import TrainedHorizon, TrainingSettings, train_horizon
from utils.file_operations import write_atomically
from utils.logs import set_up_logging
from utils.processes import lower_priority

logger = logging.getLogger(__name__)

REPLAYED_ROWS = 120_000  # of all symbols and horizons together: about 50 MB on disk
MIN_REPLAYED_CANDLES = 320  # of each symbol, where there are that many
MAX_REPLAYED_SHARE = 0.6  # of the history: the rest is what the first fold learns from
ROWS_A_FIT = 20_000  # chosen evenly over symbols and time


class Progress:
    """Tells step, share and time left in a file that the engine and a shell can read."""

    def __init__(self, path: Path, total: int) -> None:
        """Count up to `total` steps."""
        self._path = path
        self._total = total
        self._done = 0
        self._text = ""
        self._started_s = time.monotonic()
        self.failures: list[str] = []

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._text = text
        self._write(text, self._done)
        self._done += 1

    def part(self, done: int, total: int) -> None:
        """Tell how much of the step that goes on is done."""
        self._write(self._text, self._done - 1 + done / total)

    def end(self) -> None:
        """Tell that all steps are done, and what failed on the way."""
        self._write("done", self._done)

    def _write(self, text: str, done: float) -> None:
        passed_s = time.monotonic() - self._started_s
        eta_s = passed_s / done * (self._total - done) if done else None
        state = {
            "step": text,
            "done": round(done, 2),
            "total": self._total,
            "eta_s": None if eta_s is None else round(eta_s, 1),
            "failure": "; ".join(self.failures) or None,
        }
        write_atomically(self._path, json.dumps(state).encode())


class Training:
    """One training of all horizons of one market."""

    def __init__(
        self,
        config: Config,
        market: str,
        venue: str,
        market_ms: int,
        horizons: Sequence[str] = (),
        threads: int = 1,
    ) -> None:
        """Train on what the database of `venue` holds up to market time `market_ms`; `horizons` in turn, none: all."""
        self._config = config
        self._venue = venue
        self._threads = threads
        self._span = training_span(config, market_ms)
        self._market_ms = market_ms
        engine = open_database(config.INSTANCE_DIR / f"{venue}.db")
        self._candles = CandleStore(engine, config.INTERVAL)
        self._ledger = PredictionStore(engine, market, config.INTERVAL, COLUMNS)
        self._adaptations = AdaptationStore(engine, config.INTERVAL)
        self._models = ModelStore(config.SAVED_MODELS_DIR, config.INSTANCE_DIR / KEY_FILE)
        self._horizons = [Horizon(name, config.horizon_ms[name]) for name in horizons or config.horizons]
        roles = ChampionStore(engine, config.INTERVAL).roles().values()
        self._wanted = {model for one in roles for model in one.models()}
        self._progress = Progress(config.INSTANCE_DIR / "run" / PROGRESS_FILE, len(self._horizons) + 3)

    def run(self) -> list[str]:
        """Do it all; return what failed, in sentences. Models that were saved before a failure stay."""
        self._progress.step("computing features")
        panel = build_panel(self._config, self._candles, self._span)
        replay_candles = self._replay_candles(panel)
        memory = FitMemory(panel, FitShelf(self._config.INSTANCE_DIR / "fits"))
        trained = []
        for horizon in self._horizons:
            self._progress.step(f"training {horizon.name}")
            try:
                trained.append((horizon, self._train(panel, horizon, replay_candles, memory)))
            except ModelError as error:
                logger.warning("horizon not trained horizon=%s reason=%s", horizon.name, error)
                self._progress.failures.append(str(error))
        self._progress.step("writing the replayed record")
        self._replay(panel, dict(trained), replay_candles)
        self._progress.step("scoring the replayed record")
        self._ledger.score(self._market_ms)
        self._progress.end()
        return self._progress.failures

    def _train(self, panel: Panel, horizon: Horizon, replay_candles: int, memory: FitMemory) -> TrainedHorizon:
        candles = horizon.length_ms // self._config.interval_ms
        settings = training_settings(self._config, replay_candles, self._threads)
        trained = train_horizon(
            panel, self._config.INTERVAL, horizon.name, candles, settings, self._progress.part, memory
        )
        span = (self._span.start_ms, self._span.cut_ms)
        first, last = np.searchsorted(panel.open_ms, trained.training_ms)
        days = panel.open_ms[first : last + 1] // DAY_MS
        spread = spread_of(panel.features[:, first : last + 1], days)
        self._models.save(trained, self._venue, span, definition_hash(), self._wanted, spread)
        return trained

    def _replay_candles(self, panel: Panel) -> int:
        """Return for how many of the last candles walk-forward predictions are wanted."""
        length = len(panel.open_ms)
        affordable = REPLAYED_ROWS // max(1, len(panel.symbols) * len(self._config.horizons))
        return min(length, max(MIN_REPLAYED_CANDLES, min(affordable, int(length * MAX_REPLAYED_SHARE))))

    def _replay(self, panel: Panel, trained: dict[Horizon, TrainedHorizon], replay_candles: int) -> None:
        """Write one row for each symbol, horizon and candle of the replayed region that lies before the live record."""
        first_live_ms = self._ledger.first_live_ms()
        end = len(panel.open_ms)
        if first_live_ms is not None:
            end = int(np.searchsorted(panel.open_ms, first_live_ms))
        region = range(max(0, len(panel.open_ms) - replay_candles), end)
        if not trained or not len(region):
            return
        for horizon, one in trained.items():
            self._adaptations.begin(horizon.name, panel.symbols, one.adaptation)
        chunk = max(1, 6_000 // (len(panel.symbols) * len(self._horizons)))
        for start in range(region.start, region.stop, chunk):
            times = range(start, min(start + chunk, region.stop))
            rows = [
                row for horizon in self._horizons for row in self._rows(panel, horizon, trained.get(horizon), times)
            ]
            self._ledger.add_replayed(rows, list(_inputs(panel, times)))

    def _rows(
        self, panel: Panel, horizon: Horizon, trained: TrainedHorizon | None, times: range
    ) -> Iterator[Prediction]:
        span = Span(self._config.INTERVAL, self._config.interval_ms, horizon)
        for at in times:
            fold = next((fold for fold in trained.folds if fold.first <= at <= fold.last), None) if trained else None
            open_ms = int(panel.open_ms[at])
            said = all_figures(fold.scores.at((slice(None), at - fold.first))) if fold else [None] * len(panel.symbols)
            for index, (symbol, figures) in enumerate(zip(panel.symbols, said, strict=True)):
                price = float(panel.close[index, at])
                if not np.isfinite(price):
                    continue
                is_warm = bool(np.isfinite(panel.features[index, at]).all())
                reason = None if figures else Reason.MODEL_MISSING if is_warm else Reason.TOO_FEW_CANDLES
                served = None
                if fold and trained and figures:
                    served = ServedHorizon(fold.model_id, trained.model.coverage, open_ms + MODEL_LIFE_MS)
                case = Case(symbol, open_ms, price, span, self._config.cost_bps, Origin.REPLAYED)
                yield prediction_of(case, figures, served, reason)


def training_settings(config: Config, replay_candles: int, threads: int) -> TrainingSettings:
    """Return how the house trains under these settings, walking forward over so many candles."""
    return TrainingSettings(
        replay_candles=replay_candles,
        max_rows=ROWS_A_FIT,
        threads=threads,
        cost_bps=config.cost_bps,
    )


def spare_threads() -> int:
    """Return how many threads long work may use beside a live loop: half of the processors, at least one."""
    return max(1, int(cpu_count()) // 2)


def build_panel(config: Config, store: CandleStore | CandleTables, span: TrainingSpan) -> Panel:
    """Return the features and closes on the span's grid of every symbol that is still followed.

    One whose candles have ended a day before the span does is no part of the market that is predicted: with it the
    columns of the whole market would be others than those that are asked about.
    """
    length_ms = config.interval_ms
    first_ms = span.start_ms - length_ms  # a row is told of the market one candle before
    grid = np.arange(first_ms, span.cut_ms, length_ms)
    processor = DataProcessor(cache_size=1)  # every stretch is asked for once
    tables = {}
    for symbol in sorted(store.newest()):
        candles = store.load(symbol, span.start_ms - warm_up_ms(config), span.cut_ms)
        if len(candles) and candles["open_ms"][-1] >= max(span.start_ms, span.cut_ms - DAY_MS - length_ms):
            tables[symbol] = candles
    features = np.full((len(tables), len(grid), len(COLUMNS)), np.nan)
    close = np.full((len(tables), len(grid)), np.nan)
    for index, candles in enumerate(tables.values()):
        rows = _warm_rows(candles, length_ms, processor)
        inside = candles["open_ms"] >= first_ms
        places = (candles["open_ms"][inside] - first_ms) // length_ms
        features[index, places, : len(OWN_COLUMNS)] = rows[inside]
        close[index, places] = candles["close"][inside]
    add_market(features)
    return Panel(tuple(tables), COLUMNS, SCALE, grid[1:], features[:, 1:], close[:, 1:])


def _warm_rows(candles: np.ndarray, length_ms: int, processor: DataProcessor) -> np.ndarray:
    """Return the own columns of each candle; nan until a stretch without a hole is warm, as in the live loop."""
    breaks = np.flatnonzero(np.diff(candles["open_ms"]) != length_ms) + 1
    parts = []
    for stretch in np.split(candles, breaks):
        rows = processor.features(stretch, length_ms).copy()
        rows[: OWN_WARMUP - 1] = np.nan
        parts.append(rows)
    return np.concatenate(parts)


def _inputs(panel: Panel, times: range) -> Iterator[Inputs]:
    for time_index in times:
        open_ms = int(panel.open_ms[time_index])
        for index, symbol in enumerate(panel.symbols):
            if np.isfinite(panel.close[index, time_index]):
                yield Inputs(symbol, open_ms, panel.features[index, time_index])


def main(arguments: list[str] | None = None) -> int:
    """Train once; exit code 0 even when some horizon has too little history, which the progress file says."""
    parser = argparse.ArgumentParser(prog="python -m engine.trainer", description="Train all horizons once and leave.")
    parser.add_argument("--market", required=True, choices=("binance", "simulated"))
    parser.add_argument("--venue", required=True, help="names the database in INSTANCE_DIR")
    parser.add_argument("--market-ms", required=True, type=int, help="the exchange's time now, in milliseconds")
    parser.add_argument("--horizons", help="comma list, trained in this order; all by default")
    parser.add_argument("--beside-loop", action="store_true", help="at low priority, on half of the processors")
    options = parser.parse_args(arguments)
    config = config_or_exit()
    horizons = options.horizons.split(",") if options.horizons else []
    if unknown := set(horizons) - set(config.horizons):
        parser.error(f"--horizons names {', '.join(sorted(unknown))}; HORIZONS has {', '.join(config.horizons)}")
    set_up_logging(config.LOG_LEVEL, is_json=False, secrets=config.secrets, kept=config.log_file("trainer"))
    if options.beside_loop:
        lower_priority()
    threads = spare_threads() if options.beside_loop else int(cpu_count())
    Training(config, options.market, options.venue, options.market_ms, horizons, threads).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
