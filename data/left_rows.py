"""The ledger rows of symbols that are no longer followed: no feed brings the candles their outcomes are made of."""

import threading
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Engine, select, union

from data.binance_rest import PAGE_CANDLES, BinanceRest
from data.candle_store import CandleStore
from data.data_fetcher import back_fill
from data.foreign_store import foreign_signals
from data.ledger_tables import predictions
from data.scoring import VOID_AFTER_CANDLES
from market.intervals import interval_ms


def wanted_candles(engine: Engine, interval: str, followed: Sequence[str], market_ms: int) -> dict[str, list[int]]:
    """Return by symbol the open times of the candles that rows due at `market_ms` wait for, oldest first.

    Rows of ours and imported ones, of symbols that are not `followed`; one question.
    """
    due = [
        select(table.c.symbol, table.c.due_ms - interval_ms(interval)).where(
            table.c.state == "open",
            table.c.due_ms <= market_ms,
            table.c.interval == interval,
            table.c.symbol.not_in(followed),
        )
        for table in (predictions, foreign_signals)
    ]
    with engine.connect() as connection:
        rows = sorted(tuple(row) for row in connection.execute(union(*due)))
    return {symbol: [open_ms for _, open_ms in some] for symbol, some in groupby(rows, itemgetter(0))}


def fetch_wanted(
    rest: BinanceRest, store: CandleStore, interval: str, wanted: dict[str, list[int]], cancelled: threading.Event
) -> int:
    """Fetch what the store lacks of the wanted candles, of those between and of some after them; return how many came.

    A symbol's candles are kept oldest first, so that none seems to be a hole behind a newer one. MarketError as
    `back_fill`.
    """
    return sum(
        back_fill(rest, store, [symbol], interval, *span, workers=1, cancelled=cancelled).candles
        for symbol, opens in wanted.items()
        for span in _spans(opens, interval_ms(interval))
    )


def _spans(opens: list[int], length_ms: int) -> list[tuple[int, int]]:
    """Return spans (from, to; to exclusive) of at most a page that hold all of these candles, oldest first.

    Each ends with candles that show, where there are such, that the exchange has none at a wanted time.
    """
    after_ms = (VOID_AFTER_CANDLES + 2) * length_ms
    spans: list[tuple[int, int]] = []
    for open_ms in opens:
        if spans and open_ms + after_ms <= spans[-1][0] + PAGE_CANDLES * length_ms:
            spans[-1] = (spans[-1][0], open_ms + after_ms)
        else:
            spans.append((open_ms, open_ms + after_ms))
    return spans
