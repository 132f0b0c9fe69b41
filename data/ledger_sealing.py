"""Move ledger rows that have grown old into blocks, a thousand at a time; runs in a child."""

import time
from collections.abc import Iterator

from sqlalchemy import Engine, select

from data.database import transaction
from data.ledger_blocks import add_block
from data.ledger_tables import newest_predictions, predictions

ROWS_A_BLOCK = 1_000
_PAUSE_SHARE = 4.0  # of what a transaction took, as in data.sealing
_DELETE = "DELETE FROM predictions WHERE seq = ?"


def seal_rows(engine: Engine, interval: str, before_ms: int) -> Iterator[int]:
    """Move the rows made before that moment, oldest first, yielding how many after each transaction.

    Open rows, and the newest row of each symbol and horizon, stay; so do the last ones that fill no block yet. A row
    is in one place before a transaction and in the other after it.
    """
    p = predictions.c
    newest = select(newest_predictions.c.seq)
    query = select(predictions).where(p.made_ms < before_ms, p.interval == interval, p.state != "open")
    query = query.where(p.seq.not_in(newest)).order_by(p.made_ms, p.seq).limit(ROWS_A_BLOCK)
    while True:
        started = time.monotonic()
        with transaction(engine) as connection:
            rows = connection.execute(query).mappings().all()
            if len(rows) < ROWS_A_BLOCK:
                return
            add_block(connection, interval, rows)
            connection.exec_driver_sql(_DELETE, [(row["seq"],) for row in rows])
        yield len(rows)
        time.sleep(_PAUSE_SHARE * (time.monotonic() - started))
