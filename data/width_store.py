"""How wide each symbol's ranges are to be, as the outcomes in the ledger have taught."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.sqlite import insert

from data.database import transaction
from data.ledger_tables import range_widths
from market.range_widths import MOST

_KEY = ["symbol", "horizon", "interval"]
LogWidths = Mapping[tuple[str, str], float]  # by symbol and horizon; one that is not there is 0


class WidthStore:
    """The log widths of one base interval. Scoring moves them, in the transaction that writes the outcome."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use those of rows made from `interval` candles."""
        self._engine = engine
        self._interval = interval

    def load(self) -> LogWidths:
        """Return the log width of each symbol and horizon that has one."""
        c = range_widths.c
        query = select(c.symbol, c.horizon, c.log_width).where(c.interval == self._interval)
        with self._engine.connect() as connection:
            return {(symbol, horizon): value for symbol, horizon, value in connection.execute(query)}

    def begin(self, log_widths: LogWidths) -> None:
        """Keep with what widths a record begins; a symbol and horizon that has one already keeps it."""
        records = [
            {"symbol": symbol, "horizon": horizon, "interval": self._interval, "log_width": value}
            for (symbol, horizon), value in log_widths.items()
        ]
        if records:
            with transaction(self._engine) as connection:
                connection.execute(insert(range_widths).on_conflict_do_nothing(), records)


def move_widths(connection: Connection, steps: Iterable[tuple[str, str, str, float]]) -> None:
    """Add the steps that outcomes ask for, each with its symbol, horizon and interval, to what is kept."""
    sums: dict[tuple[str, str, str], float] = defaultdict(float)
    for symbol, horizon, interval, step in steps:
        sums[symbol, horizon, interval] += float(step)
    records = [
        {"symbol": symbol, "horizon": horizon, "interval": interval, "log_width": step}
        for (symbol, horizon, interval), step in sums.items()
        if step
    ]
    if not records:
        return
    upsert = insert(range_widths)
    moved = func.max(-MOST, func.min(MOST, range_widths.c.log_width + upsert.excluded.log_width))
    connection.execute(upsert.on_conflict_do_update(index_elements=_KEY, set_={"log_width": moved}), records)
