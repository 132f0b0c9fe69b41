"""What may go wrong with what streams carry, and with candles wherever they are told."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.faults.kinds import SHARE, Answer, Fault, Kind, Options, Scene, Text, Word
from simulator.messages import Message

_SYMBOL = Text("", "one symbol; empty: all")
_ON: Options = {"symbol": _SYMBOL, "share": SHARE}
_HELD = 4  # messages that disorder keeps back
_EARLY_MS = 2_000  # an open candle is never marked closed later than this before its end
_STREAM_NUMBER = re.compile(r'"([ohlcv])":"([^"]*)"')
_OPENING, _ENDING, _STAMP = re.compile(r'"t":(\d+)'), re.compile(r'"T":(\d+)'), re.compile(r'"E":(\d+)')
_PLAIN = {"nan": "NaN", "infinity": "Infinity", "negative": "-1.00000000", "zero": "0.00000000"}
_REST_NUMBERS = {"o": 1, "h": 2, "l": 3, "c": 4, "v": 5}
_WORDS = (*_PLAIN, "crossed", "off_grid", "null")


def _symbol_of(message: Message) -> str:
    return message.stream.partition("@")[0].upper()


def _hitting(
    change: Callable[[Fault, Message], list[Message]], *, is_final: bool | None = None
) -> Callable[[Fault, Message], list[Message]]:
    """Return `change` for the messages the fault is meant for and hits: all, closing events, or others."""

    def messages(fault: Fault, message: Message) -> list[Message]:
        is_meant = is_final is None or message.is_final is is_final
        return change(fault, message) if is_meant and fault.is_hit(_symbol_of(message)) else [message]

    return messages


def _same(text: str) -> str:
    return text


def _gone(fault: Fault, message: Message) -> list[Message]:
    return []


def _twice(fault: Fault, message: Message) -> list[Message]:
    return [message.changed(_same, is_final=True), message.changed(_same, is_final=True)]


def _out_of_order(fault: Fault, message: Message) -> list[Message]:
    """Keep a few messages back and let one of them go, whichever it is."""
    fault.held.append(message.changed(_same, is_final=True))
    return [fault.held.pop(fault.chance.randrange(len(fault.held)))] if len(fault.held) > _HELD else []


async def _release(scene: Scene, fault: Fault) -> None:
    for message in fault.held:
        scene.hub.publish(message)
    fault.held.clear()


def _marked_closed(fault: Fault, message: Message) -> list[Message]:
    return [message.changed(_closed_too_early, is_final=True)]


def _closed_too_early(text: str) -> str:
    end, stamp = _ENDING.search(text), _STAMP.search(text)
    if end is None or stamp is None or int(end[1]) - int(stamp[1]) < _EARLY_MS:
        return text
    return text.replace('"x":false', '"x":true')


def _with_late_state(fault: Fault, message: Message) -> list[Message]:
    """Let an open state of the candle, with other numbers, follow its closing event."""
    late = message.changed(lambda text: _lied(text).replace('"x":true', '"x":false'), is_final=True)
    return [message, late]


def _with_lie(fault: Fault, message: Message) -> list[Message]:
    return [message, message.changed(_lied, is_final=True)]


def _lied(text: str) -> str:
    """Return a candle that closes at its low instead, and keeps every rule."""
    numbers = dict(_STREAM_NUMBER.findall(text))
    return text.replace(f'"c":"{numbers.get("c")}"', f'"c":"{numbers.get("l")}"')


def _spoiled_event(fault: Fault, message: Message) -> list[Message]:
    if fault.values["side"] == "rest":
        return [message]
    return [message.changed(lambda text: _spoiled_text(text, fault.values["how"]), is_final=True)]


def _spoiled_text(text: str, how: str) -> str:
    if how == "off_grid":
        return _OPENING.sub(lambda found: f'"t":{int(found[1]) + 7_000}', text)
    numbers: dict[str, str] = dict(_STREAM_NUMBER.findall(text))
    bad = _spoiled_numbers(numbers, how)
    return _STREAM_NUMBER.sub(lambda found: f'"{found[1]}":{json.dumps(bad[found[1]])}', text)


def _spoiled_numbers(numbers: dict[str, str], how: str) -> dict[str, str | None]:
    """Return the numbers of one candle such that no honest candle could have them."""
    if how == "crossed":
        return {**numbers, "h": numbers["l"], "l": f"{float(numbers['h']) * 2:.8f}"}
    return {**numbers, "c": None if how == "null" else _PLAIN[how]}


def _spoiled_rows(fault: Fault, said: Answer) -> Answer:
    is_meant = said.path == "klines" and said.status == 200 and fault.values["side"] != "stream"
    if not (is_meant and fault.is_hit()):
        return said
    try:
        rows = json.loads(said.body)
        body = json.dumps([_spoiled_row(row, fault.values["how"]) for row in rows], separators=(",", ":"))
    except (ValueError, TypeError, IndexError, KeyError):
        return said  # another fault has made something else of it
    return replace(said, body=body.encode())


def _spoiled_row(row: list[Any], how: str) -> list[Any]:
    if how == "off_grid":
        return [row[0] + 7_000, *row[1:]]
    bad = _spoiled_numbers({name: row[at] for name, at in _REST_NUMBERS.items()}, how)
    return [row[0], *(bad[name] for name in _REST_NUMBERS), *row[6:]]


MESSAGE_KINDS = (
    Kind("duplicate", "every event comes twice", _ON, message=_hitting(_twice)),
    Kind("disorder", "events come after later ones", _ON, message=_hitting(_out_of_order), end=_release),
    Kind("lost_closes", "closing events are lost; REST has the candles", _ON, message=_hitting(_gone, is_final=True)),
    Kind("stalled", "no events, while pings go on", _ON, message=_hitting(_gone)),
    Kind(
        "closed_early",
        "open candles are marked closed, two market seconds before their end or earlier",
        _ON,
        message=_hitting(_marked_closed, is_final=False),
    ),
    Kind(
        "late_state",
        "an open state with other numbers follows each closing event",
        _ON,
        message=_hitting(_with_late_state, is_final=True),
    ),
    Kind(
        "contradiction",
        "a second closing event with other numbers follows each one",
        _ON,
        message=_hitting(_with_lie, is_final=True),
    ),
    Kind(
        "bad_candles",
        "closed candles that cannot be: NaN, infinite, negative, zero, low above high, off the grid, null",
        {"how": Word(_WORDS), "side": Word(("both", "rest", "stream")), **_ON},
        message=_hitting(_spoiled_event, is_final=True),
        answer=_spoiled_rows,
    ),
)
