"""A training in a child: followed, taken over, never in the way."""

import json
import os
import sys
import time

import pytest

from engine.training_job import PROGRESS_FILE, TrainingJob

WRITE = """
import json, sys, time
json.dump({state}, open(sys.argv[1], "w"))
{then}
"""


@pytest.fixture
def job(tmp_path):
    job = TrainingJob(tmp_path, dict(os.environ))
    yield job
    job.stop()


def command(tmp_path, then="", **state):
    return [sys.executable, "-c", WRITE.format(state=state or {"step": "x"}, then=then), str(tmp_path / PROGRESS_FILE)]


def finish(job, on_done=lambda: None):
    deadline = time.monotonic() + 20
    while job.is_running and time.monotonic() < deadline:
        job.poll(on_done)
        time.sleep(0.01)
    assert not job.is_running


def test_what_it_left_is_taken_over_once(job, tmp_path):
    taken = []
    job.start(command(tmp_path))

    finish(job, lambda: taken.append(1))

    assert taken == [1]
    assert job.failure is None


def test_its_progress_can_be_read_while_it_runs(job, tmp_path):
    job.start(command(tmp_path, then="time.sleep(60)", step="training 1h", done=1, total=5, eta_s=3.5))
    deadline = time.monotonic() + 20
    while not (job.progress() or {}).get("step") and time.monotonic() < deadline:
        time.sleep(0.01)

    assert job.progress() == {"step": "training 1h", "done": 1, "total": 5, "eta_s": 3.5}


def test_a_failure_is_kept_and_not_tried_again_at_once(job, tmp_path):
    job.start(command(tmp_path, then="sys.exit(3)"))
    finish(job)

    job.start(command(tmp_path))

    assert "code 3" in job.failure
    assert job.has_crashed
    assert not job.is_running


def test_a_horizon_without_enough_history_is_told_though_the_others_were_trained(job, tmp_path):
    taken = []
    job.start(command(tmp_path, failure="1d on 5m has 10 labelled candles, needs 900"))
    finish(job, lambda: taken.append(1))

    assert taken == [1]
    assert job.failure.startswith("1d on 5m")


def test_half_a_progress_file_is_no_progress(job, tmp_path):
    job.start([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / PROGRESS_FILE).write_text(json.dumps({"step": "x"})[:-3])

    assert job.progress() == {"step": None, "done": None, "total": None, "eta_s": None}


def test_a_stopped_training_is_gone(job, tmp_path):
    job.start(command(tmp_path, then="time.sleep(60)"))

    job.stop()

    assert not job.is_running
    assert job.progress() is None
