"""python-binance, as it is, works against the simulator: its client and its socket manager."""

import asyncio
import warnings

import pytest

from tests.simulator_process import SimulatorProcess

with warnings.catch_warnings():
    # It leans on names that the websockets package has given up.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import AsyncClient, BinanceSocketManager
    from binance.client import Client
    from binance.exceptions import BinanceAPIException

DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def simulator():
    with SimulatorProcess(symbols=6, speed=60) as process:
        yield process


@pytest.fixture
def client(simulator):
    # The library takes an event loop it never uses here; one that is closed again leaves nothing behind.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        client = Client(ping=False)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    client.API_URL = f"{simulator.rest_url}/api"
    yield client
    client.close_connection()


def test_the_client_reads_time_symbols_and_tickers(client):
    assert client.ping() == {}
    assert client.get_server_time()["serverTime"] > 1_700_000_000_000
    assert len(client.get_exchange_info()["symbols"]) == 6
    assert client.get_symbol_info("BTCUSDT")["status"] == "TRADING"
    assert float(client.get_symbol_ticker(symbol="BTCUSDT")["price"]) > 0
    assert len(client.get_ticker()) == 6
    assert {"bidPrice", "askPrice"} < set(client.get_orderbook_ticker(symbol="ETHUSDT"))


def test_the_client_reads_klines(client):
    rows = client.get_klines(symbol="BTCUSDT", interval=Client.KLINE_INTERVAL_5MINUTE, limit=10)

    assert len(rows) == 10 and len(rows[0]) == 12


def test_the_client_pages_through_history(client):
    now_ms = client.get_server_time()["serverTime"]
    start_ms = now_ms // 300_000 * 300_000 - 1_500 * 300_000

    rows = client.get_historical_klines("BTCUSDT", "5m", start_ms, now_ms)

    assert [row[0] for row in rows[:1_500]] == [start_ms + n * 300_000 for n in range(1_500)]


def test_the_client_understands_a_refusal(client):
    with pytest.raises(BinanceAPIException) as caught:
        client.get_klines(symbol="NOSUCHUSDT", interval="5m")

    assert (caught.value.status_code, caught.value.code) == (400, -1121)


def test_the_client_sees_the_weight_it_used(client):
    client.get_klines(symbol="BTCUSDT", interval="5m")

    assert int(client.response.headers["X-MBX-USED-WEIGHT-1M"]) >= 2


def test_the_socket_manager_receives_candles_and_tickers(simulator):
    async def listen():
        client = AsyncClient()
        client.API_URL = f"{simulator.rest_url}/api"
        manager = BinanceSocketManager(client)
        manager.STREAM_URL = f"{simulator.stream_url}/"
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                rows = await client.get_klines(symbol="BTCUSDT", interval="1m", limit=5)
                async with manager.kline_socket("BTCUSDT", interval="1m") as socket:
                    event = await socket.recv()
                    while not event["k"]["x"]:
                        event = await socket.recv()
                async with manager.multiplex_socket(["btcusdt@kline_1m", "ethusdt@bookTicker"]) as socket:
                    streams = {(await socket.recv())["stream"] for _ in range(8)}
                closed = await client.get_klines(symbol="BTCUSDT", interval="1m", startTime=event["k"]["t"], limit=1)
        finally:
            await client.close_connection()
        return rows, event, streams, closed

    rows, event, streams, closed = asyncio.run(listen())

    assert len(rows) == 5
    assert [event["k"][key] for key in "tohlcvT"] == closed[0][:7]
    assert streams == {"btcusdt@kline_1m", "ethusdt@bookTicker"}


def test_the_asynchronous_client_starts_by_itself(simulator, monkeypatch):
    monkeypatch.setattr(AsyncClient, "API_URL", f"{simulator.rest_url}/api")

    async def start():
        client = await AsyncClient.create()
        try:
            return client.timestamp_offset
        finally:
            await client.close_connection()

    assert isinstance(asyncio.run(start()), int)
