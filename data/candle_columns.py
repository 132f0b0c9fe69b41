"""The candles of one symbol and month as columns of a Parquet file, and back."""

from pathlib import Path

import numpy as np

from data.candle_checks import checksums, seed_of
from data.exact_numbers import from_whole, to_whole
from data.segment_reader import Question, segment_reader
from market.candles import CANDLES, COLUMNS
from market.errors import DataError

KIND_PREFIX = "candles-"
KEY, TIME = "symbol", "open_ms"
_ALWAYS = (TIME, 0, 2**62)
_CHECKSUM = "checksum"
_DIGITS = "_digits"


def kind_of(interval: str) -> str:
    """Return the kind of segment that holds candles of an interval."""
    return KIND_PREFIX + interval


def packed(symbol: str, interval_ms: int, table: np.ndarray) -> dict[str, np.ndarray]:
    """Return a `CANDLES` table as the columns of a segment: whole numbers, their digits, and a checksum a candle."""
    columns = {TIME: table[TIME].astype("<i8")}
    for name in COLUMNS:
        digits, columns[name] = to_whole(table[name])
        columns[name + _DIGITS] = np.full(len(table), digits, dtype=np.int8)
    columns[_CHECKSUM] = checksums(seed_of(symbol, interval_ms), table).astype(np.uint32)
    return columns


def opened(symbol: str, interval_ms: int, columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of a segment as a `CANDLES` table, and for each candle whether it is as it was written.

    DataError when they are other columns.
    """
    try:
        table = np.empty(len(columns[TIME]), dtype=CANDLES)
        table[TIME] = columns[TIME]
        for name in COLUMNS:
            table[name] = from_whole(columns[name + _DIGITS], columns[name])
        return table, checksums(seed_of(symbol, interval_ms), table) == columns[_CHECKSUM]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the columns are none of candles: {error}") from error


def symbols_of(path: Path, sha256: str) -> list[str]:
    """Return the symbols of a file with that hash; DataError, FileNotFoundError, SourceUnavailable."""
    question = Question(str(path.absolute()), sha256, KEY, None, _ALWAYS)
    found: list[str] = segment_reader.read(question)[KEY].tolist()
    return found


def read_whole(path: Path, sha256: str, symbol: str, interval_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all candles of a symbol in a file, and for each whether it is as it was written; as `symbols_of`."""
    columns = segment_reader.read(Question(str(path.absolute()), sha256, KEY, symbol, _ALWAYS))
    return opened(symbol, interval_ms, columns)
