"""The served form of a model beside scikit-learn: one row, 500 rows, loading, and a candle close to 500 answers."""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import talib

from data.model_store import ModelStore
from features.feature_engineering import (
    COLUMNS,
    OWN_COLUMNS,
    SCALE,
    WARMUP,
    FeatureState,
    add_market,
    candle_values,
    compute_features,
)
from models import families
from models.calibration import PLATT, Calibration
from models.forest_kernels import STEP_BITS
from models.moves import Move
from models.panel import Panel
from models.reference import REFERENCE_ROWS, Reference
from models.served import ServedModel, content_id
from models.training import TrainingSettings, train_horizon
from tests.features.candle_kinds import FIRST_MS, MINUTE_MS, walk
from utils.model_cache import model_cache

SYMBOLS, CANDLES, CLOSES = 500, 500, 50
TREES, DEPTH, TRAINING_ROWS = 200, 10, 20_000
FULL_ROWS, FULL_COLUMNS = 50_000, 40
ROUNDS, ROWS_ALONE = 15, 3_000
GATE_ROWS, TOLERANCE = 10_000, 1e-7
VENUE, INTERVAL, HORIZON = "benchmark", "5m", "1h"


def forest_one_row():
    """One row through a forest of 200 trees, depth 10, microseconds; every row is another one."""
    estimator, forest, rows = _forest()
    alone = [row[None] for row in rows[:ROWS_ALONE]]
    single = [row.astype(np.float32)[None] for row in rows[:20]]

    return {
        "anchor": "scikit-learn predict_proba, n_jobs=1",
        "anchor_value": statistics.median(_seconds(estimator.predict_proba, row) for row in single) * 1e6,
        "ours_value": statistics.median(_seconds(forest.probability, row) for row in alone) * 1e6,
        "unit": "us",
        "goal": "<= 6",
        "gate": _gate(estimator, forest, rows),
    }


def forest_500_rows():
    """500 rows through a forest of 200 trees, depth 10, milliseconds."""
    estimator, forest, rows = _forest()
    batch, narrow = rows[:SYMBOLS], rows[:SYMBOLS].astype(np.float32)

    anchor_s, ours_s = _medians(lambda: estimator.predict_proba(narrow), lambda: forest.probability(batch))
    return {
        "anchor": "scikit-learn predict_proba, n_jobs=1",
        "anchor_value": anchor_s * 1e3,
        "ours_value": ours_s * 1e3,
        "unit": "ms",
        "goal": "<= 2.1",
        "gate": _gate(estimator, forest, rows),
    }


def model_cold_load():
    """A forest of 200 full-depth trees from a cold disk: verified, loaded and asked about 500 rows, milliseconds."""
    estimator, forest, rows = _full_forest()
    batch, narrow = rows[:SYMBOLS], rows[:SYMBOLS].astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        store, name = _stored(Path(folder), forest)
        dump = Path(folder) / "anchor" / "forest.joblib"
        dump.parent.mkdir()
        joblib.dump(estimator, dump)
        served = Path(folder) / f"{name}.npz"

        anchor_s = statistics.median(
            _seconds(lambda: joblib.load(dump).predict_proba(narrow), before=lambda: _forget(dump)) for _ in range(5)
        )
        ours_s = statistics.median(
            _seconds(lambda: store.load(name).predict(batch), before=lambda: _forget(served)) for _ in range(5)
        )
    return {
        "anchor": f"joblib.load + scikit-learn, {len(forest.nodes):,} nodes",
        "anchor_value": anchor_s * 1e3,
        "ours_value": ours_s * 1e3,
        "unit": "ms",
        "goal": "<= 40",
        "gate": _gate(estimator, forest, rows[:2_000]),
    }


def model_second_process():
    """Memory of its own that a second process needs for the same forest, loaded and asked about 500 rows, megabytes."""
    forest = _full_forest()[1]
    with tempfile.TemporaryDirectory() as folder:
        _, name = _stored(Path(folder), forest)
        command = [sys.executable, "-c", _OWN_MEMORY, folder, name, str(forest.feature_count)]
        with _child(command) as first:
            first.stdout.readline()  # it has the model, and keeps it
            with _child(command) as second:
                own_mb = float(second.stdout.readline())
    return {
        "anchor": "the model's file, were it copied",
        "anchor_value": forest.nodes.nbytes / 1e6 + forest.means.nbytes / 1e6,
        "ours_value": own_mb,
        "unit": "MB",
        "goal": "<= 5",
        "gate": "none",
    }


def model_cached_load():
    """The same forest asked for again through the model cache, milliseconds."""
    forest = _full_forest()[1]
    with tempfile.TemporaryDirectory() as folder:
        store, name = _stored(Path(folder), forest)
        anchor_s = statistics.median(_seconds(store.load, name) for _ in range(3))
        first = store.cached(name)
        ours_s = statistics.median(_seconds(store.cached, name) for _ in range(1_000))
        is_same = store.cached(name) is first
    model_cache.clear_cache()
    return {
        "anchor": "loading it each time",
        "anchor_value": anchor_s * 1e3,
        "ours_value": ours_s * 1e3,
        "unit": "ms",
        "goal": "<= 0.2",
        "gate": "passed" if is_same else "failed",
    }


def contributions_500_rows():
    """What moved each of 500 rows through a forest of 32 trees of depth 4 (what a training makes), milliseconds."""
    _, forest, rows = _grown(TRAINING_ROWS, 25, max_depth=4, trees=32)
    batch = rows[:SYMBOLS]
    ours_s = statistics.median(_seconds(forest.contributions, batch) for _ in range(ROUNDS))
    anchor_s = statistics.median(_seconds(_walked, forest, batch) for _ in range(3))
    told = forest.contributions(rows)
    is_whole = np.abs(told.base + told.values.sum(axis=1) - forest.probability(rows)).max() < 1e-9
    return {
        "anchor": "the same walk in Python",
        "anchor_value": anchor_s * 1e3,
        "ours_value": ours_s * 1e3,
        "unit": "ms",
        "goal": "<= 2",
        "gate": "passed" if is_whole and np.allclose(_walked(forest, batch), told.values[:SYMBOLS]) else "failed",
    }


def distance_500_rows():
    """How far 500 rows of 40 features lie from 512 reference rows, and which three are nearest, milliseconds."""
    reference, rows = reference_of(FULL_COLUMNS), np.random.default_rng(3).normal(size=(SYMBOLS, FULL_COLUMNS))

    def anchor():
        apart = reference.rows.T[None] - rows[:, None].astype(np.float32)
        distances = np.sqrt(np.square(apart).mean(axis=2))
        nearest = np.argsort(distances, axis=1)[:, :3]
        return np.take_along_axis(distances, nearest, axis=1).mean(axis=1), nearest

    anchor_s, ours_s = _medians(anchor, lambda: reference.likes(rows))
    likes, (distances, nearest) = reference.likes(rows), anchor()
    is_right = np.array_equal(likes.places, nearest) and np.allclose(likes.distance, distances, rtol=1e-5)
    return {
        "anchor": "NumPy, all pairs",
        "anchor_value": anchor_s * 1e3,
        "ours_value": ours_s * 1e3,
        "unit": "ms",
        "goal": "<= 1",
        "gate": "passed" if is_right else "failed",
    }


def candle_to_500():
    """A closed candle of each of 500 symbols up to 500 calibrated probabilities, milliseconds."""
    tables = [walk(WARMUP + CLOSES, 10.0 ** (seed % 11 - 5), seed=seed) for seed in range(SYMBOLS)]
    panel = _market_panel(tables)
    estimator, model = _market_model(tables, panel)
    state, indexes = FeatureState(SYMBOLS, MINUTE_MS), np.arange(SYMBOLS)
    for index, table in enumerate(tables):
        state.warm(index, table[:WARMUP])
    closing = np.array([candle_values(table[WARMUP:]) for table in tables])
    tails = [np.ascontiguousarray(candle_values(table[-CANDLES:]).T) for table in tables]

    spent = []
    for at in range(closing.shape[1]):
        candles, open_ms = np.ascontiguousarray(closing[:, at]), FIRST_MS + (WARMUP + at) * MINUTE_MS
        started = time.perf_counter()
        rows = state.step(indexes, open_ms, candles)
        scores = model.predict(rows)
        spent.append(time.perf_counter() - started)
    narrow = rows.astype(np.float32)

    def anchor():
        for tail in tails:
            _talib(*tail)
        estimator.predict_proba(narrow)

    is_right = (
        np.array_equal(panel[:, -1], rows)
        and np.isfinite(scores.probability_up).all()
        and _gate(estimator, model.form, rows) == "passed"
    )
    return {
        "anchor": f"TA-Lib over {CANDLES} candles, 25 lines, + one scikit-learn batch",
        "anchor_value": statistics.median(_seconds(anchor) for _ in range(ROUNDS)) * 1e3,
        "ours_value": statistics.median(spent) * 1e3,
        "unit": "ms",
        "goal": "<= 2, >= 24x",
        "gate": "passed" if is_right else "failed",
    }


_OWN_MEMORY = """
import sys
from pathlib import Path
import numpy as np
from data.model_store import ModelStore
from models.forest import compile_kernels
from models.reference import compile_kernels as compile_reference

def own_mb():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024

compile_kernels()
compile_reference()
folder, name, columns = sys.argv[1:]
rows = np.random.default_rng(5).normal(size=(500, int(columns)))
before = own_mb()
model = ModelStore(Path(folder), Path(folder) / "model.key").load(name)
model.predict(rows)
print(own_mb() - before, flush=True)
sys.stdin.read()
"""


@contextmanager
def _child(command):
    """Run a child that stays until its input ends."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield child


@cache
def _forest():
    """Return scikit-learn's forest on 25 columns, its flat form, and rows neither has seen."""
    return _grown(TRAINING_ROWS, 25, max_depth=DEPTH)


@cache
def _full_forest():
    return _grown(FULL_ROWS, FULL_COLUMNS, max_depth=None)


def _grown(count, columns, max_depth, trees=TREES):
    random = np.random.default_rng(0)
    rows = random.normal(size=(count, columns)).astype(np.float32)
    up = rows[:, :5].sum(axis=1) + 3.0 * random.normal(size=count) > 0.0
    estimator = _fitted(rows, up, max_depth, trees)
    return estimator, families["random_forest"].flatten(estimator), random.normal(size=(GATE_ROWS, columns))


def _walked(forest, rows):
    """Return the contributions of each row, one node after the other."""
    changes = np.zeros(rows.shape)
    for change, row in zip(changes, rows.astype(np.float32), strict=True):
        first_mean = 0
        for start, end in itertools.pairwise(forest.starts.tolist()):
            node, held = start, float(forest.means[first_mean])
            while step := int(forest.nodes[node, 1]) & ((1 << STEP_BITS) - 1):
                feature = int(forest.nodes[node, 1]) >> STEP_BITS
                word = forest.nodes[node, :1].view(np.float32)[0]
                node += step + int(row[feature] > word)
                below = int(forest.nodes[node, 1]) & ((1 << STEP_BITS) - 1)
                inner = (node + below - start - 1) // 2
                mean = forest.means[first_mean + inner] if below else forest.nodes[node, :1].view(np.float32)[0]
                change[feature] += (float(mean) - held) * forest.weight
                held = float(mean)
            first_mean += (end - start) // 2
    return changes


def _fitted(rows, up, max_depth, trees=TREES):
    from sklearn.ensemble import RandomForestClassifier

    estimator = RandomForestClassifier(trees, max_depth=max_depth, random_state=0, n_jobs=os.cpu_count())
    return estimator.fit(rows, up).set_params(n_jobs=1)


def _market_panel(tables):
    """Return the features of the last candles of all symbols: (symbols, CLOSES, columns)."""
    panel = np.empty((len(tables), CLOSES + 1, len(COLUMNS)))
    for index, table in enumerate(tables):
        panel[index, :, : len(OWN_COLUMNS)] = compute_features(table, MINUTE_MS)[-CLOSES - 1 :]
    add_market(panel)
    return panel[:, 1:]


def _market_model(tables, panel):
    """Return a forest on the features of generated candles, and the served model around its flat form."""
    rows = panel[:, :-1].reshape(-1, len(COLUMNS)).astype(np.float32)
    up = np.concatenate([table["close"][-CLOSES + 1 :] > table["close"][-CLOSES:-1] for table in tables])
    estimator = _fitted(rows[:TRAINING_ROWS], up[:TRAINING_ROWS], DEPTH)
    return estimator, _served(families["random_forest"].flatten(estimator), COLUMNS, SCALE)


def _served(forest, columns, scale_column):
    line = Calibration(PLATT, np.array([-5.0, 5.0]), np.array([-5.0, 5.0]))
    parts = (forest, line, Move(2.5, 1.3), reference_of(len(columns)))
    model = ServedModel("", "random_forest", INTERVAL, HORIZON, 12, columns, scale_column, 0.8, *parts)
    return replace(model, id=content_id(model))


def reference_of(columns):
    """Return as many reference rows as a training keeps."""
    rows = np.random.default_rng(2).normal(size=(columns, REFERENCE_ROWS)).astype(np.float32)
    units = np.repeat([[0.0], [1.0], [0.0], [1.0]], columns, axis=1)
    cases = np.zeros((REFERENCE_ROWS, 2), np.int64)
    return Reference(units, rows, cases, np.zeros(REFERENCE_ROWS), 2.0, ("A",))


def _stored(folder, forest):
    """Return a store that holds the forest as a whole model, and its name."""
    columns = tuple(f"column_{number}" for number in range(forest.feature_count))
    random = np.random.default_rng(1)
    features = np.abs(random.normal(size=(2, 400, len(columns)))).astype(np.float32)
    closes = random.uniform(99.0, 101.0, (2, 400))
    panel = Panel(("A", "B"), columns, "column_0", np.arange(400) * 300_000, features, closes)
    small = train_horizon(panel, INTERVAL, HORIZON, 12, TrainingSettings(replay_candles=50, folds=1))
    model = _served(forest, columns, "column_0")
    answer = float(model.predict(np.array([small.check_row])).probability_up[0])
    store = ModelStore(folder, folder / "model.key")
    return store, store.save(replace(small, model=model, estimator=None, check_probability=answer), VENUE, (0, 1))


def _gate(estimator, forest, rows):
    """Return "passed" when probabilities equal scikit-learn's and not one decision differs, or "failed"."""
    narrow = rows.astype(np.float32)
    ours, theirs = forest.probability(rows), estimator.predict_proba(narrow)[:, 1]
    is_equal = np.abs(ours - theirs).max() <= TOLERANCE and not ((ours > 0.5) != (theirs > 0.5)).any()
    return "passed" if is_equal else "failed"


def _forget(path):
    """Drop a file from the page cache, so that the next reader waits for the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _medians(*works):
    """Return the median seconds of each, taken in turns so that a busy moment hits all of them."""
    rounds = [[_seconds(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def _seconds(work, *arguments, before=lambda: None):
    before()
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def _talib(open_, high, low, close, volume):
    price = (high + low + close) / 3
    return (
        *(talib.SMA(close, length) for length in (10, 20, 50)),
        *(talib.EMA(close, length) for length in (12, 26, 50)),
        talib.RSI(close, 14),
        *talib.MACD(close),
        *talib.BBANDS(close, 20),
        talib.ATR(high, low, close, 14),
        talib.ADX(high, low, close, 14),
        *talib.STOCH(high, low, close, 14, 3, 0, 3, 0),
        talib.OBV(close, volume),
        talib.MFI(high, low, close, volume, 14),
        talib.CCI(high, low, close, 20),
        talib.WILLR(high, low, close, 14),
        talib.ROC(close, 10),
        talib.MOM(close, 10),
        talib.STDDEV(close, 20),
        talib.SUM(price * volume, 20) / talib.SUM(volume, 20),
    )


BENCHMARKS = (
    forest_one_row,
    forest_500_rows,
    contributions_500_rows,
    distance_500_rows,
    model_cold_load,
    model_second_process,
    model_cached_load,
    candle_to_500,
)
