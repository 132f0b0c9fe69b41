"""The exchange on its port: it is there inside the block, and a broken part is never hidden."""

import asyncio

import pytest

from market.errors import ConfigError
from simulator.coins import EPOCH_MS
from simulator.exchange import Exchange
from simulator.generated_tape import GeneratedTape
from simulator.market_clock import MarketClock
from simulator.market_model import market_model
from simulator.server import Place, running

DEADLINE_SECONDS = 20.0
START_MS = EPOCH_MS + 900 * 86_400_000


class BrokenTape(GeneratedTape):
    """A market that cannot look ahead."""

    def prepare(self, now_ms):
        raise RuntimeError("no tomorrow")


def exchange_of(tape_class):
    return Exchange(tape_class(market_model(seed=1, count=2)), MarketClock(START_MS, speed=60))


def test_two_exchanges_do_not_share_a_port():
    async def run():
        async with running(exchange_of(GeneratedTape), Place()) as first:
            with pytest.raises(ConfigError, match=str(first.port)):
                async with running(exchange_of(GeneratedTape), Place(port=first.port)):
                    raise AssertionError("two exchanges on one port")

    asyncio.run(run())


def test_the_port_is_free_again_after_the_block():
    async def run():
        async with running(exchange_of(GeneratedTape), Place()) as first:
            port = first.port
        async with running(exchange_of(GeneratedTape), Place(port=port)) as second:
            return second.port == port

    assert asyncio.run(run())


def test_when_a_part_breaks_so_does_the_block():
    async def run():
        async with asyncio.timeout(DEADLINE_SECONDS), running(exchange_of(BrokenTape), Place()):
            await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no tomorrow"):
        asyncio.run(run())


@pytest.mark.parametrize("line", [b"GET /" + b"a" * 9_000, b"GET / HTTP/1.1\r\n\xff: 1"], ids=["too long", "no header"])
def test_what_is_no_http_is_refused_without_a_traceback(line, caplog):
    async def run():
        async with running(exchange_of(GeneratedTape), Place()) as served, asyncio.timeout(DEADLINE_SECONDS):
            reader, writer = await asyncio.open_connection(served.host, served.port)
            writer.write(line + b"\r\n\r\n")
            status = await reader.readline()
            writer.close()
            return status

    assert b" 400 " in asyncio.run(run())
    assert caplog.text == ""
