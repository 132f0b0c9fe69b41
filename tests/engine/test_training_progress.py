"""A training tells how far it is, within its steps, and how long it will take."""

import json

from engine.trainer import Progress


def told(path):
    return json.loads(path.read_text())


def test_a_part_of_a_step_counts(tmp_path):
    path = tmp_path / "training.json"
    progress = Progress(path, 4)

    progress.step("computing features")
    first = told(path)
    progress.step("training 1h")
    progress.part(3, 6)
    half = told(path)

    assert (first["done"], first["eta_s"]) == (0, None)
    assert (half["step"], half["done"], half["total"]) == ("training 1h", 1.5, 4)
    assert half["eta_s"] >= 0


def test_the_end_tells_what_failed(tmp_path):
    path = tmp_path / "training.json"
    progress = Progress(path, 1)
    progress.step("training 1d")
    progress.failures.append("1d has too little history")

    progress.end()

    assert (told(path)["done"], told(path)["failure"]) == (1, "1d has too little history")
