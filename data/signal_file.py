"""Read a CSV file of somebody else's signals; every problem becomes one sentence with its line, column and value."""

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from market.candles import LAST_VALID_MS
from market.errors import ConfigError
from market.intervals import duration_ms, floor_to, interval_ms
from market.predictions import Verdict
from utils.times import parse_utc

MAX_BYTES = 20_000_000
MAX_SIGNALS = 50_000  # one transaction, so that the live loop waits a moment and no longer
NEEDED = ("symbol", "horizon")
TIMES = ("made_at", "candle_open_time")  # one of them
CLAIMS = ("direction", "probability_up", "expected_return_bps")  # one of them at least
RANGE = ("low_bps", "high_bps", "coverage")  # all or none
COLUMNS = (*NEEDED, *TIMES, *CLAIMS, *RANGE, "source")
_DIRECTIONS = {"up": Verdict.UP, "down": Verdict.DOWN, "none": Verdict.ABSTAIN}
_SYMBOL = re.compile(r"[A-Z0-9_]{1,32}")
SOURCE = re.compile(r"[A-Za-z0-9][\w.-]{0,39}", re.ASCII)
_MAX_BPS = 1e6
_SHOWN = 40  # characters of a value in a sentence


@dataclass(frozen=True, slots=True)
class Signal:
    """What somebody said of one symbol, horizon and candle; None where nothing was said."""

    line: int
    source: str
    symbol: str
    horizon: str
    candle_open_ms: int
    direction: Verdict | None
    probability_up: float | None
    expected_return_bps: float | None
    low_bps: float | None
    high_bps: float | None
    coverage: float | None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Return what there is one signal of."""
        return self.source, self.symbol, self.horizon, self.candle_open_ms


@dataclass(slots=True)
class SignalFile:
    """The signals of a file, or what is wrong with it: then there are none."""

    signals: list[Signal] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_signals(path: Path, source: str | None, interval: str, horizons: Collection[str]) -> SignalFile:
    """Return the signals of a CSV file made for `interval` candles and some of `horizons`.

    `source` names whose they are where the file has no column of that name.
    """
    found = SignalFile()
    try:
        if path.stat().st_size > MAX_BYTES:
            found.problems.append(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; split it")
            return found
        text = path.read_text("utf-8-sig")
    except OSError as error:
        found.problems.append(f"{path} cannot be read: {error.strerror}")
        return found
    except UnicodeDecodeError as error:
        found.problems.append(f"{path.name} is not UTF-8: byte {error.start} cannot be read")
        return found
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        _read_lines(reader, _Lines(source, interval, horizons), found)
    except csv.Error as error:
        found.problems.append(f"line {reader.line_num} is no CSV: {error}")
    if found.problems:
        found.signals.clear()
    return found


def _read_lines(reader: Any, lines: "_Lines", found: SignalFile) -> None:
    columns = [name.strip() for name in next(reader, [])]
    found.problems += _column_problems(columns, lines.source)
    if found.problems:
        return
    seen: dict[tuple[str, str, str, int], int] = {}
    for cells in reader:
        number = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(found.signals) >= MAX_SIGNALS:
            found.problems.append(f"line {number}: a file holds at most {MAX_SIGNALS} signals; split it")
            return
        if len(cells) != len(columns):
            found.problems.append(f"line {number} has {len(cells)} cells where the header has {len(columns)}")
            continue
        signal = lines.signal(number, dict(zip(columns, (cell.strip() for cell in cells), strict=True)), found.problems)
        if signal is None:
            continue
        first = seen.setdefault(signal.key, number)
        if first != number:
            found.problems.append(f"line {number}: the source, symbol, horizon and time of line {first} again")
        found.signals.append(signal)


def _column_problems(columns: list[str], source: str | None) -> list[str]:
    problems = [
        f"line 1: column {name[:_SHOWN]!r} is none of {', '.join(COLUMNS)}" for name in columns if name not in COLUMNS
    ]
    problems += [f"line 1: column {name!r} is there twice" for name in COLUMNS if columns.count(name) > 1]
    problems += [f"line 1: there is no column {name!r}" for name in NEEDED if name not in columns]
    if sum(name in columns for name in TIMES) != 1:
        problems.append(f"line 1: there must be one of the columns {' and '.join(TIMES)}")
    if not set(CLAIMS) & set(columns):
        problems.append(f"line 1: there must be one of the columns {', '.join(CLAIMS)}")
    if 0 < sum(name in columns for name in RANGE) < len(RANGE):
        problems.append(f"line 1: the columns {', '.join(RANGE)} go together")
    if source is None and "source" not in columns:
        problems.append("line 1: there is no column 'source'; add it, or name the source with --source")
    return problems


class _RefusedError(Exception):
    """A cell that cannot be taken: its column, and what it takes."""


class _Lines:
    """Makes signals of lines, one at a time."""

    def __init__(self, source: str | None, interval: str, horizons: Collection[str]) -> None:
        self.source = source
        self._interval = interval
        self._interval_ms = interval_ms(interval)
        self._horizons = horizons

    def signal(self, number: int, cells: Mapping[str, str], problems: list[str]) -> Signal | None:
        """Return the signal of a line, or None after adding what is wrong with each of its cells."""
        wrong: list[str] = []

        def read(name: str, reader: Callable[[str], object], is_needed: bool) -> object:
            text = cells.get(name, "")
            try:
                if not text and is_needed:
                    raise _RefusedError("is empty")
                return reader(text) if text else None
            except _RefusedError as error:
                wrong.append(f"line {number}, {name}: {text[:_SHOWN]!r} {error}")
                return None

        time_name = next(name for name in TIMES if name in cells)
        values = {
            "source": read("source", _source, is_needed=True) if "source" in cells else self.source,
            "symbol": read("symbol", _symbol, is_needed=True),
            "horizon": read("horizon", self._horizon, is_needed=True),
            "candle_open_ms": read(time_name, self._open_ms_of(time_name), is_needed=True),
            "direction": read("direction", _direction, is_needed=False),
            "probability_up": read("probability_up", _share, is_needed=False),
            **{name: read(name, _bps, is_needed=False) for name in ("expected_return_bps", "low_bps", "high_bps")},
            "coverage": read("coverage", _inner_share, is_needed=False),
        }
        signal = Signal(line=number, **values)  # type: ignore[arg-type]
        problems += wrong or [f"line {number}: {text}" for text in _contradictions(signal)]
        return None if wrong else signal

    def _horizon(self, text: str) -> str:
        try:
            is_ours = text in self._horizons and duration_ms(text) > 0
        except ConfigError:
            is_ours = False
        if not is_ours:
            raise _RefusedError(f"is none of {', '.join(self._horizons)} (HORIZONS)")
        return text

    def _open_ms_of(self, name: str) -> Callable[[str], int]:
        word = "closes" if name == "made_at" else "opens"

        def read(text: str) -> int:
            try:
                time_ms = parse_utc(text)
            except (ValueError, OverflowError):
                raise _RefusedError("is no time such as 2026-01-31T12:00:00Z, nor milliseconds") from None
            if not 0 < time_ms <= LAST_VALID_MS:
                raise _RefusedError("is no time between 1970 and 2100")
            if floor_to(time_ms, self._interval_ms) != time_ms:
                raise _RefusedError(f"is no time at which a candle of {self._interval} {word}")
            return time_ms - (self._interval_ms if name == "made_at" else 0)

        return read


def _contradictions(signal: Signal) -> list[str]:
    """Return what the cells of one line say against each other."""
    found = []
    expected, low, high = signal.expected_return_bps, signal.low_bps, signal.high_bps
    if signal.direction is None and signal.probability_up is None and expected is None:
        found.append(f"{', '.join(CLAIMS)} are all empty")
    against = {Verdict.UP: -1.0, Verdict.DOWN: 1.0}.get(signal.direction or Verdict.ABSTAIN)
    if against and expected is not None and expected * against > 0:
        found.append(f"direction {signal.direction} and expected_return_bps {expected:g} contradict each other")
    if 0 < sum(value is not None for value in (low, high, signal.coverage)) < len(RANGE):
        found.append(f"{', '.join(RANGE)} go together")
    if low is not None and high is not None and low > high:
        found.append(f"low_bps {low:g} is above high_bps {high:g}")
    return found


def _source(text: str) -> str:
    if not SOURCE.fullmatch(text):
        raise _RefusedError("is no name: letters, digits, . - _ and at most 40 of them")
    return text


def _symbol(text: str) -> str:
    if not _SYMBOL.fullmatch(text):
        raise _RefusedError("is no symbol such as BTCUSDT")
    return text


def _direction(text: str) -> Verdict:
    if text not in _DIRECTIONS:
        raise _RefusedError(f"is none of {', '.join(_DIRECTIONS)}")
    return _DIRECTIONS[text]


def _share(text: str) -> float:
    value = _number(text)
    if not 0.0 <= value <= 1.0:
        raise _RefusedError("is no number from 0 to 1")
    return value


def _inner_share(text: str) -> float:
    value = _number(text)
    if not 0.0 < value < 1.0:
        raise _RefusedError("is no number between 0 and 1")
    return value


def _bps(text: str) -> float:
    value = _number(text)
    if not abs(value) <= _MAX_BPS:
        raise _RefusedError(f"is no number from -{_MAX_BPS:,.0f} to {_MAX_BPS:,.0f}")
    return value


def _number(text: str) -> float:
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan
