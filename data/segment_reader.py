"""Read sealed months in a child, so that a process which must stay small never loads pyarrow."""

import atexit
import contextlib
import select
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from market.errors import DataError, SourceUnavailable
from utils.file_operations import sha256_of

if TYPE_CHECKING:
    from data.segment_files import SegmentFile

IDLE_SECONDS = 30.0  # then the child leaves; the next question starts another one
_ANSWER_SECONDS = 60.0
_HEAD = struct.Struct("<Q")
_CHECKOUT = Path(__file__).resolve().parents[1]
# What a Parquet file whose bytes were changed makes pyarrow raise.
_DAMAGE = (DataError, OSError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError, MemoryError)
_MAX_OPEN = 8  # files the child keeps open and need not verify again


class Question(msgspec.Struct, frozen=True):
    """Which rows of which file: those with this key and the span's column in [least, end).

    Without a key: which keys there are, in a column of that name.
    """

    path: str
    sha256: str
    key_name: str
    key: str | None
    span: tuple[str, int, int]


class SegmentReader:
    """One child at a time, started by the first question; threads take turns."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, question: Question) -> dict[str, np.ndarray]:
        """Return the columns of the rows asked for.

        FileNotFoundError when the file is not there, DataError when it is not as it was written, SourceUnavailable
        when no child can be had.
        """
        asked = msgspec.msgpack.encode(question)
        with self._lock:
            answer = self._ask(asked)
            if answer is None:  # it had just left
                self._end()
                answer = self._ask(asked)
            if answer is None:
                self._end()
                raise SourceUnavailable("sealed months cannot be read now: the process that reads them ends at once")
        return _columns(answer)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """Return the process id of the child; None while there is none."""
        return None if self._child is None else self._child.pid

    def _ask(self, asked: bytes) -> bytes | None:
        child = self._child or self._start()
        if child.stdin is None or child.stdout is None:
            return None
        try:
            _write(child.stdin, asked)
            if not select.select([child.stdout], [], [], _ANSWER_SECONDS)[0]:
                child.kill()
                return None
            return _read(child.stdout)
        except BrokenPipeError:
            return None

    def _start(self) -> subprocess.Popen[bytes]:
        # Its standard input ends when this process does, however it ends: the child needs no other watch.
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "data.segment_reader"],
                cwd=_CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise SourceUnavailable(f"sealed months cannot be read now: {error.strerror}") from error
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None or child.stdin is None or child.stdout is None:
            return
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.stdout.close()
        child.wait()


class _Shelf:
    """The files opened last, each verified when it was opened; the key is the path with the hash it must have."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], SegmentFile] = {}

    def file(self, question: Question) -> "SegmentFile":
        """Return the open file; FileNotFoundError, DataError."""
        key = (question.path, question.sha256)
        if key not in self._files:
            while len(self._files) >= _MAX_OPEN:
                self._files.pop(next(iter(self._files))).close()
            self._files[key] = _opened(question)
        return self._files[key]


def serve(questions: BinaryIO, answers: BinaryIO, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer questions until there is none for so long, or nobody left to ask."""
    shelf = _Shelf()
    while select.select([questions], [], [], idle_seconds)[0]:
        asked = _read(questions)
        if asked is None:
            return
        _write(answers, msgspec.msgpack.encode(_answer(shelf, msgspec.msgpack.decode(asked, type=Question))))


def _answer(shelf: _Shelf, question: Question) -> dict[str, Any]:
    try:
        file = shelf.file(question)
        if question.key is None:
            return {"columns": {question.key_name: ["object", file.keys()]}}
        found = file.read(question.key, question.span)
    except FileNotFoundError:
        return {"gone": question.path}
    except _DAMAGE as error:
        return {"damaged": f"{type(error).__name__}: {error}"}
    return {"columns": {name: _packed(column) for name, column in found.items()}}


def _opened(question: Question) -> "SegmentFile":
    from data.segment_files import SegmentFile

    path = Path(question.path)
    if sha256_of(path) != question.sha256:
        raise DataError(f"{path.name} is not as it was written")
    return SegmentFile(path, question.key_name)


def _packed(column: np.ndarray) -> list[Any]:
    if column.dtype == object:
        return ["object", column.tolist()]
    return [column.dtype.str, np.ascontiguousarray(column).tobytes()]


def _columns(answer: bytes) -> dict[str, np.ndarray]:
    found: Mapping[str, Any] = msgspec.msgpack.decode(answer)
    if "gone" in found:
        raise FileNotFoundError(found["gone"])
    if "damaged" in found:
        raise DataError(found["damaged"])
    return {name: _unpacked(*packed) for name, packed in found["columns"].items()}


def _unpacked(kind: str, values: Any) -> np.ndarray:
    return np.array(values, dtype=object) if kind == "object" else np.frombuffer(values, dtype=kind)


def _write(stream: Any, message: bytes) -> None:
    stream.write(_HEAD.pack(len(message)))
    stream.write(message)
    stream.flush()


def _read(stream: Any) -> bytes | None:
    """Return one whole message, or None when the other side has left."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size = _HEAD.unpack(head)[0]
    message: bytes = stream.read(size)
    return message if len(message) == size else None


segment_reader = SegmentReader()
atexit.register(segment_reader.close)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
