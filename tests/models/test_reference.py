"""How unusual a row is, and which past cases were like it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import models.reference
from market.errors import ModelError
from models.array_file import pack, unpack
from models.panel import outcomes_of, sample
from models.reference import NEAREST, REFERENCE_ROWS, fit_reference, reference_from
from tests.models.synthetic import COLUMNS, synthetic_panel

HORIZON = 12
TRAINING, LATER, LATEST = range(4_000), range(4_020, 5_000), range(5_020, 6_000)


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=10, candles=6_000, seed=4)


@pytest.fixture(scope="module")
def job(market):
    return SimpleNamespace(panel=market, outcomes=outcomes_of(market, HORIZON))


def rows_of(job, span):
    return sample(job.panel, job.outcomes, span, 20_000)


@pytest.fixture(scope="module")
def reference(job):
    return fit_reference(job.panel, job.outcomes, rows_of(job, TRAINING), rows_of(job, LATER))


def test_rows_of_a_later_time_are_usual(job, reference):
    strangeness = reference.strangeness(rows_of(job, LATEST).rows)

    assert (strangeness > 1.0).mean() <= 0.01


@pytest.mark.parametrize(("column", "value"), [("volatility_bps", 1e7), ("volatility_bps", 0.0), ("noise_3", 1e3)])
def test_garbage_in_one_column_is_out_of_distribution(job, reference, column, value):
    rows = rows_of(job, LATEST).rows.copy()
    rows[:, COLUMNS.index(column)] = value

    assert (reference.strangeness(rows) > 1.0).mean() > 0.99


def test_a_value_beyond_all_numbers_is_infinitely_strange(job, reference):
    rows = rows_of(job, LATEST).rows[:2].astype(np.float64)
    rows[0, 0], rows[1, 0] = 1e300, np.nan

    assert reference.strangeness(rows).tolist() == [np.inf, pytest.approx(np.nan, nan_ok=True)]


def test_the_nearest_cases_are_those_a_full_search_finds(job, reference):
    rows = rows_of(job, LATEST).rows[:50]
    is_scale, least, center, spread = reference.columns
    values = (np.where(is_scale > 0, np.log(np.maximum(rows, least)), rows) - center) / spread
    distances = np.sqrt(((values[:, :, None] - reference.rows[None]) ** 2).mean(axis=1))

    likes = reference.likes(rows)

    assert likes.places.tolist() == np.argsort(distances, axis=1)[:, :NEAREST].tolist()
    assert likes.distance == pytest.approx(np.sort(distances, axis=1)[:, :NEAREST].mean(axis=1), rel=1e-5)


def test_a_reference_row_is_its_own_nearest_case(job, reference):
    symbol, open_ms = reference.cases[100]
    time = int(np.searchsorted(job.panel.open_ms, open_ms))

    likes = reference.likes(job.panel.features[symbol, time][None])

    assert likes.places[0, 0] == 100
    assert reference.returns[100] == job.outcomes.return_bps[symbol, time]


def test_the_set_is_bounded_and_spread_over_symbols_and_time(reference):
    symbols, times = reference.cases.T

    assert len(symbols) == REFERENCE_ROWS
    assert np.bincount(symbols).min() > 40
    assert times.max() - times.min() > 3_800 * 300_000


def test_each_row_is_judged_alone(job, reference):
    rows = rows_of(job, LATEST).rows[:40]

    alone = [reference.strangeness(row[None])[0] for row in rows]

    assert reference.strangeness(rows).tolist() == alone


def test_the_same_rows_give_the_same_reference_and_it_survives_a_file(job, reference):
    again = fit_reference(job.panel, job.outcomes, rows_of(job, TRAINING), rows_of(job, LATER))

    loaded = reference_from(unpack(pack(again.arrays())))

    assert pack(loaded.arrays()) == pack(reference.arrays())
    assert loaded.symbols == job.panel.symbols


def test_one_compiled_kernel_serves_fresh_rows_and_those_of_a_file(job, reference):
    loaded = reference_from(unpack(pack(reference.arrays())))

    loaded.likes(rows_of(job, LATEST).rows[:5])
    reference.likes(rows_of(job, LATEST).rows[:5])

    assert len(models.reference._find_nearest.signatures) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limit": 0.0}, "finite"),
        ({"limit": np.nan}, "finite"),
        ({"symbols": ("A",)}, "symbol"),
        ({"rows": np.zeros((3, 5), np.float32)}, "shapes"),
        ({"rows": np.zeros((3, 5))}, "float64 float64"),
        ({"columns": np.zeros((4, len(COLUMNS)))}, "positive"),
        ({"returns": np.full(REFERENCE_ROWS, np.inf)}, "finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(reference, change, reason):
    with pytest.raises(ModelError, match=reason):
        replace(reference, **change)


def test_a_missing_array_is_named(reference):
    arrays = reference.arrays()
    del arrays["reference_cases"]

    with pytest.raises(ModelError, match="reference_cases"):
        reference_from(arrays)
