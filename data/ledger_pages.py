"""Read a ledger a page at a time, newest first, with a cursor that rows arriving meanwhile do not shift."""

from collections.abc import Mapping

from sqlalchemy import Engine, Table, select, tuple_

from data.ledger_rows import Row, RowForm
from market.intervals import interval_ms

FILTERS = ("symbol", "horizon", "model", "origin", "state")


def ledger_page(
    engine: Engine,
    table: Table,
    form: RowForm,
    interval: str,
    wanted: Mapping[str, str | None],
    limit: int,
    cursor: str | None,
) -> tuple[list[Row], str | None]:
    """Return rows of `table` by (made_at, id), newest first, and the cursor of the page after them or None.

    `wanted`: the value of each of `FILTERS` that matters. DataError when the cursor is none of ours.
    """
    c = table.c
    # Of one symbol the order of the candles is that of the rows, and the index of the key has it.
    is_of_symbol = wanted.get("symbol") is not None
    moment, shift_ms = (c.candle_open_ms, interval_ms(interval)) if is_of_symbol else (c.made_ms, 0)
    query = select(table).where(c.interval == interval).order_by(moment.desc(), c.seq.desc())
    for name in FILTERS:
        if wanted.get(name) is not None:
            query = query.where(c[name] == wanted[name])
    if cursor is not None:
        made_ms, seq = form.place(cursor)
        query = query.where(tuple_(moment, c.seq) < (made_ms - shift_ms, seq))
    with engine.connect() as connection:
        rows = [form.shown(row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], form.cursor(rows[limit - 1])
