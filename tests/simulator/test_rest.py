"""The REST side answers as Binance does, its errors included."""

import gzip
import json
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest

from market.intervals import INTERVAL_MS
from tests.simulator_process import SimulatorProcess

# The market stands still for the time of the tests: a hundredth of the wall's speed.
START = "2026-03-04T10:07:30Z"
START_MS = 1_772_618_850_000
MINUTE_MS = 60_000
PRICES = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def simulator():
    with SimulatorProcess(speed=0.01, start=START, symbols=6) as process:
        yield process


@pytest.fixture
def get(simulator):
    return partial(fetch, simulator)


def fetch(simulator, path, headers=None, /, **parameters):
    url = f"{simulator.rest_url}/api/v3/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def klines(get, **parameters):
    status, rows, _ = get("klines", **{"symbol": "BTCUSDT", "interval": "5m", **parameters})
    assert status == 200
    return rows


def test_ping_and_time(get):
    assert get("ping")[:2] == (200, {})
    assert START_MS <= get("time")[1]["serverTime"] < START_MS + 10_000


def test_a_kline_row_is_twelve_fields_with_padded_decimals(get):
    row = klines(get, limit=2)[0]

    assert [type(field) for field in row] == [int, str, str, str, str, str, int, str, int, str, str, str]
    assert all(len(row[index].partition(".")[2]) == 8 for index in (1, 2, 3, 4, 5, 7, 9, 10))
    assert row[6] == row[0] + 5 * MINUTE_MS - 1 and row[11] == "0"
    assert (
        Decimal(row[3]) <= min(map(Decimal, (row[1], row[4]))) <= max(map(Decimal, (row[1], row[4]))) <= Decimal(row[2])
    )


def test_five_hundred_rows_by_default_and_a_thousand_at_most(get):
    assert len(klines(get)) == 500
    assert len(klines(get, limit=1_000)) == 1_000
    assert len(klines(get, limit=5_000)) == 1_000


def test_the_last_row_of_an_open_range_is_the_unfinished_candle(get):
    newest = klines(get, limit=3)

    assert newest[-1][0] <= START_MS < newest[-1][6]
    assert [row[0] for row in newest] == [newest[-1][0] - step * 5 * MINUTE_MS for step in (2, 1, 0)]


def test_a_start_gives_the_oldest_rows_from_there_on(get):
    start_ms = START_MS // (5 * MINUTE_MS) * 5 * MINUTE_MS - 3_000_000

    assert [row[0] for row in klines(get, startTime=start_ms, limit=2)] == [start_ms, start_ms + 5 * MINUTE_MS]
    assert klines(get, startTime=start_ms + 1, limit=1)[0][0] == start_ms + 5 * MINUTE_MS


def test_an_end_gives_the_newest_rows_up_to_it(get):
    end_ms = START_MS // (5 * MINUTE_MS) * 5 * MINUTE_MS - 3_000_000

    assert [row[0] for row in klines(get, endTime=end_ms, limit=2)] == [end_ms - 5 * MINUTE_MS, end_ms]
    assert klines(get, endTime=end_ms - 1, limit=1)[0][0] == end_ms - 5 * MINUTE_MS


def test_both_ends_are_inclusive(get):
    first_ms = START_MS // (5 * MINUTE_MS) * 5 * MINUTE_MS - 6_000_000

    rows = klines(get, startTime=first_ms, endTime=first_ms + 10 * MINUTE_MS)

    assert [row[0] for row in rows] == [first_ms, first_ms + 5 * MINUTE_MS, first_ms + 10 * MINUTE_MS]


def test_the_future_and_the_time_before_the_market_are_empty(get):
    assert klines(get, startTime=START_MS + 10 * MINUTE_MS) == []
    assert klines(get, endTime=1_000_000) == []
    assert klines(get, startTime="9" * 20) == klines(get, startTime="9" * 20, interval="1M") == []
    assert klines(get, startTime=START_MS - MINUTE_MS, endTime=START_MS - 2 * MINUTE_MS) == []


@pytest.mark.parametrize("interval", (*INTERVAL_MS, "1M"))
def test_every_interval_of_binance_is_served_without_gaps(get, interval):
    rows = klines(get, interval=interval, limit=20)

    assert len(rows) == 20
    assert all(earlier[6] + 1 == later[0] for earlier, later in pairwise(rows))
    assert rows[-1][0] <= START_MS + 1_000 and rows[-1][6] >= START_MS


def test_weeks_begin_on_monday_and_months_on_the_first(get):
    week = klines(get, interval="1w", limit=1)[0][0]
    month = klines(get, interval="1M", limit=1)[0][0]

    assert (week // 86_400_000 + 3) % 7 == 0
    assert month == 1_772_323_200_000  # 2026-03-01


def test_microseconds_on_request(get):
    headers = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    _, rows, _ = get("klines", headers, symbol="BTCUSDT", interval="1m", endTime=START_MS - MINUTE_MS, limit=1)
    _, same, _ = get("klines", symbol="BTCUSDT", interval="1m", endTime=(START_MS - MINUTE_MS) * 1_000, limit=1)

    assert (rows[0][0], rows[0][6]) == (same[0][0] * 1_000, same[0][0] * 1_000 + 59_999_999)
    assert get("time", headers)[1]["serverTime"] > 10**15


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("klines", {"symbol": "NOSUCHUSDT", "interval": "1m"}, -1121),
        ("klines", {"symbol": "btcusdt", "interval": "1m"}, -1100),
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": ""}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1H"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "ten"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 0}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "-5"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "colour": "red"}, -1104),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "timeZone": "+08:00"}, -1130),
        ("time", {"symbol": "BTCUSDT"}, -1104),
        ("ticker/24hr", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("ticker/24hr", {"symbols": "BTCUSDT"}, -1100),
        ("ticker/24hr", {"symbols": '["BTCUSDT", "ETHUSDT"]'}, -1100),
        ("ticker/24hr", {"symbols": "[" * 2_000}, -1100),
        ("ticker/24hr", {"symbol": "BTCUSDT", "type": "HUGE"}, -1130),
        ("ticker/price", {"symbols": '["BTCUSDT","NOSUCHUSDT"]'}, -1121),
        ("exchangeInfo", {"symbol": "NOSUCHUSDT"}, -1121),
    ],
)
def test_what_is_wrong_is_refused_with_binances_code(get, path, parameters, code):
    status, body, headers = get(path, **parameters)

    assert status == 400
    assert body["code"] == code and isinstance(body["msg"], str) and set(body) == {"code", "msg"}
    assert int(headers["X-MBX-USED-WEIGHT-1M"]) > 0


@pytest.mark.parametrize(
    ("path", "parameters", "weight"),
    [
        ("ping", {}, 1),
        ("time", {}, 1),
        ("exchangeInfo", {}, 20),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1_000}, 2),
        ("uiKlines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'}, 2),
        ("ticker/24hr", {}, 80),
        ("ticker/price", {"symbol": "BTCUSDT"}, 2),
        ("ticker/price", {}, 4),
        ("ticker/bookTicker", {}, 4),
    ],
)
def test_every_answer_tells_the_weight_used(get, path, parameters, weight):
    before = int(get("ping")[2]["X-MBX-USED-WEIGHT-1M"])
    after = int(get(path, **parameters)[2]["X-MBX-USED-WEIGHT-1M"])

    assert after in (before + weight, weight)  # the latter when a new minute began in between


def test_too_much_weight_is_answered_by_429_and_then_418():
    with SimulatorProcess(symbols=2, speed=1) as own:
        for _ in range(200):
            status, body, headers = fetch(own, "ticker/24hr")
            if status != 200:
                break
        first = (status, body["code"], 1 <= int(headers["Retry-After"]) <= 60)
        statuses = [fetch(own, "ticker/24hr")[0] for _ in range(40)]

    assert first == (429, -1003, True)
    assert statuses[-1] == 418 or 200 in statuses  # unless a new minute began


def test_exchange_info_has_the_shape_of_the_real_one(get, shared_data):
    with gzip.open(shared_data / "recorded" / "exchangeInfo-2025-25symbols.json.gz") as stream:
        real = json.load(stream)

    _, ours, _ = get("exchangeInfo")

    assert set(ours) == {*real, "timezone"}
    assert set(ours["symbols"][0]) == set(real["symbols"][0])
    fields = {rule["filterType"]: set(rule) for rule in real["symbols"][0]["filters"]}
    assert {rule["filterType"]: set(rule) for rule in ours["symbols"][0]["filters"]} == fields
    assert ours["rateLimits"][0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6_000,
    }


def test_exchange_info_of_one_or_some_symbols(get):
    one = get("exchangeInfo", symbol="WALKUSDT")[1]["symbols"]
    some = get("exchangeInfo", symbols='["EDGEUSDT","BTCUSDT"]')[1]["symbols"]

    assert [(each["symbol"], each["status"], each["baseAsset"], each["quoteAsset"]) for each in one] == [
        ("WALKUSDT", "TRADING", "WALK", "USDT")
    ]
    assert [each["symbol"] for each in some] == ["EDGEUSDT", "BTCUSDT"]


def test_prices_lie_on_the_tick_and_quantities_on_the_step(get):
    for symbol in get("exchangeInfo")[1]["symbols"]:
        rules = {rule["filterType"]: rule for rule in symbol["filters"]}
        for row in klines(get, symbol=symbol["symbol"], interval="1m", limit=50):
            assert all(Decimal(row[index]) % Decimal(rules["PRICE_FILTER"]["tickSize"]) == 0 for index in PRICES)
            assert Decimal(row[5]) % Decimal(rules["LOT_SIZE"]["stepSize"]) == 0


def test_the_ticker_of_a_day_is_what_its_minutes_say(get):
    _, ticker, _ = get("ticker/24hr", symbol="BTCUSDT")
    rows = klines(get, interval="1m", limit=1_000, startTime=START_MS // MINUTE_MS * MINUTE_MS - 1_439 * MINUTE_MS)
    rows += klines(get, interval="1m", limit=1_000, startTime=rows[-1][0] + MINUTE_MS)

    assert len(rows) == 1_440
    assert Decimal(ticker["highPrice"]) == max(Decimal(row[2]) for row in rows)
    assert Decimal(ticker["lowPrice"]) == min(Decimal(row[3]) for row in rows)
    assert Decimal(ticker["openPrice"]) == Decimal(rows[0][1])
    assert Decimal(ticker["priceChange"]) == Decimal(ticker["lastPrice"]) - Decimal(ticker["openPrice"])
    assert ticker["closeTime"] - ticker["openTime"] == 86_400_000
    assert float(ticker["volume"]) == pytest.approx(sum(float(row[5]) for row in rows), rel=1e-3)


def test_tickers_have_the_fields_of_the_real_one(get, shared_data):
    with gzip.open(shared_data / "recorded" / "ticker24hr-BTCUSDT.json.gz") as stream:
        real = json.load(stream)

    assert set(get("ticker/24hr", symbol="BTCUSDT")[1]) == set(real)
    assert set(get("ticker/24hr", symbol="BTCUSDT", type="MINI")[1]) < set(real)
    assert len(get("ticker/24hr")[1]) == 6


def test_the_price_is_the_close_of_the_open_candle_and_lies_between_bid_and_ask(get):
    price = Decimal(get("ticker/price", symbol="BTCUSDT")[1]["price"])
    book = get("ticker/bookTicker", symbol="BTCUSDT")[1]

    assert price == Decimal(klines(get, interval="1m", limit=1)[-1][4])
    assert Decimal(book["bidPrice"]) < price < Decimal(book["askPrice"])
    assert {each["symbol"] for each in get("ticker/price")[1]} == {
        each["symbol"] for each in get("ticker/bookTicker")[1]
    }
