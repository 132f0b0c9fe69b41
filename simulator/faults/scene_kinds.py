"""What may go wrong with connections, symbols and the exchange as a whole."""

import asyncio

from simulator import messages
from simulator.connection import Connection
from simulator.faults.kinds import Fault, Kind, Number, Scene, Text, Word
from simulator.faults.wire import Wire
from simulator.messages import Message, text_frame

_BURST_SECONDS = 0.05
_SYMBOL = Text("", "one symbol; empty: all")
_GARBAGE = (
    "<html>",
    "[]",
    "",
    "null",
    '{"stream":7,"data":7}',
    '{"stream":"nobody@nothing","data":{"e":"nothing"}}',
    '{"stream":"btcusdt@kline_1m","data":{"e":"fromTomorrow","E":-1,"s":"BTCUSDT"}}',
    '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":"soon","x":true}}}',
    '{"e":"fromTomorrow"}',
)


async def _reset(scene: Scene, fault: Fault) -> None:
    for wire in scene.wires:
        fault.hits += 1
        wire.reset()


async def _close(scene: Scene, fault: Fault) -> None:
    for connection in list(scene.hub.connections):
        fault.hits += 1
        connection.end_soon(int(fault.values["code"]), "closed by a fault")


def _deafen(fault: Fault, wire: Wire) -> None:
    fault.hits += 1
    wire.is_deaf = True


def _slow_down(fault: Fault, wire: Wire) -> None:
    fault.hits += 1
    wire.slow_down(fault.values["bytes_a_second"])


async def _speed_up(scene: Scene, fault: Fault) -> None:
    for wire in scene.wires:
        wire.slow_down(0.0)


async def _shut(scene: Scene, fault: Fault) -> None:
    if fault.values["side"] == "both":
        await scene.door.shut()
    if fault.values["side"] != "rest":
        await _reset(scene, fault)


async def _open(scene: Scene, fault: Fault) -> None:
    if fault.values["side"] == "both":
        await scene.door.open()


def _is_refused(fault: Fault, side: str) -> bool:
    is_refused = fault.values["side"] in ("both", side)
    fault.hits += is_refused
    return is_refused


async def _announce_end(scene: Scene, fault: Fault) -> None:
    told = list(scene.hub.connections)
    now_ms = scene.exchange.clock.now_ms()
    for connection in told:
        fault.hits += 1
        _say(connection, f'{{"stream":"!serverShutdown","data":{{"e":"serverShutdown","E":{now_ms}}}}}')
    await asyncio.sleep(fault.values["notice_seconds"])
    for connection in told:
        connection.cut()


async def _talk_nonsense(scene: Scene, fault: Fault) -> None:
    for connection in scene.hub.connections:
        fault.hits += 1
        for text in _GARBAGE:
            _say(connection, text)


async def _burst(scene: Scene, fault: Fault) -> None:
    """Send so many more states of open candles a second, for as long as the fault lasts."""
    number = 0
    while fault.is_on:
        streams = scene.hub.kline_streams("1m")
        for _ in range(round(fault.values["messages_a_second"] * _BURST_SECONDS) if streams else 0):
            number += 1
            _publish_state(scene, fault, *streams[number % len(streams)])
        scene.hub.flush()
        await asyncio.sleep(_BURST_SECONDS)


def _publish_state(scene: Scene, fault: Fault, stream: str, symbol: str) -> None:
    now_ms = scene.exchange.clock.now_ms()
    row = scene.exchange.open_candle(symbol, "1m", now_ms)
    if row is not None:
        fault.hits += 1
        state = messages.kline(stream, symbol, "1m", now_ms, row, is_final=False)
        scene.hub.publish(_kept(state))


def _kept(message: Message) -> Message:
    """Return the message such that no newer one replaces it."""
    return message.changed(lambda text: text, is_final=True)


async def _withhold(scene: Scene, fault: Fault) -> None:
    for symbol in _meant(scene, fault):
        fault.hits += 1
        scene.exchange.withhold(symbol, fault.for_seconds)


async def _halt(scene: Scene, fault: Fault) -> None:
    await _withhold(scene, fault)
    for symbol in _meant(scene, fault):
        scene.exchange.words[symbol] = fault.values["status"]


async def _resume(scene: Scene, fault: Fault) -> None:
    for symbol in _meant(scene, fault):
        scene.exchange.words.pop(symbol, None)


async def _delist(scene: Scene, fault: Fault) -> None:
    await _withhold(scene, fault)
    for symbol in _meant(scene, fault):
        scene.exchange.listings.pop(symbol, None)


async def _list_again(scene: Scene, fault: Fault) -> None:
    for listing in scene.exchange.tape.listings:
        if listing.symbol == (fault.values["symbol"] or listing.symbol):
            scene.exchange.listings[listing.symbol] = listing


def _meant(scene: Scene, fault: Fault) -> list[str]:
    known = [listing.symbol for listing in scene.exchange.tape.listings]
    return [symbol for symbol in known if symbol == (fault.values["symbol"] or symbol)]


def _say(connection: Connection, text: str) -> None:
    connection.keep(text_frame(text))
    connection.flush()


SCENE_KINDS = (
    Kind("reset", "all streams are cut without a word", begin=_reset),
    Kind("close", "all streams are closed with a code", {"code": Number(1_000, 4_999, 1_001)}, begin=_close),
    Kind("half_open", "streams stay open and silent, pongs too; they never recover", wire=_deafen),
    Kind(
        "slow_drip",
        "streams bring few bytes a second",
        {"bytes_a_second": Number(1, 1e6, 200)},
        wire=_slow_down,
        end=_speed_up,
    ),
    Kind(
        "refused",
        "connections are refused: both by shutting the port, one side by a reset at the first byte",
        {"side": Word(("both", "rest", "stream"))},
        begin=_shut,
        end=_open,
        refuses=_is_refused,
    ),
    Kind(
        "shutdown",
        "a serverShutdown notice, and the cut of who heard it",
        {"notice_seconds": Number(0.0, 600.0, 5.0)},
        begin=_announce_end,
    ),
    Kind("nonsense", "messages of unknown streams, events and shapes", begin=_talk_nonsense),
    Kind(
        "burst",
        "so many more messages a second",
        {"messages_a_second": Number(1, 200_000, 5_000)},
        begin=_burst,
    ),
    Kind("missing", "candles that do not exist in REST either, now or later", {"symbol": _SYMBOL}, begin=_withhold),
    Kind(
        "halt",
        "a symbol is not traded, with this status, and comes back",
        {"symbol": _SYMBOL, "status": Text("HALT", "any word")},
        begin=_halt,
        end=_resume,
    ),
    Kind(
        "delist",
        "a symbol is unknown to REST and silent in streams, and comes back",
        {"symbol": _SYMBOL},
        begin=_delist,
        end=_list_again,
    ),
)
