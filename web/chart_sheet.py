"""What the chart of a symbol shows, and its twin as a table: candles, chosen lines, holes, and what came of calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data.ledger_rows import Row
from market.intervals import INTERVAL_MS, floor_to, interval_ms
from utils.times import parse_utc
from web.candle_drawing import Call, CandleDrawing, Plot, candle_drawing
from web.chart_lines import INDICATORS, LINE_NAMES, WARM_CANDLES, Indicator, chart_lines
from web.stores import Stores

PLOT_CANDLES = 96
STRENGTH = "rsi"  # the only line that is no price
_SEGMENTS = ("1m", "5m", "15m", "1h", "4h", "1d")


@dataclass(frozen=True, slots=True)
class Choice:
    """An indicator one may choose, and the `indicators` of the address that switches it."""

    indicator: Indicator
    is_chosen: bool
    next_asked: str


@dataclass(frozen=True, slots=True)
class TwinRow:
    """One candle of the chart as a row of its table."""

    open_ms: int
    prices: tuple[float, float, float, float]
    volume: float
    values: list[float]  # of the chosen lines
    call: Call | None
    missing: int  # candles that are not there before this one


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart of one symbol and one candle length."""

    interval: str
    intervals: list[str]
    length_ms: int
    asked: str  # the chosen indicators as the address has them
    choices: list[Choice]
    lines: list[tuple[str, str]]  # line, name
    drawing: CandleDrawing | None
    twin: list[TwinRow]  # newest first


def symbol_intervals(base: str) -> list[str]:
    """Return the candle lengths the page offers: the base and the usual longer ones that are made of it."""
    base_ms = interval_ms(base)
    longer = [name for name in _SEGMENTS if INTERVAL_MS[name] > base_ms and INTERVAL_MS[name] % base_ms == 0]
    return [base, *longer]


def make_chart(
    stores: Stores,
    place: tuple[str, str],
    chosen: Sequence[str],
    forecast: tuple[float, float, float, float] | None,
    scored: list[Row],
) -> Chart:
    """Return the chart of a place (symbol, interval) with the chosen indicators.

    `forecast` is the price it was made at, low, expected and high price; `scored` are the rows whose calls are marked,
    newest first.
    """
    symbol, interval = place
    length_ms = INTERVAL_MS[interval]
    names = [line for indicator in INDICATORS if indicator.key in chosen for line in indicator.lines]
    history = stores.candles(symbol, interval, None, None, PLOT_CANDLES + (WARM_CANDLES if names else 0))
    every = chart_lines(history["close"]) if names else {}
    lines = {name: every[name][-PLOT_CANDLES:] for name in names}
    candles = history[-PLOT_CANDLES:]
    calls = _calls(scored, length_ms)
    beside = [(name, values) for name, values in lines.items() if name != STRENGTH]
    plot = Plot(candles, length_ms, forecast, beside, lines.get(STRENGTH), list(calls.values()))
    return Chart(
        interval,
        symbol_intervals(stores.heartbeat().interval),
        length_ms,
        _asked(chosen),
        [_choice(indicator, chosen) for indicator in INDICATORS],
        [(name, LINE_NAMES[name]) for name in names],
        candle_drawing(plot),
        _twin(plot, list(lines.values()), calls),
    )


def _asked(chosen: Sequence[str]) -> str:
    return ",".join(indicator.key for indicator in INDICATORS if indicator.key in chosen)


def _choice(indicator: Indicator, chosen: Sequence[str]) -> Choice:
    others = [key for key in chosen if key != indicator.key]
    is_chosen = indicator.key in chosen
    return Choice(indicator, is_chosen, _asked(others if is_chosen else [*others, indicator.key]))


def _calls(scored: list[Row], length_ms: int) -> dict[int, Call]:
    """Return what is marked at each candle: of several calls in a longer one the newest, an abstention only alone."""
    calls: dict[int, Call] = {}
    for row in reversed(scored):
        open_ms = floor_to(parse_utc(row["made_at"]) - 1, length_ms)
        if row["net_bps"] is not None or open_ms not in calls:
            calls[open_ms] = Call(open_ms, row["verdict"], None if row["net_bps"] is None else row["net_bps"] > 0)
    return calls


def _twin(plot: Plot, lines: list[np.ndarray], calls: dict[int, Call]) -> list[TwinRow]:
    opens = plot.candles["open_ms"].tolist()
    missing = [0, *((later - earlier) // plot.length_ms - 1 for earlier, later in pairwise(opens))]
    rows = []
    for at, (open_ms, open_, high, low, close, volume) in enumerate(plot.candles.tolist()):
        values = [float(line[at]) for line in lines]
        rows.append(TwinRow(open_ms, (open_, high, low, close), volume, values, calls.get(open_ms), missing[at]))
    return rows[::-1]
