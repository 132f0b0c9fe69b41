"""One secret, however many ask first, for its owner's eyes only."""

import os
import stat
import subprocess
import sys

from utils.secret_file import load_or_make_secret, load_secret

ASK = """
import sys
from pathlib import Path
from utils.secret_file import load_or_make_secret

sys.stdin.readline()
print(load_or_make_secret(Path(sys.argv[1])).hex())
"""


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "instance" / "model.key"

    made = load_or_make_secret(path)

    assert len(made) == 32
    assert load_or_make_secret(path) == load_secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_race_for_it_get_the_same_one(tmp_path):
    path = tmp_path / "model.key"
    command = [sys.executable, "-c", ASK, str(path)]
    askers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for asker in askers:
        asker.stdin.write("go\n")
        asker.stdin.flush()

    told = {asker.communicate()[0].strip() for asker in askers}

    assert told == {load_secret(path).hex()}
    assert [file.name for file in tmp_path.iterdir()] == ["model.key"]


def test_looking_for_a_secret_makes_none(tmp_path):
    assert load_secret(tmp_path / "model.key") is None
    assert not list(tmp_path.iterdir())


def test_what_is_no_secret_is_set_aside(tmp_path):
    path = tmp_path / "model.key"
    path.write_text("half a sec")

    made = load_or_make_secret(path)

    assert load_secret(path) == made
    assert (tmp_path / "model.key.damaged").read_text() == "half a sec"


def test_a_link_or_a_pipe_is_no_secret(tmp_path):
    load_or_make_secret(tmp_path / "real.key")
    (tmp_path / "link.key").symlink_to(tmp_path / "real.key")
    os.mkfifo(tmp_path / "pipe.key")

    assert load_secret(tmp_path / "link.key") is None
    assert load_secret(tmp_path / "pipe.key") is None


def test_a_secret_that_others_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "model.key"
    made = load_or_make_secret(path)
    path.chmod(0o644)

    assert load_or_make_secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
