"""A page of a ledger, newest first, with a cursor that rows arriving meanwhile do not shift."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, select, tuple_

from data.ledger_rows import Row, RowForm
from market.intervals import interval_ms

FILTERS = ("symbol", "horizon", "model", "origin", "state")


def newest_first(
    table: Table, interval: str, wanted: Mapping[str, str], before: tuple[int, int] | None = None
) -> Select[Any]:
    """Return the query for the rows of `table` with the wanted words, by (made_at, id), newest first.

    `before`: made_ms and number of the row that ended the page before (`RowForm.place`).
    """
    c = table.c
    # Of one symbol the order of the candles is that of the rows, and the index of the key has it.
    moment, shift_ms = (c.candle_open_ms, interval_ms(interval)) if "symbol" in wanted else (c.made_ms, 0)
    query = select(table).where(c.interval == interval, *(c[name] == value for name, value in wanted.items()))
    if before is not None:
        query = query.where(tuple_(moment, c.seq) < (before[0] - shift_ms, before[1]))
    return query.order_by(moment.desc(), c.seq.desc())


def page_of(rows: list[Row], limit: int, form: RowForm) -> tuple[list[Row], str | None]:
    """Return the first `limit` rows, and the cursor of those behind them or None where there is nothing more."""
    return (rows, None) if len(rows) <= limit else (rows[:limit], form.cursor(rows[limit - 1]))
