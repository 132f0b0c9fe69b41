"""Put the engine's rooms together: exchange, history, features, models, ledger, and what tells of them."""

import logging
import threading
import time
from typing import Any

import msgspec

from config import Config
from data.adaptation_store import AdaptationStore
from data.binance_feed import BinanceFeed
from data.binance_rest import BinanceRest
from data.candle_store import CandleStore
from data.damage import heal
from data.database import open_database
from data.explanation_store import ExplanationStore
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from data.retention import let_go
from data.symbol_choice import select_symbols
from engine.explainer import Explainer
from engine.forecaster import FeatureBoard, Forecaster, Horizon
from engine.health import Health, State
from engine.history import fetch_history, kept_from_ms
from engine.late_scoring import LateScoring
from engine.loop import Loop, Stores
from engine.patience import Patience
from engine.sealing_job import SealingJob
from engine.serving import Serving
from engine.source import Source, house_environment, sealer_command
from engine.tools import Upkeep
from features.feature_engineering import COLUMNS, WARMUP
from market.errors import ConfigError, MarketError, SourceUnavailable
from market.intervals import HOUR_MS, floor_to
from market.symbols import Symbol
from utils.datagrams import Postman
from utils.file_operations import write_atomically
from utils.resilience import Backoff

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 1.0  # then the page says what is waited for
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 1.5  # between two looks for an exchange that does not answer
_CONNECTING: State = {
    "state": "connecting",
    "last_message_mono_s": None,
    "lag_s": None,
    "conflated": 0,
    "reconnects": 0,
    "renewals": 0,
    "gaps_found": 0,
    "gaps_repaired": 0,
    "rejected_rows": 0,
    "rejected_by_reason": {},
}
_UNHEARD: State = {
    "state": "stale",
    "reason": "the feed has not begun",
    "last_candle_open_ms": None,
    "last_message_mono_s": None,
    "price": None,
    "change_24h_percent": None,
}


class House:
    """The engine of one market, from the first heartbeat to the last."""

    def __init__(self, config: Config, source: Source) -> None:
        """Open what is on disk; nothing is asked of the exchange yet."""
        self._config = config
        self._source = source
        path = config.INSTANCE_DIR / f"{source.venue}.db"
        heal(path)
        self._engine = open_database(path, patience_seconds=_LOCK_SECONDS)
        self._candles = CandleStore(self._engine, config.INTERVAL)
        self._ledger = PredictionStore(self._engine, source.market, config.INTERVAL, COLUMNS)
        self._adaptations = AdaptationStore(self._engine, config.INTERVAL)
        self._rest = BinanceRest(source.rest_url)
        self._postman = Postman(config.INSTANCE_DIR / "run" / "live")
        self._serving = Serving(config, source, self._engine)
        self._symbols_path = config.INSTANCE_DIR / f"{source.venue}.symbols.json"
        self._know(self._known_symbols())
        self._feed: BinanceFeed | None = None
        self._board: FeatureBoard | None = None
        self._loop: Loop | None = None
        self._note: str | None = "looking for the exchange"
        self._fetching: dict[str, float | None] | None = None
        self._is_over = threading.Event()
        self._patience = Patience(self._is_over)
        self._upkeep = Upkeep()
        self._late = LateScoring(
            self._engine, source.market, config.INTERVAL, self._rest, self._patience, self._is_over
        )
        self._let_go_at_ms = 0
        self._beaten_version = 0
        self._sealing = SealingJob(house_environment())
        self._health = Health(config.INSTANCE_DIR / "run", self._postman, self._describe)

    def run(self) -> None:
        """Do everything until `stop`; a wrong setting raises ConfigError."""
        self._health.start()
        try:
            self._patience.until_done(self._candles.settle)
            self._patience.until_done(self._ledger.settle)
            self._connect()
            if not self._is_over.is_set():
                self._follow()
        except SourceUnavailable:
            if not self._is_over.is_set():  # else it was stopped while it waited for the disk
                raise
        finally:
            self._serving.stop()
            self._sealing.stop()
            if self._feed is not None:
                self._feed.stop()
            self._rest.close()
            self._health.stop()
            self._postman.close()

    def stop(self) -> None:
        """End the run soon, whatever it waits for; from any thread but the one in `run`, so not in a signal handler."""
        self._is_over.set()
        self._rest.budget.close()
        if self._feed is not None:
            self._feed.stop()

    def _connect(self) -> None:
        """Choose the symbols and fetch their history, as often as it takes."""
        backoff = Backoff(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, floor_seconds=_FIRST_WAIT_SECONDS)
        while not self._is_over.is_set():
            try:
                self._rest.server_time_ms()
                self._know(select_symbols(self._rest, self._config.SYMBOLS))
                self._keep_symbols()
                self._fetch_history()
            except ConfigError:
                raise
            except MarketError as error:
                if not backoff.failures:
                    logger.warning("exchange not ready reason=%s", error)
                self._note = str(error)
                self._is_over.wait(backoff.next_seconds())
            else:
                return

    def _fetch_history(self) -> None:
        names = [symbol.name for symbol in self._symbols]
        began_s = time.monotonic()

        def tell(done: int, total: int) -> None:
            self._note = f"fetching the history, {done} of {total} pages"
            eta_s = (time.monotonic() - began_s) / done * (total - done) if done else None
            self._fetching = {"done": done, "total": total, "eta_s": eta_s}

        self._note = "fetching the history"
        market_ms = self._rest.clock.now_ms()
        filled = fetch_history(
            self._config, self._rest, self._candles, names, market_ms, tell, self._is_over, self._patience
        )
        if filled.candles:
            logger.info("history fetched candles=%d seconds=%.1f", filled.candles, filled.seconds)

    def _follow(self) -> None:
        """Warm up, then follow the feed until it is stopped."""
        config, names = self._config, [symbol.name for symbol in self._symbols]
        self._note, self._fetching = "warming up", None
        last_ms = floor_to(self._rest.clock.now_ms(), config.interval_ms) - config.interval_ms
        self._board = FeatureBoard(names, self._candles, config.interval_ms, last_ms)
        horizons = [Horizon(name, length_ms) for name, length_ms in config.horizon_ms.items()]
        forecaster = Forecaster(self._serving.predictor, config.INTERVAL, horizons, config.cost_bps)
        self._serving.refresh(self._rest.clock.now_ms())
        forecaster.served = self._serving.served
        self._patience.until_done(self._ledger.score, self._rest.clock.now_ms(), ())
        forecaster.adaptations = self._adaptations.load()
        self._feed = BinanceFeed(self._source.stream_url, self._rest, names, config.INTERVAL, WARMUP)
        loop = self._loop = Loop(
            self._feed,
            Stores(self._candles, self._ledger, GapStore(self._engine, config.INTERVAL), self._adaptations),
            self._board,
            forecaster,
            self._postman,
            self._patience,
            self._rest.clock.now_ms,
            config.interval_ms,
            [
                Explainer(self._serving.load, ExplanationStore(self._engine, config.INTERVAL)).explain,
                self._serving.follow,
            ],
        )
        loop.catch_up(names, last_ms)
        self._feed.start(self._board.newest(), self._board.holes())
        if self._is_over.is_set():
            return
        self._note = None
        loop.run(lambda: self._between(loop, forecaster), self._stopped)

    def _between(self, loop: Loop, forecaster: Forecaster) -> None:
        """Look after models, memory and the disk between two slots."""
        if loop.version != self._beaten_version:  # who was told of a close looks at the page now
            self._beaten_version = loop.version
            self._health.beat_soon()
        market_ms = self._rest.clock.now_ms()
        self._serving.tend(market_ms)
        self._tend_oldest(market_ms)
        self._late.tend(market_ms, self._symbols, self._stopped)
        if forecaster.served is not self._serving.served:
            forecaster.served, forecaster.adaptations = self._serving.served, self._adaptations.load()
        self._upkeep.tend()

    def _tend_oldest(self, market_ms: int) -> None:
        """Once an hour, let go of the oldest rows of a made-up market; the real one's candles are sealed by a child."""
        before_ms = kept_from_ms(self._config, market_ms)
        if self._source.market != "simulated":
            self._sealing.tend(market_ms, sealer_command(self._source, before_ms))
        elif market_ms >= self._let_go_at_ms:
            self._let_go_at_ms = market_ms + HOUR_MS
            names = [symbol.name for symbol in self._symbols]
            self._patience.until_done(let_go, self._engine, self._config.INTERVAL, names, before_ms)

    def _stopped(self) -> list[str]:
        if self._feed is None:
            return []
        return [entry["symbol"] for entry in self._feed.status()["symbols"] if entry["state"] == "closed"]

    # what the heartbeat says

    def _describe(self) -> State:
        clock, market_ms = self._rest.clock, self._rest.clock.now_ms()
        # Read before the feed: a version is never told without the candles it was made from.
        version = self._loop.version if self._loop else self._ledger.version()
        feed = {**_CONNECTING, **(self._feed.status() if self._feed else {})}
        states = {entry["symbol"]: entry for entry in feed.pop("symbols", [])}
        if self._feed is None and self._rest.is_refused:
            feed["state"] = "down"
        return {
            "market": self._source.market,
            "venue": self._source.venue,
            "interval": self._config.INTERVAL,
            "horizons": self._config.horizons,
            "speed": clock.speed if clock.stated_ms else self._source.speed,
            "market_ms": market_ms,
            "ahead_ms": market_ms - time.time_ns() // 1_000_000 if clock.stated_ms else None,
            "version": version,
            "cost_bps": self._config.cost_bps,
            "feed": {
                **feed,
                "weight_used_1m": self._rest.budget.used,
                "weight_limit_1m": self._rest.budget.limit,
            },
            "symbols": [{**states.get(facts["symbol"], _UNHEARD), **facts} for facts in self._facts],
            "training": self._serving.training(),
            "fetching": self._fetching,
            "models": self._serving.described(),
            "sealing": {"is_running": self._sealing.is_running, "failure": self._sealing.failure},
            "note": self._note or self._serving.note,
            "fault": self._patience.fault,
        }

    def _know(self, symbols: list[Symbol]) -> None:
        self._symbols = symbols
        self._facts = [_facts_of(symbol) for symbol in symbols]  # said twice a second

    # symbols of the last run, so that a start without an exchange still shows its board

    def _known_symbols(self) -> list[Symbol]:
        try:
            return msgspec.json.decode(self._symbols_path.read_bytes(), type=list[Symbol])
        except (OSError, msgspec.MsgspecError):
            return []

    def _keep_symbols(self) -> None:
        try:
            write_atomically(self._symbols_path, msgspec.json.encode(self._symbols))
        except OSError as error:
            logger.warning("symbols not kept reason=%s", error.strerror)


def _facts_of(symbol: Symbol) -> State:
    """Return what does not change about a symbol."""
    return {
        "symbol": symbol.name,
        "base": symbol.base,
        "quote": symbol.quote,
        "status": symbol.status,
        "price_digits": symbol.price_digits,
        "tick": _text(symbol.tick),
        "step": _text(symbol.step),
        "min_notional": _text(symbol.min_notional),
    }


def _text(value: Any) -> str | None:
    return None if value is None else f"{value.normalize():f}"
