"""The sealer in a child: once an hour of the market, one at a time."""

import os
import sys
import time

import pytest

from engine.sealing_job import SealingJob
from market.intervals import HOUR_MS

NOTE = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(float(sys.argv[2]))"


@pytest.fixture
def job():
    job = SealingJob(dict(os.environ))
    yield job
    job.stop()


def runs(tmp_path, count):
    """Return whether so many children have begun, as soon as they have."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (tmp_path / "runs").exists() and len((tmp_path / "runs").read_text()) >= count:
            return len((tmp_path / "runs").read_text()) == count
        time.sleep(0.01)
    return False


def command(tmp_path, seconds):
    return [sys.executable, "-c", NOTE, str(tmp_path / "runs"), str(seconds)]


def test_it_seals_once_an_hour_of_the_market(job, tmp_path):
    for market_ms in (HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS - 1):
        job.tend(market_ms, command(tmp_path, 0))
    assert runs(tmp_path, 1)

    while job.is_running:
        job.tend(2 * HOUR_MS - 1, command(tmp_path, 0))
        time.sleep(0.01)
    job.tend(2 * HOUR_MS, command(tmp_path, 0))

    assert runs(tmp_path, 2)


def test_a_sealing_that_goes_on_is_not_joined_by_another(job, tmp_path):
    job.tend(HOUR_MS, command(tmp_path, 60))
    assert runs(tmp_path, 1)

    job.tend(5 * HOUR_MS, command(tmp_path, 60))
    job.stop()
    job.tend(5 * HOUR_MS, command(tmp_path, 0))

    assert runs(tmp_path, 2)


def test_a_program_that_is_not_there_ends_nothing(job, caplog):
    job.tend(HOUR_MS, ["/nowhere/python"])

    assert not job.is_running
    assert "sealing not started" in caplog.text


def test_a_sealing_that_failed_is_told_until_one_succeeds(job, tmp_path):
    def ended_after(market_ms, *argv):
        job.tend(market_ms, [sys.executable, "-c", *argv])
        deadline = time.monotonic() + 20
        while job.is_running and time.monotonic() < deadline:
            job.tend(market_ms, [])
            time.sleep(0.01)
        return job.failure

    assert ended_after(HOUR_MS, "raise SystemExit(1)") == "the sealer ended with code 1"
    assert ended_after(2 * HOUR_MS, "pass") is None
