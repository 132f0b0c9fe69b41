"""Read kline CSV files: SYMBOL-INTERVAL-anything.csv or .csv.gz, the first line naming the columns."""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from market.candles import COLUMNS, MAX_PRICE, refusal
from market.errors import ConfigError
from market.intervals import INTERVAL_MS
from simulator.klines import EXTRAS, KLINES, NO_KLINES, SUMS

BINANCE_ORDER = ("open_time", *COLUMNS, "close_time", *EXTRAS)
_NAME = re.compile(r"^([A-Z0-9]{2,20})-(\d+[smhdw])-.*\.csv(\.gz)?$")
_LAST_MILLISECOND = 10**14  # a greater time is in microseconds
_REQUIRED = ("open_time", *COLUMNS)


@dataclass(frozen=True, slots=True)
class KlineFile:
    """The good rows of one file, oldest first, and why others were refused."""

    name: str
    symbol: str
    interval: str
    rows: np.ndarray
    refused: Counter[str] = field(default_factory=Counter)


def read_folder(folder: Path) -> Iterator[KlineFile]:
    """Yield every kline file of `folder` by name; ConfigError when there is none."""
    if not folder.is_dir():
        raise ConfigError(f"the replay folder {str(folder)!r} is not a folder: name one that holds kline CSV files")
    is_empty = True
    for file in sorted(folder.iterdir()):
        match = _NAME.match(file.name)
        if match and match[2] in INTERVAL_MS:
            is_empty = False
            yield read_file(file, match[1], match[2])
    if is_empty:
        raise ConfigError(
            f"the replay folder {str(folder)!r} holds no kline file: name them like BTCUSDT-5m-20240301-20241031.csv.gz"
        )


def read_file(file: Path, symbol: str, interval: str) -> KlineFile:
    """Return one file's rows; those that break a candle's rules are refused and counted by reason."""
    try:
        raw = file.read_bytes()
        text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("ascii", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{str(file)!r} cannot be read: {error}") from error
    refused: Counter[str] = Counter()
    rows = _parsed(text, refused)
    rows = _checked(rows, INTERVAL_MS[interval], refused)
    _fill_quote_volume(rows)
    return KlineFile(file.name, symbol, interval, rows, refused)


def _parsed(text: str, refused: Counter[str]) -> np.ndarray:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return NO_KLINES
    header = tuple(cell.strip() for cell in lines[0].split(","))
    if header[0].isdigit():
        header = (*BINANCE_ORDER, "unused")[: len(header)]
    else:
        lines = lines[1:]
    if not set(_REQUIRED) <= set(header):
        refused["file without the columns of a candle"] += len(lines)
        return NO_KLINES
    try:
        return _parsed_at_once(lines, header)
    except (ValueError, OverflowError):
        return _parsed_by_row(lines, header, refused)


def _parsed_at_once(lines: list[str], header: tuple[str, ...]) -> np.ndarray:
    # Four times faster than row by row, and enough for every file without a damaged row.
    cells = ",".join(lines).split(",")
    if len(cells) != len(lines) * len(header):
        raise ValueError("rows of different lengths")
    rows = np.zeros(len(lines), dtype=KLINES)
    for column, name in enumerate(header):
        values = cells[column :: len(header)]
        if name == "open_time":
            rows["open_ms"] = [_milliseconds(value) for value in values]
        elif name in COLUMNS:
            rows[name] = [float(value) for value in values]
        elif name in EXTRAS and any(values):
            rows[name] = [float(value or 0) for value in values]
    return rows


def _parsed_by_row(lines: list[str], header: tuple[str, ...], refused: Counter[str]) -> np.ndarray:
    parsed = []
    for cells in csv.reader(lines):
        try:
            parsed.append(_parsed_at_once([",".join(cells)], header))
        except (ValueError, OverflowError):
            refused["not a row of numbers"] += 1
    return np.concatenate(parsed) if parsed else NO_KLINES


def _milliseconds(text: str) -> int:
    value = int(text)
    return value // 1_000 if value > _LAST_MILLISECOND else value


def _checked(rows: np.ndarray, base_ms: int, refused: Counter[str]) -> np.ndarray:
    is_good = _is_plain(rows, base_ms)
    for index in np.flatnonzero(~is_good).tolist():
        open_ms, open_, high, low, close, volume = (rows[name][index].item() for name in ("open_ms", *COLUMNS))
        reason = refusal(open_ms, open_, high, low, close, volume, base_ms)
        is_good[index] = reason is None
        if reason:
            refused[reason] += 1
    is_sound = is_good & _are_sums_sound(rows)
    if not np.array_equal(is_sound, is_good):
        refused["figure out of range"] += int(is_good.sum() - is_sound.sum())
    good = rows[is_sound]
    times, first = np.unique(good["open_ms"], return_index=True)
    if len(times) < len(good):
        refused["time seen before"] += len(good) - len(times)
    return np.asarray(good[first])


def _are_sums_sound(rows: np.ndarray) -> np.ndarray:
    return np.asarray(np.all([(rows[name] >= 0) & (rows[name] < MAX_PRICE) for name in SUMS], axis=0))


def _is_plain(rows: np.ndarray, base_ms: int) -> np.ndarray:
    """Return which rows are beyond doubt; the rule itself is asked about the others only (it is slow on many)."""
    lower, higher = np.minimum(rows["open"], rows["close"]), np.maximum(rows["open"], rows["close"])
    is_ordered = (rows["low"] > 0) & (rows["low"] <= lower) & (rows["high"] >= higher) & (rows["high"] <= MAX_PRICE)
    is_volume = (rows["volume"] >= 0) & (rows["volume"] < MAX_PRICE)
    is_timed = (rows["open_ms"] > 0) & (rows["open_ms"] < 4e12) & (rows["open_ms"] % base_ms == 0)
    return np.asarray(is_ordered & is_volume & is_timed)


def _fill_quote_volume(rows: np.ndarray) -> None:
    is_missing = rows["quote_volume"] == 0
    typical = (rows["high"] + rows["low"] + rows["close"]) / 3
    rows["quote_volume"] = np.where(is_missing, rows["volume"] * typical, rows["quote_volume"])
