import gc
import threading

import pytest

from data.binance_client import _client_class
from data.binance_feed import BinanceFeed
from data.binance_rest import BinanceRest
from tests.data.loopback_exchange import INTERVAL, LoopbackExchange, candle

_client_class()  # the library warns where it is imported first: here, and not in a thread of a test


@pytest.fixture
def exchange():
    exchange = LoopbackExchange()
    yield exchange
    exchange.stop()


class HandClock:
    """The market's clock as the test moves it (`exchange.market_ms`), with what the exchange has stated of it."""

    speed = 1.0

    def __init__(self, exchange):
        self.exchange, self.stated_ms = exchange, 0

    def now_ms(self):
        return self.exchange.market_ms

    def observe(self, remote_ms, sent_seconds, received_seconds):
        self.observe_event(remote_ms)

    def observe_event(self, remote_ms):
        self.stated_ms = max(self.stated_ms, remote_ms)


@pytest.fixture
def rest(exchange):
    rest = BinanceRest(exchange.rest_url, clock=HandClock(exchange))
    yield rest
    rest.close()


class Harvest:
    """Takes slots as the engine does, on a thread of its own, and lets a test wait for what came."""

    def __init__(self, feed):
        self.feed = feed
        self.candles = []
        self.repaired = set()
        self.gaps = []
        self.idle_slots = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self):
        for slot in self.feed.slots(idle_seconds=0.05):
            with self._changed:
                self.candles += slot.candles
                self.gaps += slot.gaps
                self.repaired |= {(symbol, slot.candles[0].open_ms) for symbol in slot.repaired}
                self.idle_slots += not slot.candles
                self._changed.notify_all()

    def of(self, symbol):
        return [candle for candle in self.candles if candle.symbol == symbol]

    def wait_for(self, condition, seconds=30.0):
        """Wait until `condition()` holds, looking after each slot; idle slots come 20 times a second."""
        with self._changed:
            if not self._changed.wait_for(condition, seconds):
                raise AssertionError(f"waited in vain; feed: {self.feed.status()}")

    def join(self):
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def run_feed(exchange, rest):
    """Return a function that starts a feed from the newest candle known, and gives it with its harvest."""
    feeds = []

    def run(last_number=None, interval=INTERVAL, **options):
        if last_number is not None:
            rest.server_time_ms()
        feed = BinanceFeed(exchange.stream_url, rest, list(exchange.symbols), interval, **options)
        harvest = Harvest(feed)
        feeds.append((feed, harvest))
        known = {} if last_number is None else dict.fromkeys(exchange.symbols, candle(last_number).open_ms)
        feed.start(known)
        return feed, harvest

    yield run
    for feed, harvest in feeds:
        feed.stop()
        assert not feed._thread.is_alive()  # it would go on into later tests
        harvest.join()
    gc.collect()  # what one left open is told here, and not in the middle of a later test
