import gzip
import json
from decimal import Decimal

import pytest

from data.binance_rest import BinanceRest
from market.errors import DataError, RateLimited, SourceUnavailable
from tests.data.loopback_exchange import START, STEP, candle, kline_row


def test_tells_the_time_and_sets_the_clock(exchange, rest):
    assert rest.server_time_ms() == START

    assert rest.clock.stated_ms == START
    assert rest.budget.used == 7


def test_returns_closed_candles_only(exchange, rest):
    for number in range(3):
        exchange.close_candle(number)

    table, refused = rest.klines("BTCUSDT", "1m", START, START + 10 * STEP)

    assert table.tolist() == [candle(number).values for number in range(3)]
    assert not refused


def test_a_candle_that_closes_while_the_answer_travels_is_left_for_next_time(exchange, rest):
    rest.server_time_ms()
    exchange.close_candle(0)

    table, _ = rest.klines("BTCUSDT", "1m", START, START + STEP)

    assert len(table) == 0


def test_start_is_inclusive_and_end_exclusive(exchange, rest):
    for number in range(5):
        exchange.close_candle(number)

    table, _ = rest.klines("BTCUSDT", "1m", START + STEP, START + 3 * STEP)

    assert table["open_ms"].tolist() == [START + STEP, START + 2 * STEP]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>busy</html>"),
        (200, b""),
        (200, b'[[1700000040000,"1.0","2'),
        (200, b'{"code":0}'),
        (200, b"null"),
        (200, b"[[NaN]]"),
        (403, b"<html>firewall</html>"),
        (502, b"<html>bad gateway</html>"),
        (503, b'{"code":-1000,"msg":"busy"}'),
        (400, b'{"code":-1000,"msg":"\xff"}'),
    ],
)
def test_an_unusable_answer_is_a_source_that_is_unavailable(exchange, rest, status, body):
    rest.server_time_ms()
    exchange.answers["klines"].append((status, body, {}))

    with pytest.raises(SourceUnavailable) as caught:
        rest.klines("BTCUSDT", "1m", START, START + STEP)

    assert rest.is_refused
    assert "symbol=" not in str(caught.value)
    rest.klines("BTCUSDT", "1m", START, START + STEP)
    assert not rest.is_refused


@pytest.mark.parametrize("path", ["time", "exchangeInfo", "ticker/24hr", "ticker/price"])
@pytest.mark.parametrize(
    "body", [b"<html>", b"[]x", b'{"serverTime":"soon","symbols":3}', b"7", b'{"\xff":"\xff"}', b"[" * 9_999]
)
def test_no_answer_of_another_shape_gets_through(exchange, rest, path, body):
    exchange.answers[path].append((200, body, {}))
    ask = {
        "time": rest.server_time_ms,
        "exchangeInfo": rest.exchange_symbols,
        "ticker/24hr": rest.quote_volumes,
        "ticker/price": rest.prices,
    }

    with pytest.raises(SourceUnavailable, match=f"no usable answer to {path}"):
        ask[path]()

    assert rest.refusals.by_reason() == {"body of unknown shape": 1}


def test_odd_rows_are_refused_by_reason_and_the_others_kept(exchange, rest):
    for number in range(10):
        exchange.close_candle(number)
    rest.server_time_ms()
    rows = [kline_row(candle(number)) for number in range(10)]
    rows[0][4] = "NaN"
    rows[1][2], rows[1][3] = rows[1][3], rows[1][2]
    rows[2][1] = None
    rows[3] = "not a row"
    rows[4][0] += 1
    rows[5] = rows[5][:3]
    rows[6][5] = "-1"
    rows[7][1] = "-5"
    exchange.answers["klines"].append((200, json.dumps([rows[9], *rows[:9], rows[9]]).encode(), {}))

    table, refused = rest.klines("BTCUSDT", "1m", START, START + 10 * STEP)

    assert table["open_ms"].tolist() == [rows[8][0], rows[9][0]]
    assert refused == {
        "not a row": 3,
        "not finite": 1,
        "low and high do not span open and close": 1,
        "time off the grid": 1,
        "negative volume": 1,
        "price out of range": 1,
        "twice in one answer": 1,
    }
    assert rest.refusals.by_reason() == dict(refused)


def test_takes_microseconds_for_what_they_are(exchange, rest):
    exchange.close_candle(0)
    rest.server_time_ms()
    row = kline_row(candle(0))
    row[0], row[6] = row[0] * 1_000, row[6] * 1_000 + 999
    exchange.answers["klines"].append((200, json.dumps([row]).encode(), {}))

    table, _ = rest.klines("BTCUSDT", "1m", START, START + STEP)

    assert table.tolist() == [candle(0).values]


def test_rows_nobody_asked_for_stay_outside(exchange, rest):
    for number in range(4):
        exchange.close_candle(number)
    rest.server_time_ms()
    rows = [kline_row(candle(number)) for number in range(4)]
    exchange.answers["klines"].append((200, json.dumps(rows).encode(), {}))

    table, refused = rest.klines("BTCUSDT", "1m", START + STEP, START + 2 * STEP)

    assert table["open_ms"].tolist() == [START + STEP]
    assert refused == {"outside the asked span": 3}


@pytest.mark.parametrize(("status", "retry_after"), [(429, "7"), (418, "300"), (429, "soon"), (418, "9999999")])
def test_a_limit_is_obeyed_by_all_requests(exchange, rest, status, retry_after):
    exchange.answers["time"].append((status, b'{"code":-1003,"msg":"too much"}', {"Retry-After": retry_after}))
    with pytest.raises(RateLimited) as caught:
        rest.server_time_ms()
    asked = len(exchange.requests)

    with pytest.raises(RateLimited):
        rest.budget.spend(1, 0, patience_seconds=0)

    assert caught.value.retry_after_seconds == (min(float(retry_after), 259_200) if retry_after.isdigit() else 60)
    assert len(exchange.requests) == asked


@pytest.mark.parametrize("location", ["http://[::1", "http://" + "a" * 70 + ".com/", "/api/v3/time"])
def test_an_answer_that_sends_elsewhere_is_not_followed(exchange, rest, location):
    exchange.answers["time"].append((302, b'{"serverTime":1}', {"Location": location}))

    with pytest.raises(SourceUnavailable, match="HTTP 302"):
        rest.server_time_ms()

    assert len(exchange.requests) == 1


def test_an_unknown_symbol_is_no_reason_to_wait(exchange, rest):
    rest.server_time_ms()
    exchange.answers["klines"].append((400, b'{"code":-1121,"msg":"Invalid symbol."}', {}))

    with pytest.raises(DataError, match=r"does not know this symbol \(code -1121\)"):
        rest.klines("NOSUCH", "1m", START, START + STEP)

    assert not rest.is_refused


def test_a_refused_connection_names_the_host_only(free_port):
    rest = BinanceRest(f"http://127.0.0.1:{free_port}")

    with pytest.raises(SourceUnavailable, match=rf"^127\.0\.0\.1:{free_port} does not answer: ConnectionError$"):
        rest.server_time_ms()

    assert rest.is_refused
    rest.close()


def test_reads_status_filters_and_the_weight_limit(exchange, rest):
    exchange.symbols["ETHUSDT"] = "A_WORD_FROM_TOMORROW"

    symbols = {symbol.name: symbol for symbol in rest.exchange_symbols()}

    assert symbols["BTCUSDT"].is_trading
    assert not symbols["ETHUSDT"].is_trading
    assert symbols["BTCUSDT"].tick == Decimal("0.01")
    assert symbols["BTCUSDT"].min_notional == Decimal(5)
    assert symbols["BTCUSDT"].price_digits == 2
    assert rest.budget.limit == 5_000


def test_reads_the_real_exchange_info(exchange, rest, shared_data):
    for name, count in (("exchangeInfo-2021-full", 1_000), ("exchangeInfo-2025-25symbols", 25)):
        body = gzip.decompress((shared_data / "recorded" / f"{name}.json.gz").read_bytes())
        exchange.answers["exchangeInfo"].append((200, body, {}))

        symbols = rest.exchange_symbols()

        assert len(symbols) >= count
        assert all(symbol.tick is not None and symbol.step is not None for symbol in symbols)
    assert rest.refusals.total == 0


def test_an_odd_pair_or_ticker_does_not_hide_the_others(exchange, rest):
    good = exchange._pair("BTCUSDT")
    good["filters"].append({"filterType": ["of no name"]})
    body = json.dumps({"symbols": [{"symbol": 5}, good, None]}).encode()
    exchange.answers["exchangeInfo"].append((200, body, {}))
    tickers = [{"symbol": "BTCUSDT", "price": "12.5"}, {"symbol": "ETHUSDT", "price": "NaN"}, {"price": "1"}]
    exchange.answers["ticker/price"].append((200, json.dumps(tickers).encode(), {}))

    assert [symbol.name for symbol in rest.exchange_symbols()] == ["BTCUSDT"]
    assert rest.prices() == {"BTCUSDT": 12.5}
    assert rest.refusals.by_reason() == {"symbol of unknown shape": 2, "ticker of unknown shape": 2}


def test_many_threads_share_one_source(exchange, rest):
    from concurrent.futures import ThreadPoolExecutor

    for number in range(50):
        exchange.close_candle(number)
    rest.server_time_ms()

    def fetch(number):
        return rest.klines("BTCUSDT", "1m", START + number * STEP, START + (number + 1) * STEP)[0]["open_ms"].tolist()

    with ThreadPoolExecutor(4) as pool:
        opens = list(pool.map(fetch, range(50)))

    assert opens == [[START + number * STEP] for number in range(50)]
