"""The heart: closed candles in, durable predictions out."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from data.candle_store import CandleStore
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from data.slots import Slot
from engine.forecaster import FeatureBoard, Forecaster, Rows, inputs_of
from market.candles import Candle
from utils.datagrams import Postman
from utils.performance_monitor import performance_monitor

logger = logging.getLogger(__name__)


class Feed(Protocol):
    """Whatever hands out closed candles: the live feed, or candles of a test."""

    def slots(self) -> Iterator[Slot]:
        """Yield what closed since the last look; empty slots keep the loop awake."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the loop writes."""

    candles: CandleStore
    predictions: PredictionStore
    gaps: GapStore


class Loop:
    """Append, step, predict, publish, score: for every candle, in this order."""

    def __init__(
        self,
        feed: Feed,
        stores: Stores,
        board: FeatureBoard,
        forecaster: Forecaster,
        postman: Postman,
        market_ms: Callable[[], int],
        interval_ms: int,
    ) -> None:
        """Run on `feed`; `market_ms` tells the exchange's time."""
        self._feed = feed
        self._stores = stores
        self._board = board
        self._forecaster = forecaster
        self._postman = postman
        self._market_ms = market_ms
        self._interval_ms = interval_ms
        self.version = stores.predictions.version()

    def run(self, between: Callable[[], None], stopped: Callable[[], Collection[str]]) -> None:
        """Follow the feed until it ends; `between` is called after every slot, empty ones too."""
        for slot in self._feed.slots():
            if slot.candles:
                self._stores.candles.append(slot.candles)
                for rows in self._board.step(slot.candles):
                    self._publish(rows)
                self._score(slot.candles, stopped())
            if slot.gaps:
                self._stores.gaps.keep(slot.gaps)
            between()

    @performance_monitor.timed("publish")
    def _publish(self, rows: Rows) -> None:
        if rows.candles[0].open_ms + 2 * self._interval_ms <= self._market_ms():
            return  # learned an interval late or more: what happened next is known, so it is no prediction
        predictions = self._forecaster.predict(rows, self._interval_ms)
        published = self._stores.predictions.publish(predictions, inputs_of(rows))
        self.version = published.version
        for version, items in published.parts():
            self._postman.send(event_bytes("prediction", version, {"version": version, "items": items}))

    @performance_monitor.timed("score")
    def _score(self, candles: Sequence[Candle], stopped: Collection[str]) -> None:
        newest_close_ms = max(candle.open_ms for candle in candles) + self._interval_ms
        if self._stores.predictions.score(newest_close_ms, stopped):
            self.version = self._stores.predictions.version()


def event_bytes(event: str, version: int, data: dict[str, Any]) -> bytes:
    """Return one event as the web workers take it in."""
    return msgspec.json.encode({"event": event, "version": version, "data": data})
