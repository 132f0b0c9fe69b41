"""How a ledger row is spelled: as a record in the database, as an object in the API, its id and its place."""

from collections.abc import Mapping
from typing import Any

import msgspec

from market.errors import DataError
from market.predictions import Prediction
from utils.times import iso_utc, parse_utc

Row = dict[str, Any]
Key = tuple[str, str, str, int]  # symbol, interval, horizon, candle: the ledger has one row of each

_FLAGS = ("outcome_up", "inside_interval")
_VALUES = (
    "price",
    "probability_up",
    "expected_return_bps",
    "low_bps",
    "high_bps",
    "coverage",
    "cost_bps",
    "edge_bps",
    "verdict",
    "reason",
    "model",
    "origin",
    "state",
    "outcome_return_bps",
    "outcome_up",
    "brier",
    "inside_interval",
    "net_bps",
    "void_reason",
)
FIELDS = (
    "id",
    "symbol",
    "interval",
    "horizon",
    "made_at",
    "candle_open_time",
    "due_at",
    "market",
    *_VALUES,
    "scored_at",
)
_ID_DIGITS = 10


MADE = (
    "seq",
    "symbol",
    "interval",
    "horizon",
    "candle_open_ms",
    "made_ms",
    "due_ms",
    "price",
    "cost_bps",
    "verdict",
    "reason",
    "origin",
    "model",
    "probability_up",
    "expected_return_bps",
    "low_bps",
    "high_bps",
    "coverage",
    "edge_bps",
    "state",
)


class Told(msgspec.Struct):
    """A row that has no outcome yet, with the keys of `FIELDS`: made by the thousand at a close."""

    id: str
    symbol: str
    interval: str
    horizon: str
    made_at: str
    candle_open_time: str
    due_at: str
    market: str
    price: float
    probability_up: float | None
    expected_return_bps: float | None
    low_bps: float | None
    high_bps: float | None
    coverage: float | None
    cost_bps: float
    edge_bps: float | None
    verdict: str
    reason: str | None
    model: str | None
    origin: str
    state: str
    outcome_return_bps: None = None
    outcome_up: None = None
    brier: None = None
    inside_interval: None = None
    net_bps: None = None
    void_reason: None = None
    scored_at: None = None


def key_of(prediction: Prediction) -> Key:
    """Return what tells the row of a prediction from all others."""
    return prediction.symbol, prediction.interval, prediction.horizon, prediction.candle_open_ms


def record_of(prediction: Prediction, seq: int) -> tuple[Any, ...]:
    """Return the database record of a prediction that has no outcome yet: the values of `MADE`."""
    return (
        seq,
        prediction.symbol,
        prediction.interval,
        prediction.horizon,
        prediction.candle_open_ms,
        prediction.made_ms,
        prediction.due_ms,
        prediction.price,
        prediction.cost_bps,
        prediction.verdict,
        prediction.reason,
        prediction.origin,
        prediction.model,
        prediction.probability_up,
        prediction.expected_return_bps,
        prediction.low_bps,
        prediction.high_bps,
        prediction.coverage,
        prediction.edge_bps,
        "open",
    )


class RowForm:
    """The API's form of rows of one market kept in one database."""

    def __init__(self, market: str, venue: str) -> None:
        """Write ids that start with `venue`, so that no two databases of an instance share one."""
        self._market = market
        self._prefix = f"{venue}-"

    def told(self, record: tuple[Any, ...]) -> Told:
        """Return what `shown` will return of a record that was just written (2x over going through the columns)."""
        seq, symbol, interval, horizon, open_ms, made_ms, due_ms, price, cost_bps, *said = record
        verdict, reason, origin, model, probability, expected, low, high, coverage, edge, state = said
        return Told(
            self.id(seq),
            symbol,
            interval,
            horizon,
            iso_utc(made_ms),
            iso_utc(open_ms),
            iso_utc(due_ms),
            self._market,
            price,
            probability,
            expected,
            low,
            high,
            coverage,
            cost_bps,
            edge,
            verdict,
            reason,
            model,
            origin,
            state,
        )

    def shown(self, row: Mapping[Any, Any]) -> Row:
        """Return a database row as the API shows it, with the keys of `FIELDS`."""
        shown: Row = {
            "id": self.id(row["seq"]),
            "symbol": row["symbol"],
            "interval": row["interval"],
            "horizon": row["horizon"],
            "made_at": iso_utc(row["made_ms"]),
            "candle_open_time": iso_utc(row["candle_open_ms"]),
            "due_at": iso_utc(row["due_ms"]),
            "market": self._market,
        }
        for name in _VALUES:
            value = row[name]
            shown[name] = bool(value) if name in _FLAGS and value is not None else value
        shown["scored_at"] = None if row["scored_ms"] is None else iso_utc(row["scored_ms"])
        return shown

    def id(self, number: int) -> str:
        """Return the id of a row."""
        return f"{self._prefix}{number:0{_ID_DIGITS}x}"

    def number(self, id_: str) -> int | None:
        """Return the row number of an id, or None when it is none of this database's."""
        digits = id_.removeprefix(self._prefix)
        if len(id_) != len(self._prefix) + _ID_DIGITS or len(digits) != _ID_DIGITS or set(digits) - _HEX:
            return None
        return int(digits, 16)

    def cursor(self, row: Row) -> str:
        """Return the cursor of the page that follows `row`."""
        return f"{parse_utc(row['made_at']):x}.{self.number(row['id']):x}"

    def place(self, cursor: str) -> tuple[int, int]:
        """Return made_ms and row number a cursor stands for; DataError when it is none of ours."""
        made, dot, number = cursor.partition(".")
        if not dot or not made or not number or len(cursor) > 40 or set(made + number) - _HEX:
            raise DataError(f"cursor {cursor[:40]!r} is not one this list has given out; leave it away to start anew")
        return min(int(made, 16), 2**62), min(int(number, 16), 2**62)


_HEX = set("0123456789abcdef")
