import pytest

from tests.features.candle_kinds import quiet, recorded, tiny, walk
from tests.features.talib_oracle import distances


@pytest.mark.parametrize("count", [3_000, 100_000])
def test_equals_talib(count, lines_of):
    candles = walk(count, noise=3e-3)

    worst = distances(lines_of(candles), candles)

    assert {line: value for line, value in worst.items() if value > 1e-9} == {}


def test_equals_talib_on_a_quiet_market(lines_of):
    candles = quiet()

    worst = distances(lines_of(candles), candles)

    # Differences of prices of 100,000: TA-Lib is further from exact arithmetic there, see test_accuracy.py.
    inexact = {line for line in worst if line.startswith(("roc", "macd_", "cci"))}
    assert {line: value for line, value in worst.items() if value > (1e-7 if line in inexact else 1e-9)} == {}


def test_equals_talib_on_a_coin_of_a_hundred_thousandth(lines_of):
    candles = tiny()
    candles["volume"] *= 1e9  # TA-Lib's MFI calls a turnover below 1 none

    worst = distances(lines_of(candles), candles)

    assert {line: value for line, value in worst.items() if value > 1e-9} == {}


@pytest.mark.parametrize(
    "name", ["BTCUSDT-15m-20230401-20231031", "DOGEUSDT-15m-20230401-20231031", "BTCUSDT-1m-20250601-20250615"]
)
def test_equals_talib_on_recorded_candles(name, shared_data, lines_of):
    candles = recorded(shared_data / "candles" / f"{name}.csv.gz")

    worst = distances(lines_of(candles), candles)

    assert {line: value for line, value in worst.items() if value > 1e-9} == {}
