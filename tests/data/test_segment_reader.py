"""The child that reads sealed months: started by a question, gone when nobody asks, verified before it answers."""

import os
import signal
import sys

import numpy as np
import psutil
import pytest

from data.segment_files import write_groups
from data.segment_reader import Question, SegmentReader, serve
from market.errors import DataError
from utils.file_operations import atomic_file, sha256_of


@pytest.fixture
def path(tmp_path):
    """Return a file of two keys: numbers, texts that may be missing, and bytes."""
    path = tmp_path / "2025-01.1.parquet"
    with atomic_file(path) as file:
        write_groups(file, "symbol", [(name, columns(name)) for name in ("BTCUSDT", "ETHUSDT")])
    return path


@pytest.fixture
def reader():
    reader = SegmentReader()
    yield reader
    reader.close()


def columns(name):
    texts = np.array(["up", None, name], dtype=object)
    return {"open_ms": np.array([1, 2, 3]), "edge_bps": np.array([0.5, np.nan, 2.0]), "verdict": texts}


def question(path, key="BTCUSDT", span=(0, 10), sha256=None):
    return Question(str(path), sha256 or sha256_of(path), "symbol", key, ("open_ms", *span))


def test_rows_come_back_as_they_were_written(reader, path):
    found = reader.read(question(path, "ETHUSDT", (2, 4)))

    assert found["open_ms"].tolist() == [2, 3]
    assert found["verdict"].tolist() == [None, "ETHUSDT"]
    np.testing.assert_array_equal(found["edge_bps"], [np.nan, 2.0])
    assert reader.read(question(path, None))["symbol"].tolist() == ["BTCUSDT", "ETHUSDT"]
    assert len(reader.read(question(path, "NOSUCH"))["open_ms"]) == 0


def test_a_file_with_another_hash_or_none_is_refused(reader, path):
    with pytest.raises(DataError, match="not as it was written"):
        reader.read(question(path, sha256="0" * 64))
    with pytest.raises(FileNotFoundError):
        reader.read(question(path.with_name("none"), sha256="0" * 64))
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError):
        reader.read(question(path))


def test_a_killed_child_is_replaced(reader, path):
    reader.read(question(path))
    first = reader.pid
    os.kill(first, signal.SIGKILL)

    found = reader.read(question(path))

    assert len(found["open_ms"]) == 3
    assert reader.pid != first


def test_the_child_leaves_when_nobody_asks(path):
    (questions, no_question), (no_answer, answers) = os.pipe(), os.pipe()

    with os.fdopen(questions, "rb") as asked, os.fdopen(answers, "wb") as told:
        serve(asked, told, idle_seconds=0.01)

    assert os.read(no_answer, 1) == b""
    os.close(no_question)
    os.close(no_answer)


def test_the_child_ends_with_its_parent(path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from data.segment_reader import *; "
        "segment_reader.read(Question(sys.argv[2], sys.argv[3], 'symbol', 'BTCUSDT', ('open_ms', 0, 9))); "
        "print(segment_reader.pid, flush=True); sys.stdin.read()"
    )
    checkout = os.getcwd()
    parent = psutil.Popen([sys.executable, "-c", script, checkout, str(path), sha256_of(path)], stdin=-1, stdout=-1)
    child = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.communicate()

    assert child.wait(20) is None
