"""What a client may say on a WebSocket, and the answers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from market.errors import MarketError
from simulator.connection import MOST_STREAMS, Connection

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_STREAM_NAME = re.compile(r"^(!\w+@arr|[^\s@!]+@[\w@:+.-]+)$")
_UNKNOWN_PROPERTY, _WRONG_TYPE, _WRONG_REQUEST, _WRONG_JSON = range(4)


@dataclass
class CommandError(MarketError):
    """A command that is answered by an error."""

    code: int
    message: str


class Commands:
    """Reads commands and changes subscriptions through `listen` and `leave`."""

    def __init__(
        self, listen: Callable[[Connection, list[str]], None], leave: Callable[[Connection, list[str]], None]
    ) -> None:
        """Keep what starts and ends a subscription."""
        self._listen, self._leave = listen, leave

    def answer(self, connection: Connection, text: str) -> str:
        """Do what a command says; return the answer to it."""
        identity: Any = None
        try:
            command = _parsed(text)
            identity = _identity(command)
            answer: dict[str, Any] = {"result": self._done(connection, command), "id": identity}
        except CommandError as error:
            answer = {"error": {"code": error.code, "msg": error.message}}
            if identity is not None:
                answer["id"] = identity
        return json.dumps(answer, separators=(",", ":"))

    def _done(self, connection: Connection, command: dict[str, Any]) -> Any:
        method = command.get("method")
        if method is None:
            raise CommandError(_WRONG_REQUEST, "Invalid request: missing field `method`")
        if method not in METHODS:
            known = ", ".join(f"`{name}`" for name in METHODS)
            raise CommandError(_WRONG_REQUEST, f"Invalid request: unknown variant `{method}`, expected one of {known}")
        if method == "LIST_SUBSCRIPTIONS":
            return list(connection.streams)
        parameters = command.get("params")
        if not isinstance(parameters, list) or not parameters:
            raise CommandError(_WRONG_REQUEST, "Invalid request: missing field `params`")
        if method.endswith("PROPERTY"):
            return _property(connection, method, parameters)
        streams = checked_streams(parameters)
        if method == "UNSUBSCRIBE":
            self._leave(connection, streams)
            return None
        if len({*connection.streams, *streams}) > MOST_STREAMS:
            raise CommandError(_WRONG_REQUEST, f"Invalid request: more than {MOST_STREAMS} streams on one connection")
        self._listen(connection, streams)
        return None


def checked_streams(names: list[Any]) -> list[str]:
    """Return the names of streams; CommandError when one cannot be a name. Whether it exists does not matter."""
    for name in names:
        if not isinstance(name, str) or not _STREAM_NAME.match(name):
            raise CommandError(_WRONG_REQUEST, "Invalid request: invalid stream")
    return names


def _parsed(text: str) -> dict[str, Any]:
    try:
        command = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(_WRONG_JSON, f"Invalid JSON: {error}") from None
    if not isinstance(command, dict):
        raise CommandError(_WRONG_REQUEST, "Invalid request: expected an object")
    return command


def _identity(command: dict[str, Any]) -> int | str | None:
    identity = command.get("id")
    is_number = isinstance(identity, int) and not isinstance(identity, bool) and identity >= 0
    if identity is None or is_number or (isinstance(identity, str) and 0 < len(identity) <= 36):
        return identity
    raise CommandError(_WRONG_REQUEST, "Invalid request: request ID must be an unsigned integer")


def _property(connection: Connection, method: str, parameters: list[Any]) -> bool | None:
    if not isinstance(parameters[0], str):
        raise CommandError(_WRONG_REQUEST, "Invalid request: property name must be a string")
    if parameters[0] != "combined":
        raise CommandError(_UNKNOWN_PROPERTY, "Unknown property")
    if method == "GET_PROPERTY":
        return connection.is_wrapped
    if len(parameters) > 2:
        raise CommandError(_WRONG_REQUEST, "Invalid request: too many parameters")
    if len(parameters) < 2 or not isinstance(parameters[1], bool):
        raise CommandError(_WRONG_TYPE, "Invalid value type: expected Boolean")
    connection.is_wrapped = parameters[1]
    return None
