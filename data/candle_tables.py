"""Candles in memory that are read as those of the store are, and the kline CSV files they may come from."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from market.candles import CANDLES, COLUMNS, aggregate, refusal
from market.errors import ConfigError
from market.intervals import INTERVAL_MS, interval_ms

_NAME = re.compile(r"([A-Z0-9]{2,20})-(\d+[smhdw])(?:-.*)?\.csv(?:\.gz)?")


class CandleTables:
    """The candles of some symbols, `CANDLES` tables of one interval, oldest first."""

    def __init__(self, tables: Mapping[str, np.ndarray]) -> None:
        """Hand out these tables."""
        self._tables = tables

    def newest(self) -> dict[str, int]:
        """Return the open time of the newest candle of each symbol that has one."""
        return {symbol: int(table["open_ms"][-1]) for symbol, table in self._tables.items() if len(table)}

    def load(self, symbol: str, start_ms: int, end_ms: int) -> np.ndarray:
        """Return the candles of a symbol with start <= open_ms < end."""
        table = self._tables[symbol]
        first, last = np.searchsorted(table["open_ms"], (start_ms, end_ms))
        return table[first:last]


def read_folder(folder: Path, interval: str) -> dict[str, np.ndarray]:
    """Return the candles of `interval` of each symbol that the kline CSV files of a folder hold, as `read_files` does.

    ConfigError when no file gives a candle.
    """
    tables = read_files(sorted(folder.iterdir()) if folder.is_dir() else [], interval)
    if not tables:
        raise ConfigError(
            f"{str(folder)!r} holds no candles of {interval}: name files like BTCUSDT-{interval}-2024.csv.gz, "
            "with a header open_time,open,high,low,close,volume"
        )
    return tables


def read_files(paths: Iterable[Path], interval: str) -> dict[str, np.ndarray]:
    """Return the candles of `interval` of each symbol that has some in these kline CSV files.

    Files are named SYMBOL-INTERVAL-anything.csv or .csv.gz, others are passed over; of finer candles longer ones are
    made. Rows that are no candle are left out; of two rows of one time the first counts.
    """
    length_ms = interval_ms(interval)
    parts: dict[str, list[np.ndarray]] = {}
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match is None or length_ms % INTERVAL_MS.get(match[2], length_ms + 1):
            continue
        base_ms = INTERVAL_MS[match[2]]
        parts.setdefault(match[1], []).append(aggregate(_read_file(path, base_ms), base_ms, length_ms))
    tables = {symbol: _joined(found) for symbol, found in parts.items()}
    return {symbol: table for symbol, table in tables.items() if len(table)}


def _read_file(path: Path, base_ms: int) -> np.ndarray:
    try:
        candles = [found for row in _rows(path) if (found := _candle(row, base_ms)) is not None]
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}") from error
    return _joined([np.array(candles, dtype=CANDLES)])


def _rows(path: Path) -> Iterable[Mapping[str, str | None]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    if not {"open_time", *COLUMNS} <= set(rows.fieldnames or ()):
        raise ConfigError(f"{str(path)!r} needs a header with open_time,{','.join(COLUMNS)}")
    return rows


def _candle(row: Mapping[str, str | None], base_ms: int) -> tuple[float, ...] | None:
    """Return one line as a row of a `CANDLES` table; None when it is no candle."""
    try:
        open_ms, values = int(row["open_time"] or ""), [float(row[name] or "") for name in COLUMNS]
    except ValueError:
        return None
    open_, high, low, close, volume = values
    return None if refusal(open_ms, open_, high, low, close, volume, base_ms) else (open_ms, *values)


def _joined(tables: list[np.ndarray]) -> np.ndarray:
    """Return the candles of all tables, oldest first, each time once."""
    together = np.concatenate(tables)
    _, first = np.unique(together["open_ms"], return_index=True)
    return together[first]
