"""Read the newest lines of the log files that `utils.logs` writes."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from utils.file_operations import open_plain
from utils.logs import KEPT_BYTES
from utils.times import parse_utc

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SHOWN_LETTERS = 1_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `time_ms` is this machine's clock, `why` the last line of an error's trace."""

    time_ms: int
    level: str
    process: str
    name: str
    message: str
    why: str | None


class _Written(msgspec.Struct, frozen=True):
    """A line as it lies in the file."""

    time: str
    level: str
    name: str
    message: str
    trace: str | None = None


def newest_lines(folder: Path, least: str, word: str, limit: int) -> list[LogLine]:
    """Return the newest `limit` lines of all processes, newest first.

    `least`: the lowest level; `word`: in the message or its trace, in any case; the empty one is in all of them.
    A file that cannot be read, and a line that is none, are left out.
    """
    levels = LEVELS[LEVELS.index(least) :]
    wanted = word.casefold()
    found = [_lines(path, levels, wanted) for path in sorted(folder.glob("*.log"))]
    newest = heapq.merge(*found, key=lambda line: -line.time_ms)
    return list(islice(newest, limit))


def _lines(path: Path, levels: tuple[str, ...], wanted: str) -> Iterator[LogLine]:
    """Yield the matching lines of one process, newest first; the older file is opened when the newer one has ended."""
    for file in (path, path.with_name(f"{path.name}.1")):
        for content in reversed(_end_of(file).splitlines()):
            try:
                line = msgspec.json.decode(content, type=_Written)
                time_ms = parse_utc(line.time)
            except (msgspec.MsgspecError, ValueError):
                continue
            text = f"{line.message}\n{line.trace or ''}"
            if line.level in levels and wanted in text.casefold():
                why = line.trace and line.trace.strip().rpartition("\n")[2][:_SHOWN_LETTERS]
                yield LogLine(time_ms, line.level, path.stem, line.name, line.message[:_SHOWN_LETTERS], why)


def _end_of(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 2 * KEPT_BYTES))
            return file.read(2 * KEPT_BYTES)
    except OSError:
        return b""
