"""Files are old or new, never half."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.file_operations import ensure_writable, sha256_of, sweep_temporaries, write_atomically

CHECKOUT = Path(__file__).resolve().parents[2]
WRITE_FOR_EVER = """
import sys
from pathlib import Path
from utils.file_operations import write_atomically
path = Path(sys.argv[1])
for turn in range(10**9):
    write_atomically(path, bytes([turn % 256]) * 200_000)
    if turn == 0:
        print("ready", flush=True)
"""


def test_replaces_the_whole_content(tmp_path):
    path = tmp_path / "state.json"

    write_atomically(path, b"first and longer")
    write_atomically(path, b"second")

    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "state.json"
    write_atomically(path, b"old")

    with pytest.raises(TypeError):
        write_atomically(path, "a text, not bytes")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_a_whole_file_and_its_rest_is_swept(tmp_path):
    path = tmp_path / "state.bin"
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        with writer:
            assert writer.stdout.readline() == "ready\n"
            writer.kill()

        content = path.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1

    sweep_temporaries(tmp_path)

    assert list(tmp_path.iterdir()) == [path]


def test_sweeps_what_the_dead_left_and_nothing_else(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait(30)
    ours = tmp_path / f".state.json.{os.getpid()}.0.tmp"
    before_a_restart = tmp_path / f".older.json.{os.getpid()}.0.tmp"
    theirs = tmp_path / f".state.json.{dead.pid}.0.tmp"
    foreign = tmp_path / ".notes.tmp"
    for path in (ours, before_a_restart, theirs, foreign):
        path.write_bytes(b"half")
    os.utime(before_a_restart, (1_000_000, 1_000_000))

    removed = sweep_temporaries(tmp_path)

    assert removed == 2
    assert sorted(tmp_path.iterdir()) == sorted([ours, foreign])


def test_the_hash_is_that_of_the_content(tmp_path):
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)

    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_folder_is_made_and_proved_writable(tmp_path):
    folder = tmp_path / "a" / "b"

    ensure_writable(folder)

    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OSError, match="file/folder is not writable: Not a directory"):
        ensure_writable(tmp_path / "file" / "folder")
