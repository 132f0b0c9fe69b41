"""One number a candle that tells whether anything of it is not as it was written."""

import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from market.candles import CANDLES, COLUMNS

_FACTORS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
        0xE7037ED1A0B428DB,
    ],
    dtype=np.uint64,
)
_HALF = np.uint64(32)
_ROW = np.dtype([*CANDLES.descr, ("checksum", "<i8")])
_NO_ROW = (0, *[float("nan")] * len(COLUMNS), -1)
_LOW = np.uint64(0xFFFFFFFF)


@lru_cache(maxsize=4_096)
def seed_of(symbol: str, interval_ms: int) -> int:
    """Return what the checksums of one series start from, so that a candle of another one does not fit in."""
    return zlib.crc32(f"{symbol} {interval_ms}".encode())


def checksums(seeds: int | np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return 32 bits for each candle of a `CANDLES` table, over its values and the seed of its series.

    A change of one value goes unseen once in 4 billion times.
    """
    words = np.empty((len(table), len(_FACTORS)), dtype=np.uint64)
    words[:, 0] = table["open_ms"].astype(np.uint64)
    for place, name in enumerate(COLUMNS, start=1):
        words[:, place] = (table[name] + 0.0).view(np.uint64)  # SQLite knows no negative zero
    for factors in (_FACTORS, _FACTORS[::-1]):
        words ^= words >> _HALF
        words *= factors
    mixed = np.bitwise_xor.reduce(words, axis=1) ^ (np.asarray(seeds, dtype=np.uint64) * _FACTORS[0])
    folded: np.ndarray = (mixed ^ (mixed >> _HALF)) & _LOW
    return folded.astype(np.int64)


def checked(seeds: int | np.ndarray, rows: list[tuple[Any, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return (open_ms, *COLUMNS, checksum) rows as a `CANDLES` table, and for each whether it is as it was written."""
    try:
        read = np.array(rows, dtype=_ROW)
    except (TypeError, ValueError, OverflowError):  # something that is no number stands where one was
        read = np.array([row if _are_numbers(row) else _NO_ROW for row in rows], dtype=_ROW)
    table = np.empty(len(read), dtype=CANDLES)
    for name in ("open_ms", *COLUMNS):
        table[name] = read[name]
    return table, checksums(seeds, table) == read["checksum"]


def _are_numbers(row: tuple[Any, ...]) -> bool:
    open_ms, *values, checksum = row
    return isinstance(open_ms, int) and isinstance(checksum, int) and all(isinstance(one, float) for one in values)
