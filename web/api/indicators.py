"""The lines of the chart: averages, bands and strength of the closes of one symbol."""

import math
from typing import Any

from utils.times import iso_utc
from web.api import nouns
from web.arguments import IndicatorArguments
from web.chart_lines import LINES, WARM_CANDLES, chart_lines
from web.described import ApiBlueprint, Shown
from web.examples import INDICATORS
from web.rows import IndicatorSchema
from web.site_stores import stores
from web.tables import Page, check_interval, check_symbol, table

api = nouns.add("indicators")(ApiBlueprint("indicators", __name__, description="Lines over the candles"))

_DIGITS = 10  # significant; where the history starts shows in later ones, and they double the answer
_SHOWN = Shown(INDICATORS, {"symbol": "BTCUSDT", "interval": "1h", "limit": "1"})


@table(api, "/indicators/<symbol>", IndicatorArguments, IndicatorSchema, shown=_SHOWN)
def indicators(asked: dict[str, Any], symbol: str) -> Page:
    """List the lines at the newest closed candles, oldest first; null while a line is not warm."""
    check_symbol(symbol)
    interval = check_interval(asked["interval"])
    limit: int = asked["limit"]
    found = stores().candles(symbol, interval, None, asked["end"], limit + WARM_CANDLES)
    lines = chart_lines(found["close"])
    columns = [lines[name].tolist() for name in LINES]
    rows = zip(found["open_ms"].tolist(), *columns, strict=True)
    items = [
        {"open_time": iso_utc(open_ms)} | {name: _number(value) for name, value in zip(LINES, values, strict=True)}
        for open_ms, *values in rows
    ]
    return Page(items[-limit:])


def _number(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
