"""What a start waits for is prepared beforehand, and no more than that."""

import json
import subprocess
import sys

import pytest

from engine.source import free_port
from tests.house_process import CHECKOUT, environment


def prepare(folder, *options):
    """Run the optimizer in `folder`; return what it says it has done last."""
    command = [sys.executable, str(CHECKOUT / "startup_optimizer.py"), "--json", *options]
    environ = environment(folder, free_port(), SYMBOLS="BTCUSDT,EDGEUSDT", HISTORY_DAYS=1)
    subprocess.run(command, env=environ, check=True, capture_output=True, timeout=240)
    return json.loads((folder / "instance" / "optimized.json").read_text())


def found(done):
    return next(step["what_there_is"] for step in done["steps"] if step["step"] == "models")


def models(folder):
    return {path.name for path in (folder / "models").glob("*.json")}


@pytest.mark.slow
def test_a_start_waits_for_one_model_and_the_others_are_added_to_it(tmp_path):
    first = prepare(tmp_path, "--if-needed")
    of_the_first = models(tmp_path)
    again = prepare(tmp_path, "--if-needed")
    whole = prepare(tmp_path)

    assert found(first) == "1 of 2 horizons: 15m; the engine trains the others"
    assert again == first
    assert found(whole) == "2 of 2 horizons: 15m, 1h"
    assert of_the_first < models(tmp_path)
    assert len(models(tmp_path)) == 2
