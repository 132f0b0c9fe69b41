"""Children: brought back when they die, ended when asked, gone with their parent."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from utils.processes import Child, cap_threads, terminate_all

AUTOGROUP = Path("/proc/self/autogroup")

CHECKOUT = Path(__file__).resolve().parents[2]
WAIT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
print("up", flush=True)
signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
PARENT = """
import os, sys
from utils.processes import start
for _ in range(2):
    child = start([sys.executable, "-c", "import os, signal; os.write(1, b'up\\\\n'); signal.pause()"], None, None)
    os.write(1, b"%d\\n" % child.pid)  # at once, for others write into the same pipe
sys.stdin.read()
"""
SPAWNING = """
import subprocess, sys, signal
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(grandchild.pid, flush=True)
signal.pause()
"""


class HandClock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def make_child(tmp_path):
    made = []

    def make(code, clock=None):
        log = tmp_path / f"{len(made)}.log"
        log.touch()
        clock_used = {"clock": clock} if clock else {}
        child = Child("worker", [sys.executable, "-c", code], log=log, **clock_used)
        made.append(child)
        return child, log

    yield make
    for child in made:
        child.kill()


def until(is_true, seconds=20):
    """Look again and again for at most so long."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if is_true():
            return True
        tick.wait(0.01)
    return False


def test_a_killed_child_comes_back_after_its_wait(make_child):
    clock = HandClock()
    child, _ = make_child(WAIT, clock)
    child.start()
    first = child.pid
    os.kill(first, signal.SIGKILL)

    assert until(lambda: not child.tend())
    assert child.exit_code == -signal.SIGKILL
    clock.seconds += 0.1
    assert not child.tend()
    clock.seconds += 0.15

    assert child.tend()
    assert child.pid not in (None, first)
    assert child.restarts == 1


def test_waits_longer_for_each_death_but_never_longer_than_two_seconds(make_child):
    clock = HandClock()
    child, _ = make_child("pass", clock)
    child.start()
    waits = []
    for _ in range(6):
        assert until(lambda: not child.tend())
        waited = 0.0
        while not child.tend():
            clock.seconds += 0.05
            waited += 0.05
        waits.append(round(waited, 2))

    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 2.0, 2.0], abs=0.06)


def test_forgets_old_deaths_once_the_child_was_healthy(make_child):
    clock = HandClock()
    child, _ = make_child(WAIT, clock)
    child.start()
    for _ in range(4):
        os.kill(child.pid, signal.SIGKILL)
        assert until(lambda: not child.tend())
        clock.seconds += 5
        assert child.tend()
    clock.seconds += 60
    os.kill(child.pid, signal.SIGKILL)
    assert until(lambda: not child.tend())

    clock.seconds += 0.25

    assert child.tend()


def test_a_child_that_was_asked_to_stop_stays_away(make_child):
    clock = HandClock()
    child, log = make_child(WAIT, clock)
    child.start()
    assert until(lambda: log.read_text() == "up\n")

    child.terminate(timeout_seconds=20)
    clock.seconds += 100

    assert child.exit_code == 7
    assert not child.tend()
    assert child.pid is None


def test_a_stubborn_child_is_killed_when_the_time_is_over(make_child):
    child, log = make_child(STUBBORN)
    child.start()
    assert until(lambda: log.read_text() == "up\n")

    child.terminate(timeout_seconds=0.05)

    assert child.exit_code == -signal.SIGKILL


def test_ends_many_children_together(make_child):
    children = [make_child(WAIT) for _ in range(3)]
    for child, _ in children:
        child.start()
    assert until(lambda: all(log.read_text() == "up\n" for _, log in children))

    terminate_all([child for child, _ in children], timeout_seconds=20)

    assert [child.exit_code for child, _ in children] == [7, 7, 7]


def test_what_a_dead_child_started_goes_with_it(make_child):
    child, log = make_child(SPAWNING)
    child.start()
    assert until(lambda: log.read_text().endswith("\n"))
    grandchild = int(log.read_text())
    os.kill(child.pid, signal.SIGKILL)

    assert until(lambda: not child.tend())

    assert until(lambda: not _is_alive(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_children_die_with_a_killed_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        lines = [parent.stdout.readline() for _ in range(4)]
        children = [int(line) for line in lines if line != "up\n"]
        assert all(_is_alive(pid) for pid in children)
        parent.kill()
        parent.wait(20)

        assert len(children) == 2
        assert until(lambda: not any(_is_alive(pid) for pid in children))


def test_a_program_that_does_not_exist_is_an_error_at_once():
    with pytest.raises(FileNotFoundError):
        Child("nothing", ["/nowhere/nothing"]).start()


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="only Linux shares processors out among sessions")
@pytest.mark.parametrize(("is_own", "priority"), [(True, 10), (False, 0)])
def test_work_at_low_priority_steps_back_with_its_own_session_and_leaves_those_of_others(is_own, priority):
    text = "import os; from utils.processes import lower_priority as lower; lower(); print(os.nice(0)); "
    text += f"print(open({str(AUTOGROUP)!r}).read())"

    # A shell between keeps the child from leading the session.
    argv = [sys.executable, "-c", text] if is_own else ["sh", "-c", '"$@"; exit', "sh", sys.executable, "-c", text]
    told = subprocess.run(argv, cwd=CHECKOUT, start_new_session=True, capture_output=True, text=True, check=True).stdout

    niceness, group = told.split("\n", 1)
    assert int(niceness) == min(19, os.nice(0) + 10)
    assert group.split()[-1] == str(priority)


def test_threads_of_numeric_libraries_are_capped_and_the_rest_is_kept():
    environ = cap_threads({"HOME": "/home/somebody", "OMP_NUM_THREADS": "8"}, 1)

    assert environ["HOME"] == "/home/somebody"
    assert environ["OMP_NUM_THREADS"] == environ["OPENBLAS_NUM_THREADS"] == environ["NUMBA_NUM_THREADS"] == "1"


def _is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
