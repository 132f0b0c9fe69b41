"""Events that no candle decides."""

import json

import numpy as np
import pytest

from simulator.coins import EPOCH_MS
from simulator.exchange import Exchange
from simulator.generated_tape import GeneratedTape
from simulator.klines import KLINES
from simulator.market_clock import MarketClock
from simulator.market_model import market_model
from simulator.messages import aggregate_trade
from simulator.tickers import trade_ids

START_MS = EPOCH_MS + 400 * 86_400_000


@pytest.mark.parametrize("step_ms", [1_000, 60_000, 3_600_000])
def test_takers_buy_and_sell_at_any_speed_and_their_ids_grow(step_ms):
    exchange = Exchange(GeneratedTape(market_model(seed=1, count=3)), MarketClock(START_MS, speed=60))

    trades = [json.loads(aggregate_trade(exchange, "BTCUSDT", START_MS + n * step_ms)(1)) for n in range(60)]

    ids = [trade["a"] for trade in trades]
    assert ids == sorted(set(ids))
    assert 15 < sum(trade["m"] for trade in trades) < 45


def test_a_trade_has_an_id_of_its_minute():
    exchange = Exchange(GeneratedTape(market_model(seed=1, count=3)), MarketClock(START_MS, speed=60))
    minutes = np.zeros(2, dtype=KLINES)
    minutes["open_ms"], minutes["trades"] = (START_MS, START_MS + 60_000), 1

    trade = json.loads(aggregate_trade(exchange, "BTCUSDT", START_MS + 59_999)(1))

    assert trade_ids(minutes[:1])[0] <= trade["f"] < trade_ids(minutes[1:])[0]
