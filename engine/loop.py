"""The heart: closed candles in, durable predictions out."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from data.adaptation_store import Adaptations, AdaptationStore
from data.candle_store import CandleStore
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from data.slots import Slot
from engine.forecaster import FeatureBoard, Forecaster, Rows, inputs_of
from engine.patience import Patience
from market.candles import Candle
from market.predictions import Prediction
from utils.datagrams import Postman
from utils.performance_monitor import performance_monitor

MOST_UNSETTLED = 8  # slots, then their rows are settled even if no pause comes


class Feed(Protocol):
    """Whatever hands out closed candles: the live feed, or candles of a test."""

    def slots(self) -> Iterator[Slot]:
        """Yield what closed since the last look; empty slots keep the loop awake."""
        ...


Follower = Callable[[Rows, Sequence[Prediction], Adaptations], None]  # the last: with which they were made


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the loop writes."""

    candles: CandleStore
    predictions: PredictionStore
    gaps: GapStore
    adaptations: AdaptationStore


class Loop:
    """Append, step, predict, publish, score: for every candle, in this order."""

    def __init__(
        self,
        feed: Feed,
        stores: Stores,
        board: FeatureBoard,
        forecaster: Forecaster,
        postman: Postman,
        patience: Patience,
        market_ms: Callable[[], int],
        interval_ms: int,
        followers: Sequence[Follower] = (),
    ) -> None:
        """Run on `feed`; `market_ms` tells the exchange's time; `followers` hear, in a pause, what was published."""
        self._feed = feed
        self._stores = stores
        self._board = board
        self._forecaster = forecaster
        self._postman = postman
        self._patience = patience
        self._market_ms = market_ms
        self._interval_ms = interval_ms
        self._followers = followers
        self._untold: list[tuple[Rows, list[Prediction], Adaptations]] = []
        self.version = stores.predictions.version()
        self._unsettled = 0  # slots whose candles and predictions wait for their place in the tables
        self._newest_close_ms = 0

    def run(self, between: Callable[[], None], stopped: Callable[[], Collection[str]]) -> None:
        """Follow the feed until it ends; `between` is called after every slot, empty ones too.

        What the disk refuses is done again until it takes it; the feed's slots wait meanwhile.
        """
        for slot in self._feed.slots():
            if slot.candles:
                self._patience.until_done(self._stores.candles.append, slot.candles)
                self._take(slot.candles)
            if self._unsettled and (not slot.candles or self._unsettled >= MOST_UNSETTLED):
                self._settle(stopped())
            if slot.gaps:
                self._patience.until_done(self._stores.gaps.keep, slot.gaps)
            between()
        if self._unsettled:
            self._settle(stopped())

    def catch_up(self, symbols: Sequence[str], open_ms: int) -> None:
        """Publish what was not said yet of candles that closed while nobody listened; they are in the store."""
        tables = {name: self._stores.candles.load(name, open_ms, open_ms + self._interval_ms) for name in symbols}
        if closed := [Candle(name, *row) for name, table in tables.items() for row in table.tolist()]:
            self._take(closed)

    def _take(self, candles: Sequence[Candle]) -> None:
        for rows in self._board.step(candles):
            self._publish(rows)
        self._unsettled += 1
        self._newest_close_ms = max(self._newest_close_ms, candles[0].open_ms + self._interval_ms)

    @performance_monitor.timed("publish")
    def _publish(self, rows: Rows) -> None:
        # Published an interval late or more, it is no prediction: what happened next is known.
        late_ms = rows.candles[0].open_ms + 2 * self._interval_ms

        def is_timely() -> bool:
            return self._market_ms() < late_ms

        if not is_timely():
            return
        predictions, inputs = self._forecaster.predict(rows, self._interval_ms), inputs_of(rows)
        published = self._patience.until_done(self._stores.predictions.publish, predictions, inputs, is_timely)
        self.version = published.version
        for version, items in published.parts():
            self._postman.send(event_bytes("prediction", version, {"version": version, "items": items}))
        if published.told:
            self._untold.append((rows, predictions, self._forecaster.adaptations))

    def _settle(self, stopped: Collection[str]) -> None:
        """Do what could wait until the predictions of a close were published."""
        self._patience.until_done(self._stores.candles.settle)
        self._score(stopped)
        self._tell()
        self._unsettled = 0

    @performance_monitor.timed("follow")
    def _tell(self) -> None:
        """Let the followers take in what was published since the last pause."""
        for published in self._untold:
            for follow in self._followers:
                follow(*published)
        self._untold.clear()

    @performance_monitor.timed("score")
    def _score(self, stopped: Collection[str]) -> None:
        self._patience.until_done(self._stores.predictions.score, self._newest_close_ms, stopped)
        self.version = self._stores.predictions.version()
        self._forecaster.adaptations = self._stores.adaptations.load()


def event_bytes(event: str, version: int, data: dict[str, Any]) -> bytes:
    """Return one event as the web workers take it in."""
    return msgspec.json.encode({"event": event, "version": version, "data": data})
