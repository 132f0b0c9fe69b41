"""One holder at a time, named to the second."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.instance_lock import AlreadyHeldError, InstanceLock

CHECKOUT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from utils.instance_lock import InstanceLock
with InstanceLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_told_who_holds_it(tmp_path):
    path = tmp_path / "candela.pid"

    with InstanceLock(path), pytest.raises(AlreadyHeldError, match=f"already running, pid {os.getpid()} ") as caught:
        InstanceLock(path).__enter__()

    assert caught.value.pid == os.getpid()


def test_it_is_free_after_it_was_given_back(tmp_path):
    path = tmp_path / "candela.pid"
    with InstanceLock(path):
        pass

    with InstanceLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_killed_holder_gives_it_back(tmp_path):
    path = tmp_path / "candela.pid"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyHeldError, match=f"pid {holder.pid} "):
            InstanceLock(path).__enter__()
        holder.kill()

    with InstanceLock(path):
        assert path.read_text() == f"{os.getpid()}\n"
