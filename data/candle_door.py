"""The door candles from an exchange come in by: what is not finite, positive, ordered and consistent stays out."""

from collections import Counter
from typing import Any

import msgspec
import numpy as np

from data.unreadable import UNREADABLE
from market.candles import CANDLES, COLUMNS, LAST_VALID_MS, MAX_PRICE, refusal
from market.errors import DataError
from market.intervals import floor_to

_FIRST_MICROSECONDS = 1e14  # as milliseconds that would be the year 5138
_PLAIN_ROWS = msgspec.json.Decoder(list[list[float]], strict=False)
_ANY_ROWS = msgspec.json.Decoder(list[object])
_ONE_ROW = tuple[float, float, float, float, float, float]
_WIDTH = 1 + len(COLUMNS)


def to_ms(time_value: int) -> int:
    """Return a time of the exchange in milliseconds, whether it came in milliseconds or microseconds."""
    return time_value // 1_000 if time_value > _FIRST_MICROSECONDS else time_value


def read_klines(body: bytes, start_ms: int, end_ms: int, interval_ms: int) -> tuple[np.ndarray, Counter[str]]:
    """Return the candles of a klines answer that open in [start, end) as a `CANDLES` table, sorted and unique.

    Besides: how many rows were refused, by reason. DataError when the body is no list of rows at all.
    """
    values, refused = _values(body)
    table = _table(values)
    table = table[_accepted(table, interval_ms, refused)]
    is_asked = (table["open_ms"] >= start_ms) & (table["open_ms"] < end_ms)
    refused["outside the asked span"] += len(table) - int(is_asked.sum())
    table = table[is_asked]
    _, first_of_each = np.unique(table["open_ms"], return_index=True)
    refused["twice in one answer"] += len(table) - len(first_of_each)
    return table[first_of_each], +refused


def _values(body: bytes) -> tuple[np.ndarray, Counter[str]]:
    try:
        values = np.array(_PLAIN_ROWS.decode(body), dtype=np.float64)
    except msgspec.ValidationError:
        return _values_one_by_one(body)
    except UNREADABLE as error:
        raise DataError("the answer is not JSON") from error
    except ValueError:  # rows of different lengths
        return _values_one_by_one(body)
    if values.size == 0 and values.ndim == 1:
        return np.empty((0, _WIDTH)), Counter()
    if values.ndim != 2 or values.shape[1] < _WIDTH:
        return np.empty((0, _WIDTH)), Counter({"not a row": len(values)})
    return values, Counter()


def _values_one_by_one(body: bytes) -> tuple[np.ndarray, Counter[str]]:
    try:
        rows = _ANY_ROWS.decode(body)
    except UNREADABLE as error:
        raise DataError("the answer is not a list of rows") from error
    refused: Counter[str] = Counter()
    values = []
    for row in rows:
        try:
            values.append(msgspec.convert(row[:_WIDTH] if isinstance(row, list) else row, _ONE_ROW, strict=False))
        except msgspec.ValidationError:
            refused["not a row"] += 1
    return np.array(values, dtype=np.float64).reshape(-1, _WIDTH), refused


def _table(values: np.ndarray) -> np.ndarray:
    times = np.nan_to_num(values[:, 0], nan=0.0, posinf=0.0, neginf=0.0).clip(0.0, 2.0**62)
    table = np.empty(len(values), dtype=CANDLES)
    table["open_ms"] = np.where(times > _FIRST_MICROSECONDS, times // 1_000, times).astype(np.int64)
    for column, name in enumerate(COLUMNS, start=1):
        table[name] = values[:, column]
    return table


def _accepted(table: np.ndarray, interval_ms: int, refused: Counter[str]) -> np.ndarray:
    """Return which rows are honest; only those that look otherwise at a glance are put to the one rule, `refusal`."""
    is_accepted = _looks_honest(table, interval_ms)
    for at in np.flatnonzero(~is_accepted):
        row: list[Any] = [*table[at].tolist(), interval_ms]
        reason = refusal(*row)
        is_accepted[at] = reason is None
        if reason is not None:
            refused[reason] += 1
    return is_accepted


def _looks_honest(table: np.ndarray, interval_ms: int) -> np.ndarray:
    open_, high, low, close, volume = (table[name] for name in COLUMNS)
    times = table["open_ms"]
    body_low, body_high = np.minimum(open_, close), np.maximum(open_, close)
    # A comparison with NaN is false, and an infinite price is over the maximum.
    is_priced = (low > 0) & (low <= body_low) & (high >= body_high) & (high <= MAX_PRICE)
    is_timed = (times > 0) & (times < LAST_VALID_MS) & ((times - floor_to(0, interval_ms)) % interval_ms == 0)
    return np.asarray(is_priced & is_timed & (volume >= 0) & (volume < np.inf))
