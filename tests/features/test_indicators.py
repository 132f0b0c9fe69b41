import numpy as np
import pytest

from features import indicators
from features.feature_engineering import candle_values
from tests.features.candle_kinds import KINDS, numbers_of, walk

NAMES = list(indicators.registry)
OPEN_ENDED = {"obv"}  # a running sum by definition; features use `volume_balance`, which rolls


def lines(name):
    return {line: indicator for indicator in indicators.registry[name] for line in indicator.lines}


@pytest.mark.parametrize("name", NAMES)
def test_is_nan_exactly_while_it_warms_up(name, lines_of):
    drawn = lines_of(walk(400))

    for line, indicator in lines(name).items():
        missing = np.isnan(drawn[line])
        assert missing.sum() <= indicator.warmup
        assert missing[: missing.sum()].all()
    assert max(np.isnan(drawn[line]).sum() for line in lines(name)) == max(i.warmup for i in lines(name).values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_is_finite_on_any_valid_candles(name, kind, lines_of):
    drawn = lines_of(KINDS[kind]())

    for line, indicator in lines(name).items():
        assert np.isfinite(drawn[line][indicator.warmup :]).all()


@pytest.mark.parametrize("name", NAMES)
def test_does_not_look_ahead(name, lines_of):
    candles, cut = walk(900), 600
    changed = candles.copy()
    changed[cut:] = walk(300, price=7.0, noise=0.1, seed=9)

    whole, other, short = lines_of(candles), lines_of(changed), lines_of(candles[:cut])

    for line in lines(name):
        assert whole[line][:cut].tobytes() == other[line][:cut].tobytes() == short[line].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_history_and_a_new_candle_give_the_same_bits(name, every_line, lines_of):
    numbers, values = numbers_of(walk(300)), candle_values(walk(300))
    states, rows = np.zeros((3, every_line.state_size)), np.empty((3, len(every_line.columns)))
    order = np.array([2, 0, 1])

    stepped = []
    for number, candle in zip(numbers, values, strict=True):
        every_line.run(states, order, np.full(3, number), np.tile(candle, (3, 1)), rows)
        stepped.append(rows[1].copy())

    columns = [every_line.columns.index(line) for line in lines(name)]
    history = np.column_stack([lines_of(walk(300))[line] for line in lines(name)])
    assert np.array(stepped)[:, columns].tobytes() == history.tobytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPEN_ENDED])
def test_forgets_where_the_history_started(name, lines_of):
    candles = walk(2_000)

    early, late = lines_of(candles), lines_of(candles[437:])

    for line, indicator in lines(name).items():
        settled = 1_000 + indicator.warmup  # the slowest smoothing, over 50 candles, included
        here, there = early[line][437 + settled :], late[line][settled:]
        assert np.abs(here - there).max() <= 1e-9 * np.abs(here).max()


def test_two_lines_of_one_name_are_refused(monkeypatch):
    registry = indicators.Registry("features.indicators")
    monkeypatch.setattr(indicators, "registry", registry)
    for name in ("first", "second"):
        indicators.add(name, state=0, warmup=0, lines=("same",))(lambda close: close)

    with pytest.raises(KeyError, match="first and second both draw a line 'same'"):
        indicators.by_line()
