import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from features import kernels
from features.feature_engineering import candle_values
from tests.conftest import CHECKOUT
from tests.features.candle_kinds import numbers_of, walk

PLUG_IN = '''"""Relative strength index after Wilder: recent gains against recent losses, 0 to 100."""

import math

from features import indicators

LENGTH = 14


@indicators.add("gain_share", state=4, warmup=LENGTH)
def step(state, k, open_, high, low, close, volume):
    """Take in one closed candle of one symbol; return the RSI, nan while warming up.

    state[k:k+4]: average gain, average loss, last close, candles seen.
    """
    change, seen = close - state[k + 2], state[k + 3]
    state[k + 2], state[k + 3] = close, seen + 1
    if seen == 0:
        return math.nan
    weight = 1.0 / min(seen, LENGTH)  # a plain mean until LENGTH changes are in, then Wilder's smoothing
    state[k] += weight * (max(change, 0.0) - state[k])
    state[k + 1] += weight * (max(-change, 0.0) - state[k + 1])
    if seen < LENGTH:
        return math.nan
    total = state[k] + state[k + 1]
    return 100.0 * state[k] / total if total else 50.0
'''
PROGRAM = """
import numpy as np
from features import kernels
kernel = kernels.load("pair", {"rsi": "rsi", "own": "gain_share"})
candles = np.abs(np.random.default_rng(1).normal(10, 1, (200, 5)))
rows = kernel.run_history(np.arange(200), candles)
print(kernel.is_from_disk, np.nanmax(np.abs(rows[:, 0] - rows[:, 1])) < 1e-9, np.isnan(rows[:, 1]).sum())
"""


def checkout_with(folder, plug_in):
    """Copy the rooms a kernel needs to `folder`, with one indicator more."""
    for room in ("features", "market", "utils"):
        shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("_compiled", "__pycache__"))
    (folder / "features" / "indicators" / "gain_share.py").write_text(plug_in, encoding="utf-8")


def run_in(folder):
    answer = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True)
    return answer.stdout.split()


def generated(folder):
    return sorted(path.name for path in (folder / "features" / "_compiled").glob("pair_*.py"))


def test_one_new_file_is_one_new_line_and_the_second_process_compiles_nothing(tmp_path):
    checkout_with(tmp_path, PLUG_IN)

    first, second = run_in(tmp_path), run_in(tmp_path)

    assert first == ["False", "True", "14"]
    assert second == ["True", "True", "14"]


def test_a_changed_rule_is_compiled_anew_and_its_old_code_goes(tmp_path):
    checkout_with(tmp_path, PLUG_IN)
    run_in(tmp_path)
    before = generated(tmp_path)
    (tmp_path / "features" / "indicators" / "gain_share.py").write_text(PLUG_IN.replace("50.0", "49.0"), "utf-8")

    answer = run_in(tmp_path)

    assert answer[0] == "False"
    assert len(generated(tmp_path)) == 1
    assert generated(tmp_path) != before
    leftovers = [path.name for path in (tmp_path / "features" / "_compiled" / "__pycache__").glob("pair_*")]
    assert all(name.startswith(generated(tmp_path)[0].removesuffix(".py")) for name in leftovers)


def test_a_checkout_that_cannot_be_written_uses_a_private_folder(tmp_path, monkeypatch):
    (tmp_path / "checkout").write_text("not a folder", encoding="utf-8")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kernels._private_folder.cache_clear()

    kernel = kernels.load("fallback", {"obv": "obv"}, folder=tmp_path / "checkout" / "_compiled")

    folder = tmp_path / f"candela-kernels-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.glob("fallback_*.py"))) == 1
    assert kernel.run_history(numbers_of(walk(10)), candle_values(walk(10))).shape == (10, 1)
    kernels._private_folder.cache_clear()


def test_a_folder_others_could_write_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = tmp_path / f"candela-kernels-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    kernels._private_folder.cache_clear()

    assert kernels._private_folder() != shared
    kernels._private_folder.cache_clear()


def test_a_formula_with_an_unknown_name_tells_which_lines_there_are(tmp_path):
    with pytest.raises(KeyError, match=r"uses 'rsy'.*rsi"):
        kernels.load("wrong", {"column": "rsy / 50"}, folder=tmp_path)


def test_formulas_take_lines_candles_and_shared_formulas(tmp_path):
    columns = {"place": "ratio(close - low, span, 0.5)", "rise": "math.sqrt(momentum_1 * momentum_1)"}
    kernel = kernels.load("formulas", columns, {"span": "high - low"}, folder=tmp_path)
    candles = candle_values(walk(50))

    rows = kernel.run_history(numbers_of(walk(50)), candles)

    _, high, low, close, _ = candles.T
    np.testing.assert_allclose(rows[:, 0], (close - low) / (high - low), rtol=1e-14)
    np.testing.assert_allclose(rows[1:, 1], np.abs(np.diff(close)), rtol=1e-14)
