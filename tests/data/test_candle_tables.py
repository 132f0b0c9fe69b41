"""Candles from kline CSV files, read as those of the store are."""

import gzip

import numpy as np
import pytest

from data.candle_tables import CandleTables, read_files, read_folder
from market.errors import ConfigError

HEADER = "open_time,open,high,low,close,volume,close_time\n"
MINUTE_MS = 60_000
START = 1_700_000_100_000 // (5 * MINUTE_MS) * 5 * MINUTE_MS


def lines(first, count, step=5):
    rows = [f"{START + (first + i) * step * MINUTE_MS},10,12,9,{10 + i % 2},3,\n" for i in range(count)]
    return HEADER + "".join(rows)


def test_files_of_one_symbol_are_joined_each_time_once(tmp_path):
    (tmp_path / "BTCUSDT-5m-a.csv").write_text(lines(0, 4))
    (tmp_path / "BTCUSDT-5m-b.csv.gz").write_bytes(gzip.compress(lines(2, 4).encode()))

    table = read_folder(tmp_path, "5m")["BTCUSDT"]

    assert ((table["open_ms"] - START) // (5 * MINUTE_MS)).tolist() == [0, 1, 2, 3, 4, 5]


def test_longer_candles_are_made_of_finer_files_only(tmp_path):
    (tmp_path / "BTCUSDT-5m.csv").write_text(lines(0, 7, step=5))
    (tmp_path / "ETHUSDT-1h.csv").write_text(HEADER)
    (tmp_path / "notes.csv").write_text("nothing")

    tables = read_folder(tmp_path, "15m")

    assert list(tables) == ["BTCUSDT"]
    assert set(tables["BTCUSDT"]["volume"]) == {9.0}


def test_rows_that_are_no_candle_are_left_out(tmp_path):
    (tmp_path / "BTCUSDT-5m.csv").write_text(
        lines(0, 3) + f"{START},1,0.5,2,1,1,\nx,1,1,1,1,1,\n{START + 1},1,1,1,1,1,\n"
    )

    assert len(read_folder(tmp_path, "5m")["BTCUSDT"]) == 3


def test_a_folder_without_candles_says_how_to_name_files(tmp_path):
    with pytest.raises(ConfigError, match="BTCUSDT-5m"):
        read_folder(tmp_path, "5m")


def test_a_file_without_the_columns_is_named(tmp_path):
    (tmp_path / "BTCUSDT-5m.csv").write_text("time,price\n1,2\n")

    with pytest.raises(ConfigError, match=r"BTCUSDT-5m\.csv.*header"):
        read_folder(tmp_path, "5m")


def bent(packed):
    return packed[:20] + bytes(byte ^ 0x5A for byte in packed[20:60]) + packed[60:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTCUSDT-5m.csv.gz", bent(gzip.compress(lines(0, 500).encode()))),
        ("BTCUSDT-5m.csv.gz", gzip.compress(lines(0, 500).encode())[:-100]),
        ("BTCUSDT-5m.csv.gz", lines(0, 3).encode()),
        ("BTCUSDT-5m.csv", lines(0, 3).encode() + b'1,2,"' + b"6" * 200_000),
        ("BTCUSDT-5m.csv", lines(0, 3).encode() + b"\xff"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=rf"{name}' cannot be read: "):
        read_folder(tmp_path, "5m")


def test_tables_are_read_as_the_store_is(tmp_path):
    (tmp_path / "BTCUSDT-5m.csv").write_text(lines(0, 9))
    candles = CandleTables(read_folder(tmp_path, "5m"))

    assert candles.newest() == {"BTCUSDT": START + 8 * 5 * MINUTE_MS}
    part = candles.load("BTCUSDT", START + 5 * MINUTE_MS, START + 20 * MINUTE_MS)
    assert ((part["open_ms"] - START) // (5 * MINUTE_MS)).tolist() == [1, 2, 3]


def test_recorded_candles_are_taken_whole(shared_data):
    paths = sorted((shared_data / "candles").glob("ETHUSDT-5m-2025*"))

    table = read_files(paths, "5m")["ETHUSDT"]

    assert len(table) == 3_959
    assert np.all(np.diff(table["open_ms"]) == 5 * MINUTE_MS)
