"""Whatever lies among the models: it is refused, nothing runs, nothing crashes, nothing hangs."""

import json
import subprocess
import sys

from config import CHECKOUT

CASES = 2_000
PATIENCE_SECONDS = 240  # a hang is a hang, however busy the machine is


def test_thousands_of_damaged_and_hostile_files_are_refused_and_none_is_executed(tmp_path):
    command = [sys.executable, "-m", "tests.data.hostile_models", str(tmp_path)]

    run = subprocess.run(
        command, env={"PYTHONPATH": str(CHECKOUT), "PATH": ""}, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )

    assert run.returncode == 0, run.stderr[-2_000:]
    told = json.loads(run.stdout)
    assert told["of others"] >= CASES
    assert (told["executed"], told["wrong"], told["control"]) == (0, [], "used")
    assert told["refused"] + told["used by its owner"] == told["cases"]
