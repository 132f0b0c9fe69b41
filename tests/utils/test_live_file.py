import errno
import json
import os
import resource

import pytest

from utils.live_file import LiveFile


@pytest.fixture
def full_disk():
    """Let no file of this process grow or be made with content, as on a full disk; what has blocks can be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(size_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_reader_finds_the_newest_words(tmp_path):
    file = LiveFile(tmp_path / "state.json")

    said = [file.write(b'{"n": 1}'), file.write(b'{"n": 2}')]

    assert json.loads((tmp_path / "state.json").read_bytes()) == {"n": 2}
    assert said == [None, None]


def test_a_folder_that_takes_no_new_file_is_written_in_place(tmp_path):
    file = LiveFile(tmp_path / "state.json")
    file.write(b'{"n": 1}')
    away = tmp_path.rename(tmp_path.with_name("away"))  # nothing can be made under the old name any more

    said = file.write(b'{"n": 2, "more": "%s"}' % (b"x" * 900))

    assert json.loads((away / "state.json").read_bytes())["n"] == 2
    assert said == os.strerror(errno.ENOENT)


def test_a_full_disk_is_named(tmp_path, full_disk):
    file = LiveFile(tmp_path / "state.json")
    file.write(b'{"n": 1}')
    full_disk(0)
    with pytest.raises(OSError):
        file.write(b'{"n": 2}')
    full_disk(1_000_000)

    assert file.write(b'{"n": 3}') is None
    assert json.loads((tmp_path / "state.json").read_bytes()) == {"n": 3}
