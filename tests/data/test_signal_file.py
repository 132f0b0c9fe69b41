"""A file of signals: taken whole, or refused with a sentence for each problem."""

import pytest

from data.signal_file import MAX_BYTES, MAX_SIGNALS, read_signals
from market.predictions import Verdict

HEADER = "symbol,made_at,horizon,direction,probability_up"
LINE = "BTCUSDT,2025-06-15T15:15:00Z,4h,up,0.6"


def read(tmp_path, *lines, source="friend"):
    path = tmp_path / "signals.csv"
    path.write_text("\n".join(lines))
    return read_signals(path, source, "5m", ("1h", "4h"))


def test_a_line_becomes_a_signal(tmp_path):
    (signal,) = read(tmp_path, HEADER, LINE).signals

    assert signal.key == ("friend", "BTCUSDT", "4h", 1_750_000_200_000)
    assert (signal.line, signal.direction, signal.probability_up) == (2, Verdict.UP, 0.6)
    assert signal.expected_return_bps is None


def test_the_time_may_be_the_candles_opening_and_the_source_a_column(tmp_path):
    header = "source,symbol,candle_open_time,horizon,expected_return_bps,low_bps,high_bps,coverage"

    (signal,) = read(tmp_path, header, "bot-1,BTCUSDT,1750000200000,1h,-30,-90,30,0.8", "", source=None).signals

    assert signal.key == ("bot-1", "BTCUSDT", "1h", 1_750_000_200_000)
    assert (signal.low_bps, signal.high_bps, signal.coverage) == (-90.0, 30.0, 0.8)


def test_weeks_begin_on_monday(tmp_path):
    path = tmp_path / "signals.csv"
    monday, thursday = (f"BTCUSDT,{day}T00:00:00Z,2w,up,0.6" for day in ("2025-06-16", "2025-06-19"))
    path.write_text("\n".join((HEADER, monday, thursday)))

    file = read_signals(path, "friend", "1w", ("2w",))

    assert [problem.split(",")[0] for problem in file.problems] == ["line 3"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (LINE.replace("0.6", "1.7"), "line 2, probability_up: '1.7' is no number from 0 to 1"),
        (LINE.replace("0.6", "nan"), "line 2, probability_up: 'nan' is no number from 0 to 1"),
        (LINE.replace("up", "long"), "line 2, direction: 'long' is none of up, down, none"),
        (LINE.replace("4h", "2h"), "line 2, horizon: '2h' is none of 1h, 4h (HORIZONS)"),
        (LINE.replace("4h", ""), "line 2, horizon: '' is empty"),
        (LINE.replace("BTCUSDT", "btc/usdt"), "line 2, symbol: 'btc/usdt' is no symbol such as BTCUSDT"),
        (
            LINE.replace("15:15", "15:16"),
            "line 2, made_at: '2025-06-15T15:16:00Z' is no time at which a candle of 5m closes",
        ),
        (LINE.replace("2025-06-15", "yesterday"), "line 2, made_at: 'yesterdayT15:15:00Z' is no time such as"),
        ("BTCUSDT,2025-06-15T15:15:00Z,4h,,", "line 2: direction, probability_up, expected_return_bps are all empty"),
        (LINE + ",7", "line 2 has 6 cells where the header has 5"),
        ('BTCUSDT,"2025', "line 2 is no CSV"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line_column_and_value(tmp_path, line, problem):
    file = read(tmp_path, HEADER, line)

    assert file.signals == []
    assert len(file.problems) == 1
    assert file.problems[0].startswith(problem)


def test_every_problem_of_a_file_is_told_and_nothing_of_it_taken(tmp_path):
    file = read(tmp_path, HEADER, LINE, LINE.replace("0.6", "x").replace("up", "x"), LINE)

    assert file.signals == []
    assert file.problems == [
        "line 3, direction: 'x' is none of up, down, none",
        "line 3, probability_up: 'x' is no number from 0 to 1",
        "line 4: the source, symbol, horizon and time of line 2 again",
    ]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("", "line 1: there is no column 'symbol'"),
        (HEADER + ",prob", "line 1: column 'prob' is none of symbol, horizon,"),
        (HEADER + ",symbol", "line 1: column 'symbol' is there twice"),
        (HEADER + ",candle_open_time", "line 1: there must be one of the columns made_at and candle_open_time"),
        ("symbol,made_at,horizon", "line 1: there must be one of the columns direction, probability_up,"),
        (HEADER + ",low_bps", "line 1: the columns low_bps, high_bps, coverage go together"),
    ],
)
def test_a_wrong_header_is_named(tmp_path, header, problem):
    assert any(text.startswith(problem) for text in read(tmp_path, header).problems)


def test_a_source_is_needed(tmp_path):
    assert read(tmp_path, HEADER, LINE, source=None).problems == [
        "line 1: there is no column 'source'; add it, or name the source with --source"
    ]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("up,-30,-90,30,0.8", "line 2: direction up and expected_return_bps -30 contradict each other"),
        ("up,30,90,-30,0.8", "line 2: low_bps 90 is above high_bps -30"),
        ("up,30,-90,,0.8", "line 2: low_bps, high_bps, coverage go together"),
    ],
)
def test_cells_that_contradict_each_other_are_told(tmp_path, cells, problem):
    header = "symbol,made_at,horizon,direction,expected_return_bps,low_bps,high_bps,coverage"

    assert read(tmp_path, header, f"BTCUSDT,2025-06-15T15:15:00Z,4h,{cells}").problems == [problem]


def test_a_file_has_an_end(tmp_path):
    path = tmp_path / "signals.csv"
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    lines = (LINE.replace("2025-06-15T15:15:00Z", str(1_750_000_200_000 + i * 300_000)) for i in range(MAX_SIGNALS + 1))

    assert read_signals(path, "friend", "5m", ("4h",)).problems == ["signals.csv is larger than 20 MB; split it"]
    assert read(tmp_path, HEADER, *lines).problems == ["line 50002: a file holds at most 50000 signals; split it"]


def test_what_is_no_text_is_told(tmp_path):
    path = tmp_path / "signals.csv"
    path.write_bytes(b"symbol\xff")

    assert read_signals(path, "friend", "5m", ("4h",)).problems == ["signals.csv is not UTF-8: byte 6 cannot be read"]
    assert "cannot be read" in read_signals(tmp_path / "none.csv", "friend", "5m", ("4h",)).problems[0]
