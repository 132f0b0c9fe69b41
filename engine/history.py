"""How far back the house looks, and how that history is fetched."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from config import Config
from data.binance_rest import BinanceRest
from data.candle_store import Appended, CandleStore
from data.data_fetcher import Filled, back_fill
from engine.patience import Patience
from features.feature_engineering import WARMUP
from market.intervals import DAY_MS, HOUR_MS, floor_to

SPARE_DAYS = 7  # that a made-up market keeps besides HISTORY_DAYS and the longest horizon


@dataclass(frozen=True, slots=True)
class TrainingSpan:
    """The candles a training uses: features are warm from `start_ms` on, nothing at or after `cut_ms` is seen."""

    start_ms: int
    cut_ms: int


def training_span(config: Config, market_ms: int) -> TrainingSpan:
    """Return the span of a training at `market_ms`; it ends on a full hour, so that equal data give equal models.

    Both ends are open times of candles; the span is longer than HISTORY_DAYS where these are no multiple of INTERVAL.
    """
    grid_ms = max(HOUR_MS, config.interval_ms)
    cut_ms = floor_to(market_ms, grid_ms)
    return TrainingSpan(floor_to(cut_ms - config.HISTORY_DAYS * DAY_MS, grid_ms), cut_ms)


def history_start_ms(config: Config, market_ms: int) -> int:
    """Return the open time of the first candle to keep: HISTORY_DAYS, and before them what warms the features."""
    return training_span(config, market_ms).start_ms - warm_up_ms(config)


def warm_up_ms(config: Config) -> int:
    """Return the span before a training's first row that warms its features, a multiple of the interval."""
    return (WARMUP + 1 + HOUR_MS // config.interval_ms) * config.interval_ms


def kept_from_ms(config: Config, market_ms: int) -> int:
    """Return from when on a made-up market keeps its candles and ledger rows.

    That is longer than a training may replay: rows that were let go must not be written, and counted, again.
    """
    return history_start_ms(config, market_ms) - max(config.horizon_ms.values()) - SPARE_DAYS * DAY_MS


def fetch_history(
    config: Config,
    rest: BinanceRest,
    store: CandleStore,
    symbols: list[str],
    market_ms: int,
    on_progress: Callable[[int, int], None],
    cancelled: threading.Event | None = None,
    patience: Patience | None = None,
) -> Filled:
    """Fetch what the store lacks of the history up to now, and of sealed months that were damaged.

    Durable page by page, so a stop loses nothing. With `patience` a disk that does not take a page is waited for.
    """
    workers = config.MAX_WORKERS

    def keep(tables: list[tuple[str, np.ndarray]]) -> Appended:
        return patience.until_done(store.append_tables, tables) if patience else store.append_tables(tables)

    def fill(start_ms: int, end_ms: int) -> Filled:
        return back_fill(rest, store, symbols, config.INTERVAL, start_ms, end_ms, workers, on_progress, cancelled, keep)

    filled = fill(history_start_ms(config, market_ms), market_ms)
    for from_ms, to_ms in store.lost_spans():
        fill(from_ms, to_ms)
        if cancelled is None or not cancelled.is_set():
            store.found_again(from_ms)
    return filled
