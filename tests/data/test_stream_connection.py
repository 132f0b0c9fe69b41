import asyncio
import contextlib

from data.stream_connection import StreamConnection
from tests.data.loopback_exchange import START, ticker_frame


def test_is_renewed_without_a_break(exchange):
    heard, changes = [], []

    async def live():
        connection = StreamConnection(
            exchange.stream_url,
            ["btcusdt@miniTicker"],
            on_message=heard.append,
            on_change=lambda: changes.append(connection.is_connected),
            is_traffic_expected=lambda: True,
            renewal_seconds=0.3,
        )
        running = asyncio.ensure_future(connection.run())
        async with asyncio.timeout(20):
            while connection.renewals < 2:
                await asyncio.to_thread(exchange.send, ticker_frame("BTCUSDT", START))
                await asyncio.sleep(0.02)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return connection

    connection = asyncio.run(live())

    assert (connection.breaks, connection.is_refused) == (0, False)
    assert len(exchange.streams) - connection.renewals in (1, 2)  # the second when one more had begun at the end
    assert all(changes[:-1])
    assert len(heard) > 3
