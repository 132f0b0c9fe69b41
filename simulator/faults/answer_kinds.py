"""What may go wrong with an answer of REST."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.faults.kinds import SHARE, Answer, Fault, Kind, Number, Options, Text, Word

PATHS = Text("", "ping, time, exchangeInfo, klines, ticker/24hr, ticker/price; empty: all")
_ON: Options = {"path": PATHS, "share": SHARE}
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_TIMED = ("time", "exchangeInfo")
_STRANGE = {
    "object": b'{"result":[]}',
    "null": b"null",
    "number": b"12",
    "text": b'"klines"',
    "list": b'[1,"two",{"three":3},null,[[]]]',
    "empty": b"",
}


def _hitting(change: Callable[[Fault, Answer], Answer]) -> Callable[[Fault, Answer], Answer]:
    """Return `change` for the answers the fault is meant for and hits."""

    def answer(fault: Fault, said: Answer) -> Answer:
        is_meant = said.path == (fault.values["path"] or said.path)
        return change(fault, said) if is_meant and fault.is_hit() else said

    return answer


def _late(fault: Fault, said: Answer) -> Answer:
    return replace(said, wait_seconds=said.wait_seconds + fault.values["seconds"])


def _failed(fault: Fault, said: Answer) -> Answer:
    status = int(fault.values["status"])
    if fault.values["body"] == "html":
        return replace(said, status=status, body=_PAGE, content_type="text/html")
    body = b'{"code":-1000,"msg":"An unknown error occurred while processing the request."}'
    return replace(said, status=status, body=body)


def _refused(status: int) -> Callable[[Fault, Answer], Answer]:
    def answer(fault: Fault, said: Answer) -> Answer:
        headers = {**said.headers, "Retry-After": str(int(fault.values["retry_after"]))}
        return replace(said, status=status, body=b'{"code":-1003,"msg":"Way too many requests."}', headers=headers)

    return answer


def _as_page(fault: Fault, said: Answer) -> Answer:
    return replace(said, body=_PAGE.replace(b"502 Bad Gateway", b"Welcome"), content_type="text/html")


def _truncated(fault: Fault, said: Answer) -> Answer:
    return replace(said, body=said.body[: len(said.body) // 2])


def _broken_off(fault: Fault, said: Answer) -> Answer:
    return replace(said, sent_share=0.5)


def _strange(fault: Fault, said: Answer) -> Answer:
    return replace(said, body=_STRANGE[fault.values["body"]])


def _skewed(fault: Fault, said: Answer) -> Answer:
    if said.path not in _TIMED or said.status != 200:
        return said
    shift_ms = int(fault.values["seconds"] * 1_000)
    return _edited(said, lambda value: {**value, "serverTime": value["serverTime"] + shift_ms})


def _unheard_of(fault: Fault, said: Answer) -> Answer:
    if said.path != "exchangeInfo" or said.status != 200:
        return said
    return _edited(said, _with_strangers)


def _with_strangers(info: dict[str, Any]) -> dict[str, Any]:
    stranger = {"filterType": "PHASE_OF_THE_MOON", "phases": [1, None, "new"], "limit": -1}
    symbols = [{**one, "filters": [stranger, *one["filters"]], "newField": {}} for one in info["symbols"]]
    odd = {"symbol": "???", "status": 7, "baseAsset": None}
    limit = {"rateLimitType": "SMILES", "interval": "FORTNIGHT", "intervalNum": "two", "limit": "many"}
    return {**info, "symbols": [odd, *symbols], "rateLimits": [limit, *info["rateLimits"]], "newField": []}


def _edited(said: Answer, edit: Callable[[Any], Any]) -> Answer:
    """Return the answer with its JSON edited; as it is when another fault has made something else of it."""
    try:
        body = json.dumps(edit(json.loads(said.body)), separators=(",", ":")).encode()
    except (ValueError, TypeError, KeyError):
        return said
    return replace(said, body=body)


ANSWER_KINDS = (
    Kind("latency", "answers come late", {"seconds": Number(0.0, 120.0, 2.0), **_ON}, answer=_hitting(_late)),
    Kind(
        "server_error",
        "answers are 5xx (or 403), as a page or as Binance's JSON",
        {"status": Number(403, 599, 502), "body": Word(("html", "json")), **_ON},
        answer=_hitting(_failed),
    ),
    Kind(
        "too_many_requests",
        "429 with Retry-After",
        {"retry_after": Number(1, 3_600, 5), **_ON},
        answer=_hitting(_refused(429)),
    ),
    Kind(
        "banned",
        "418 with Retry-After",
        {"retry_after": Number(1, 3_600, 10), **_ON},
        answer=_hitting(_refused(418)),
    ),
    Kind("page", "a page with status 200 instead of JSON", _ON, answer=_hitting(_as_page)),
    Kind("truncated", "half of the body", _ON, answer=_hitting(_truncated)),
    Kind("broken_off", "the line is cut in the middle of the body", _ON, answer=_hitting(_broken_off)),
    Kind("strange_body", "JSON of another type", {"body": Word(tuple(_STRANGE)), **_ON}, answer=_hitting(_strange)),
    Kind(
        "clock_skew",
        "the server's time in REST jumps by so many market seconds",
        {"seconds": Number(-86_400, 86_400, 600), **_ON},
        answer=_hitting(_skewed),
    ),
    Kind(
        "unheard_of",
        "unknown filters, limits, fields and symbols in exchangeInfo",
        _ON,
        answer=_hitting(_unheard_of),
    ),
)
