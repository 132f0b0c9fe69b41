"""Score what no candle of the feed brings to an end: imported signals, and rows of symbols that have left the list."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Engine

from data.binance_rest import BinanceRest
from data.candle_store import CandleStore
from data.foreign_store import ForeignStore
from data.left_rows import fetch_wanted, wanted_candles
from data.prediction_store import PredictionStore
from data.weight_budget import Priority
from engine.patience import Patience
from market.errors import MarketError
from market.intervals import HOUR_MS, interval_ms
from market.symbols import Symbol

logger = logging.getLogger(__name__)


class LateScoring:
    """Looks after these rows on behalf of the loop's thread; the exchange is asked on one of its own."""

    def __init__(
        self,
        engine: Engine,
        market: str,
        interval: str,
        rest: BinanceRest,
        patience: Patience,
        is_over: threading.Event,
    ) -> None:
        """Ask nothing yet."""
        self._engine = engine
        self._interval = interval
        self._rest = rest
        self._patience = patience
        self._is_over = is_over
        self._candles = CandleStore(engine, interval)
        self._ledger = PredictionStore(engine, market, interval)
        self._foreign = ForeignStore(engine, market, interval)
        self._foreign_at_ms = self._left_at_ms = 0
        self._fetching: threading.Thread | None = None
        self._fetched: tuple[int, list[str]] | None = None  # when it was asked, and who trades no more

    def tend(self, market_ms: int, followed: Sequence[Symbol], stopped: Callable[[], Collection[str]]) -> None:
        """Score imported signals once a candle and rows of symbols not `followed` once an hour; call it often.

        `stopped`: asks for the followed symbols that no longer trade.
        """
        if market_ms >= self._foreign_at_ms:
            self._foreign_at_ms = market_ms + interval_ms(self._interval)
            if self._foreign.has_open():
                self._patience.until_done(self._foreign.score, market_ms, stopped())
        if self._fetching is not None and not self._fetching.is_alive():
            self._fetching = None
            self._score_left()
        if self._fetching is None and market_ms >= self._left_at_ms:
            self._left_at_ms = market_ms + HOUR_MS
            self._fetch_left(market_ms, [symbol.name for symbol in followed])

    def _fetch_left(self, market_ms: int, followed: list[str]) -> None:
        wanted = wanted_candles(self._engine, self._interval, followed, market_ms)
        if wanted:
            self._fetching = threading.Thread(target=self._fetch, args=(market_ms, wanted), name="left", daemon=True)
            self._fetching.start()

    def _fetch(self, market_ms: int, wanted: dict[str, list[int]]) -> None:
        try:
            count = fetch_wanted(self._rest, self._candles, self._interval, wanted, self._is_over)
            trading = {symbol.name for symbol in self._rest.exchange_symbols(Priority.BACK_FILL) if symbol.is_trading}
        except MarketError as error:
            logger.warning("outcomes not fetched symbols=%s reason=%s", ",".join(wanted), error)
            return
        finally:
            self._rest.release()
        if self._is_over.is_set():  # a fetch that was cancelled has no answer for some
            return
        logger.info("outcomes fetched of symbols no longer followed symbols=%s candles=%d", ",".join(wanted), count)
        self._fetched = market_ms, [symbol for symbol in wanted if symbol not in trading]

    def _score_left(self) -> None:
        """Score what was fetched; what is due since it was asked for waits for the next time."""
        if self._fetched is not None:
            market_ms, stopped = self._fetched
            self._patience.until_done(self._ledger.score, market_ms, stopped)
            self._patience.until_done(self._foreign.score, market_ms, stopped)
            self._fetched = None
