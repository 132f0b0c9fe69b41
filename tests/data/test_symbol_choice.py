import json

import pytest

from data.symbol_choice import select_symbols
from market.errors import ConfigError, DataError
from tests.data.loopback_exchange import LoopbackExchange


@pytest.fixture
def exchange():
    exchange = LoopbackExchange(["BTCUSDT", "ETHUSDT", "SOLUSDT", "ETHBTCX"])
    yield exchange
    exchange.stop()


def names(symbols):
    return [symbol.name for symbol in symbols]


def test_takes_the_most_traded_usdt_pairs_that_trade(exchange, rest):
    exchange.symbols["ETHUSDT"] = "HALT"

    assert names(select_symbols(rest, "top:50")) == ["BTCUSDT", "SOLUSDT"]
    assert names(select_symbols(rest, " TOP:1 ")) == ["BTCUSDT"]


def test_takes_a_list_in_its_order_and_each_once(exchange, rest):
    exchange.symbols["BTCUSDT"] = "HALT"

    assert names(select_symbols(rest, "solusdt, BTCUSDT,,solusdt")) == ["SOLUSDT", "BTCUSDT"]


def test_names_every_unknown_symbol(exchange, rest):
    with pytest.raises(ConfigError, match="the exchange has no NOSUCH, NEITHER"):
        select_symbols(rest, "BTCUSDT,NOSUCH,NEITHER")


@pytest.mark.parametrize("pairs", [[], [{"symbol": "BTCUSDT", "filters": None}, {"symbol": "ETHUSDT"}]])
def test_a_damaged_list_of_pairs_is_no_fault_of_the_setting(exchange, rest, pairs):
    whole = exchange._pair("ETHUSDT")
    body = json.dumps({"symbols": [{**whole, **pair} for pair in pairs]}).encode()
    exchange.answers["exchangeInfo"].append((200, body, {}))

    with pytest.raises(DataError, match="damaged, without BTCUSDT"):
        select_symbols(rest, "BTCUSDT")

    assert names(select_symbols(rest, "BTCUSDT")) == ["BTCUSDT"]


@pytest.mark.parametrize("setting", ["", " , ", "top:", "top:0", "top:-3", "top:many", "top:99999", "top:5.5"])
def test_a_malformed_setting_is_named_before_anything_is_asked(exchange, rest, setting):
    with pytest.raises(ConfigError, match=f"^SYMBOLS={setting!r} "):
        select_symbols(rest, setting)

    assert exchange.requests == []


def test_an_exchange_without_pairs_is_an_error(exchange, rest):
    exchange.symbols = dict.fromkeys(exchange.symbols, "BREAK")

    with pytest.raises(DataError, match="no trading USDT pair"):
        select_symbols(rest, "top:3")
