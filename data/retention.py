"""Let go of the oldest days of a market that is made up: its growth on disk has an end."""

from collections.abc import Sequence

from sqlalchemy import Engine

from data.database import transaction
from market.intervals import interval_ms

_ROWS_AT_ONCE = 2_000  # in one transaction, so that the live loop waits milliseconds for its turn
_CANDLES = "DELETE FROM candles WHERE symbol = ? AND interval_ms = ? AND open_ms < ?"
_INPUTS = "DELETE FROM prediction_inputs WHERE candle_open_ms < ? AND interval = ?"
_EXPLANATIONS = "DELETE FROM explanations WHERE candle_open_ms < ? AND interval = ?"
_MODELS = "DELETE FROM explained_models WHERE newest_open_ms < ?"
_NEWEST_GONE = """
    INSERT INTO ledger_state (name, value)
    SELECT 'let_go_seq', max(seq) FROM predictions WHERE made_ms < ? AND interval = ? AND state != 'open'
    HAVING max(seq) > 0
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"""
_PREDICTIONS = """
    DELETE FROM predictions WHERE seq IN (
        SELECT seq FROM predictions WHERE made_ms < ? AND interval = ? AND state != 'open' LIMIT ?)"""


def let_go(engine: Engine, interval: str, symbols: Sequence[str], before_ms: int) -> int:
    """Delete candles that open, and ledger rows that were made, before that moment; return how many.

    Rows without an outcome stay, and so do the sums that skill is made of.
    """
    length_ms = interval_ms(interval)
    with transaction(engine) as connection:
        series = [(symbol, length_ms, before_ms) for symbol in symbols]
        gone = connection.exec_driver_sql(_CANDLES, series).rowcount if series else 0
        connection.exec_driver_sql(_INPUTS, (before_ms - length_ms, interval))
        connection.exec_driver_sql(_EXPLANATIONS, (before_ms - length_ms, interval))
        connection.exec_driver_sql(_MODELS, (before_ms - length_ms,))
        connection.exec_driver_sql(_NEWEST_GONE, (before_ms, interval))  # data.ledger_chain no longer asks for them
    while True:
        with transaction(engine) as connection:
            part = connection.exec_driver_sql(_PREDICTIONS, (before_ms, interval, _ROWS_AT_ONCE)).rowcount
        gone += part
        if part < _ROWS_AT_ONCE:
            return gone
