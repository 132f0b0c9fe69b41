"""A replay shows what the files hold, and where they hold nothing, nothing."""

import csv
import gzip

import numpy as np
import pytest

from market.errors import ConfigError
from simulator.exchange import joined
from simulator.kline_files import read_file, read_folder
from simulator.replay_tape import ReplayTape

MINUTE_MS = 60_000
DAY_MS = 86_400_000
START_MS = 1_717_200_000_000  # 2024-06-01
HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,trades,taker_base,taker_quote"


def row(open_ms, close=100.0, base_ms=MINUTE_MS, volume=2.0):
    return f"{open_ms},{close - 1},{close + 1},{close - 2},{close},{volume},{open_ms + base_ms - 1},,,,"


def write(folder, name, lines, header=HEADER):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([header, *lines]) + "\n")


def minutes(count, start_ms=START_MS, holes=(), price=100.0):
    return [row(start_ms + n * MINUTE_MS, price + n % 7) for n in range(count) if n not in holes]


def tape_of(folder):
    return ReplayTape(list(read_folder(folder)))


def fetched(tape, symbol, interval, start_ms=0, before_ms=2**50):
    return joined(tape.candles(symbol, interval, start_ms, before_ms))


def test_rows_come_back_as_they_were_written(tmp_path):
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(10))

    rows = fetched(tape_of(tmp_path), "BTCUSDT", "1m")

    assert rows["open_ms"].tolist() == [START_MS + n * MINUTE_MS for n in range(10)]
    assert rows["close"].tolist() == [100.0 + n % 7 for n in range(10)]
    assert rows["quote_volume"][0] == pytest.approx(2.0 * (101 + 98 + 100) / 3)


def test_compressed_files_and_microseconds_are_read_alike(tmp_path):
    write(tmp_path, "BTCUSDT-1m-plain.csv", minutes(5))
    micro = [f"{time_ms}000,{rest}" for time_ms, rest in (line.split(",", 1) for line in minutes(5))]
    packed = tmp_path / "BTCUSDT-1m-packed.csv.gz"
    packed.write_bytes(gzip.compress("\n".join([HEADER, *micro]).encode()))

    first, second = read_folder(tmp_path)

    assert (first.rows == second.rows).all() and len(first.rows) == 5


def test_the_archive_of_binance_without_a_header_is_read_too(tmp_path):
    write(tmp_path, "BTCUSDT-1m-2024-06.csv", [f"{line[:-3]},7,0.5,0.25,0" for line in minutes(4)], header="")

    rows = fetched(tape_of(tmp_path), "BTCUSDT", "1m")

    assert len(rows) == 4
    assert (rows["trades"][0], rows["taker_base"][0], rows["taker_quote"][0]) == (7, 0.5, 0.25)


def test_a_hole_in_the_file_is_a_hole_in_the_market_and_in_longer_candles(tmp_path):
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(20, holes=(7,)))

    tape = tape_of(tmp_path)

    assert len(fetched(tape, "BTCUSDT", "1m")) == 19
    assert fetched(tape, "BTCUSDT", "5m")["open_ms"].tolist() == [START_MS + n * MINUTE_MS for n in (0, 10, 15)]
    assert tape.so_far("BTCUSDT", "1m", START_MS + 7 * MINUTE_MS + 5) is None
    assert tape.so_far("BTCUSDT", "5m", START_MS + 8 * MINUTE_MS) is None
    assert tape.so_far("BTCUSDT", "5m", START_MS + 6 * MINUTE_MS) is not None


def test_the_newest_rows_are_counted_across_a_hole(tmp_path):
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(20, holes=(15, 16)))
    tape = tape_of(tmp_path)

    rows = fetched(tape, "BTCUSDT", "1m", *tape.window("BTCUSDT", "1m", None, START_MS + 18 * MINUTE_MS, 4))

    assert ((rows["open_ms"] - START_MS) // MINUTE_MS).tolist() == [12, 13, 14, 17]


def test_of_two_files_that_cover_one_time_the_finer_holds(tmp_path):
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(10, price=100.0))
    write(tmp_path, "BTCUSDT-5m-x.csv", [row(START_MS + n * 5 * MINUTE_MS, 500.0 + n, 5 * MINUTE_MS) for n in range(4)])

    closes = fetched(tape_of(tmp_path), "BTCUSDT", "5m")["close"].tolist()

    assert closes == [104.0, 102.0, 502.0, 503.0]


def test_an_interval_finer_than_the_file_has_no_candles(tmp_path):
    write(tmp_path, "BTCUSDT-15m-x.csv", [row(START_MS + n * 15 * MINUTE_MS, 100.0, 15 * MINUTE_MS) for n in range(8)])
    tape = tape_of(tmp_path)

    assert len(fetched(tape, "BTCUSDT", "5m")) == 0
    assert tape.so_far("BTCUSDT", "5m", START_MS + 1) is None
    assert len(fetched(tape, "BTCUSDT", "1h")) == 2


def test_an_open_candle_ends_at_the_closing_values_of_the_file(tmp_path):
    write(
        tmp_path, "BTCUSDT-5m-x.csv", [row(START_MS + n * 5 * MINUTE_MS, 100.0 + n, 5 * MINUTE_MS) for n in range(12)]
    )
    tape = tape_of(tmp_path)
    whole = fetched(tape, "BTCUSDT", "15m")[1]

    states = [tape.so_far("BTCUSDT", "15m", START_MS + 15 * MINUTE_MS + ms)[0] for ms in range(0, 900_000, 20_000)]

    assert all(state["open"] == whole["open"] for state in states)
    assert all(whole["low"] <= state["low"] <= state["close"] <= state["high"] <= whole["high"] for state in states)
    assert states[-1]["volume"] <= whole["volume"]


def test_trading_ends_with_the_data_and_history_stays(tmp_path):
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(10))
    tape = tape_of(tmp_path)
    end_ms = START_MS + 10 * MINUTE_MS

    assert tape.is_trading("BTCUSDT", end_ms - 1)
    assert not tape.is_trading("BTCUSDT", end_ms)
    assert tape.so_far("BTCUSDT", "1m", end_ms) is None
    assert tape.price("BTCUSDT", end_ms + DAY_MS) == 102.0
    assert len(fetched(tape, "BTCUSDT", "1m")) == 10


def test_a_short_hole_is_a_pause_and_a_long_one_an_end(tmp_path):
    later_ms = START_MS + 3 * DAY_MS
    write(tmp_path, "BTCUSDT-1m-x.csv", minutes(60, holes=range(20, 40)) + minutes(60, later_ms))
    tape = tape_of(tmp_path)

    assert tape.is_trading("BTCUSDT", START_MS + 30 * MINUTE_MS)
    assert not tape.is_trading("BTCUSDT", START_MS + DAY_MS)
    assert tape.is_trading("BTCUSDT", later_ms)


def test_the_clock_starts_where_a_fifth_of_the_newest_stretch_is_to_come(tmp_path):
    hours = [row(START_MS + n * 3_600_000, 100.0, 3_600_000) for n in range(24 * 20)]
    write(tmp_path, "BTCUSDT-1h-old.csv", [row(START_MS - 900 * DAY_MS, 50.0, 3_600_000)])
    write(tmp_path, "BTCUSDT-1h-new.csv", hours)

    assert tape_of(tmp_path).start_ms() == START_MS + 16 * DAY_MS


def test_at_least_two_days_are_to_come_when_there_are(tmp_path):
    write(tmp_path, "BTCUSDT-1h-new.csv", [row(START_MS + n * 3_600_000, 100.0, 3_600_000) for n in range(24 * 5)])

    assert tape_of(tmp_path).start_ms() == START_MS + 3 * DAY_MS


def test_bad_rows_are_refused_and_counted_by_reason(tmp_path):
    lines = minutes(6)
    lines[1] = "nonsense"
    lines[2] = f"{START_MS + 2 * MINUTE_MS},100,90,110,100,1,0,,,,"
    lines[3] = f"{START_MS + 3 * MINUTE_MS + 1},100,101,99,100,1,0,,,,"
    lines[4] = f"{START_MS + 4 * MINUTE_MS},100,nan,99,100,1,0,,,,"
    write(tmp_path, "BTCUSDT-1m-x.csv", [*lines, lines[0]])

    (file,) = read_folder(tmp_path)

    assert len(file.rows) == 2
    assert file.refused.total() == 5
    assert file.refused["time seen before"] == 1 and file.refused["time off the grid"] == 1


@pytest.mark.parametrize(
    "damage",
    [("100.0,2.0,", "100.0,1e300,"), (",,,,", ",-1.0,,,"), (",,,,", ",nan,,,"), ("1717200", "9" * 30)],
    ids=["volume", "negative", "nan", "time"],
)
def test_a_row_with_an_impossible_figure_is_refused(tmp_path, damage):
    write(tmp_path, "BTCUSDT-1m-x.csv", [minutes(1)[0].replace(*damage), *minutes(2)[1:]])

    file = read_file(tmp_path / "BTCUSDT-1m-x.csv", "BTCUSDT", "1m")

    assert len(file.rows) == 1 and file.refused.total() == 1


def test_a_damaged_compressed_file_is_named(tmp_path):
    packed = bytearray(gzip.compress("\n".join([HEADER, *minutes(500)]).encode()))
    packed[200:300] = bytes(100)
    (tmp_path / "BTCUSDT-1m-x.csv.gz").write_bytes(packed)

    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_folder(tmp_path))


def test_a_folder_without_kline_files_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no kline file"):
        list(read_folder(tmp_path))
    with pytest.raises(ConfigError, match="is not a folder"):
        list(read_folder(tmp_path / "missing"))


def test_real_candles_come_back_digit_by_digit(shared_data):
    tape = tape_of(shared_data / "candles")
    name = "SOLUSDT-5m-20250601-20250615.csv.gz"
    with gzip.open(shared_data / "candles" / name, "rt") as stream:
        written = list(csv.DictReader(stream))

    rows = fetched(tape, "SOLUSDT", "5m")

    for column in ("open", "high", "low", "close", "volume"):
        assert rows[column].tolist() == [float(cells[column]) for cells in written]


def test_the_hour_binance_did_not_trade_is_missing(shared_data):
    rows = fetched(tape_of(shared_data / "candles"), "BTCUSDT", "1h", 1_679_616_000_000, 1_679_702_400_000)

    assert len(rows) == 23
    assert np.diff(rows["open_ms"]).max() == 7_200_000


def test_finer_and_coarser_real_files_agree_where_they_overlap(shared_data):
    minute_file, five_file = (
        read_file(shared_data / "candles" / name, "ETHUSDT", interval)
        for name, interval in (
            ("ETHUSDT-1m-20250601-20250615.csv.gz", "1m"),
            ("ETHUSDT-5m-20250602-20250615.csv.gz", "5m"),
        )
    )

    made = fetched(ReplayTape([minute_file]), "ETHUSDT", "5m")
    common = np.isin(made["open_ms"], five_file.rows["open_ms"])
    recorded = five_file.rows[np.isin(five_file.rows["open_ms"], made["open_ms"])]

    for column in ("open", "high", "low", "close"):
        assert made[column][common].tolist() == recorded[column].tolist()
