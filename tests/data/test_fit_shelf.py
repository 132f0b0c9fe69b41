import os

import numpy as np
import pytest

from data.fit_shelf import FitShelf

ARRAYS = {"nodes": np.arange(12, dtype=np.uint32).reshape(6, 2), "late_losses": np.linspace(0.0, 1.0, 50)}


def key(number):
    return f"{number:064x}"


def test_gives_back_what_was_kept(tmp_path):
    FitShelf(tmp_path / "fits").keep(key(1), ARRAYS)

    arrays = FitShelf(tmp_path / "fits").load(key(1))

    assert {name: array.tolist() for name, array in arrays.items()} == {n: a.tolist() for n, a in ARRAYS.items()}


def test_has_nothing_under_a_key_that_was_never_kept(tmp_path):
    assert FitShelf(tmp_path / "fits").load(key(1)) is None


def test_throws_away_what_was_used_longest_ago(tmp_path):
    shelf = FitShelf(tmp_path, max_bytes=1)
    shelf.keep(key(0), ARRAYS)
    assert list(tmp_path.iterdir()) == []
    size_bytes = _kept_size(tmp_path)

    shelf = FitShelf(tmp_path, max_bytes=3 * size_bytes)
    for number in range(3):
        shelf.keep(key(number), ARRAYS)
        os.utime(tmp_path / f"{key(number)}.fit", ns=(number, number))
    assert shelf.load(key(0)) is not None
    shelf.keep(key(3), ARRAYS)

    assert [shelf.load(key(number)) is not None for number in range(4)] == [True, False, True, True]


@pytest.mark.parametrize("at", [0, 60, -40, -1])
def test_a_damaged_file_is_thrown_away_not_used(tmp_path, at):
    shelf = FitShelf(tmp_path)
    shelf.keep(key(1), ARRAYS)
    path = tmp_path / f"{key(1)}.fit"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    assert shelf.load(key(1)) is None
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x04\x95" * 40])
def test_a_foreign_file_is_thrown_away_not_opened(tmp_path, content):
    (tmp_path / f"{key(1)}.fit").write_bytes(content)

    assert FitShelf(tmp_path).load(key(1)) is None


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path):
    (tmp_path / "fits").write_text("a file where the folder should be")
    shelf = FitShelf(tmp_path / "fits")

    shelf.keep(key(1), ARRAYS)

    assert shelf.load(key(1)) is None


def _kept_size(folder):
    FitShelf(folder).keep(key(9), ARRAYS)
    path = folder / f"{key(9)}.fit"
    size_bytes = path.stat().st_size
    path.unlink()
    return size_bytes
