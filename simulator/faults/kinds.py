"""What a fault is: a kind with its options, and one such fault as it was ordered."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from market.errors import ConfigError
from simulator.faults.market import UnreliableExchange
from simulator.faults.wire import Wire
from simulator.hub import Hub
from simulator.messages import Message

_LONGEST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What REST is about to say; faults change it one after the other."""

    path: str  # klines, time, ...
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    wait_seconds: float = 0.0
    sent_share: float = 1.0  # of the body, before the line is cut


class Door(Protocol):
    """Where connections come in."""

    async def shut(self) -> None:
        """Refuse connections from now on."""

    async def open(self) -> None:
        """Take connections again, on the same port."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a fault may lay hands on."""

    exchange: UnreliableExchange
    hub: Hub
    wires: list[Wire]
    door: Door


@dataclass(frozen=True, slots=True)
class Number:
    """An option that is a number in a range."""

    least: float
    most: float
    default: float

    def read(self, name: str, value: object) -> float:
        """Return the value; ConfigError when it is none."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not self.least <= float(value) <= self.most:  # type: ignore[arg-type]
            raise ConfigError(f"{name}={value!r} is not a number from {self.least:g} to {self.most:g}")
        return float(value)  # type: ignore[arg-type]

    @property
    def about(self) -> str:
        """Return what is allowed."""
        return f"{self.least:g} to {self.most:g}"


@dataclass(frozen=True, slots=True)
class Word:
    """An option that is one of a few words."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        """Return the first word."""
        return self.words[0]

    def read(self, name: str, value: object) -> str:
        """Return the word; ConfigError when it is another."""
        if value not in self.words:
            raise ConfigError(f"{name}={value!r} is not one of {', '.join(self.words)}")
        return str(value)

    @property
    def about(self) -> str:
        """Return what is allowed."""
        return ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Text:
    """An option that is any short text; "" stands for all or none."""

    default: str = ""
    about: str = "text"

    def read(self, name: str, value: object) -> str:
        """Return the text; ConfigError when it is none, or too long."""
        if not isinstance(value, str) or len(value) > 50:
            raise ConfigError(f"{name}={value!r} is not a text of at most 50 characters")
        return value


SHARE = Number(0.0, 1.0, 1.0)  # of the answers or messages it could hit
Options = Mapping[str, Number | Word | Text]


@dataclass(slots=True)
class Fault:
    """One fault as it was ordered, and what became of it."""

    kind: "Kind"
    values: dict[str, Any]
    after_seconds: float = 0.0
    at_ms: int | None = None  # market time, instead of `after_seconds`
    for_seconds: float = 0.0
    chance: random.Random = field(default_factory=random.Random)
    is_on: bool = False
    hits: int = 0  # answers, messages or connections it spoiled
    held: list[Message] = field(default_factory=list)

    def is_hit(self, symbol: str = "") -> bool:
        """Return whether it hits this time: as often as `share` says, and only its own symbol."""
        if symbol and self.values.get("symbol") and symbol != self.values["symbol"]:
            return False
        is_hit = self.chance.random() < float(self.values.get("share", 1.0))
        self.hits += is_hit
        return is_hit

    def describe(self) -> dict[str, Any]:
        """Return it as an order reads, with what became of it."""
        return {"fault": self.kind.name, **self.values, "for_seconds": self.for_seconds, "hits": self.hits}


Change = Callable[[Scene, Fault], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: its name, its options, and the places where it interferes."""

    name: str
    about: str
    options: Options = field(default_factory=dict)
    begin: Change | None = None
    end: Change | None = None
    answer: Callable[[Fault, Answer], Answer] | None = None
    message: Callable[[Fault, Message], list[Message]] | None = None
    refuses: Callable[[Fault, str], bool] | None = None  # requests of a side, "rest" or "stream"
    wire: Callable[[Fault, Wire], None] | None = None  # of each client, those there are and those that come


def read_fault(order: object, kinds: Mapping[str, Kind], seed: str) -> Fault:
    """Return the fault an order asks for; ConfigError, in one sentence, when it cannot be one."""
    if not isinstance(order, dict):
        raise ConfigError(f"{order!r} is no fault: an object such as {{'fault': 'latency', 'for_seconds': 5}} is")
    name = order.get("fault")
    if not isinstance(name, str) or name not in kinds:
        raise ConfigError(f"fault={name!r} is unknown; there are {', '.join(sorted(kinds))}")
    kind = kinds[name]
    rest = {key: value for key, value in order.items() if key != "fault"}
    at = rest.pop("at", None)
    if at is not None and "after_seconds" in rest:
        raise ConfigError(f"{name} has both 'at' and 'after_seconds': give one of them")
    span = Number(0.0, _LONGEST_SECONDS, 0.0)
    after_seconds = span.read("after_seconds", rest.pop("after_seconds", 0.0))
    for_seconds = span.read("for_seconds", rest.pop("for_seconds", 0.0))
    unknown = sorted(set(rest) - set(kind.options))
    if unknown:
        known = ", ".join(("at", "after_seconds", "for_seconds", *kind.options))
        raise ConfigError(f"{name} has no option {unknown[0]!r}; it has {known}")
    values = {key: option.read(key, rest.get(key, option.default)) for key, option in kind.options.items()}
    at_ms = None if at is None else _market_ms(at)
    # Not a secret: the same order does the same thing every time.
    return Fault(kind, values, after_seconds, at_ms, for_seconds, random.Random(seed))  # noqa: S311


def _market_ms(text: object) -> int:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ConfigError(f"at={text!r} is not an ISO-8601 time such as 2026-01-31T12:00:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
