"""Whole markets in memory, trained on and walked through as the house does it: made by the simulator, or recorded."""

from dataclasses import replace

import numpy as np

from backtesting.walk_forward import walk_forward_of
from data.candle_tables import CandleTables
from data.ledger_tables import SUMS
from data.skill import BINS
from engine.history import training_span, warm_up_ms
from engine.trainer import MAX_REPLAYED_SHARE, build_panel, training_settings
from market.candles import CANDLES
from market.intervals import DAY_MS
from models.training import train_horizon
from simulator.coins import EPOCH_MS
from simulator.generated_tape import GeneratedTape
from simulator.listings import DEFAULT_SYMBOLS
from simulator.market_model import market_model

FIRST_DAY = 700  # of the made-up market: any day that is well after its beginning
CONTROLS = ("WALKUSDT", "EDGEUSDT")
ALL = "all"


def simulated(seed, config, symbols):
    """Return the `CANDLES` tables of a seed's busiest symbols, up to the end of a history of HISTORY_DAYS."""
    tape = GeneratedTape(market_model(seed, DEFAULT_SYMBOLS))
    busiest = sorted(tape.listings, key=lambda listing: (listing.symbol not in CONTROLS, -listing.turnover))[:symbols]
    start_ms = EPOCH_MS + FIRST_DAY * DAY_MS
    span = (start_ms - warm_up_ms(config), start_ms + config.HISTORY_DAYS * DAY_MS)
    return {listing.symbol: _candles(tape, listing.symbol, config.INTERVAL, span) for listing in busiest}


def _candles(tape, symbol, interval, span):
    klines = np.concatenate(list(tape.candles(symbol, interval, *span)))
    table = np.empty(len(klines), CANDLES)
    for name in CANDLES.names:
        table[name] = klines[name]
    return table


def panel_of(tables, config):
    """Return the panel the trainer would build of these candles at the close of their newest one."""
    candles = CandleTables(tables)
    market_ms = max(candles.newest().values()) + config.interval_ms
    return build_panel(config, candles, training_span(config, market_ms))


def walk(panel, config, horizon, families=(), threads=1):
    """Return the scored walk-forward of one horizon over the newest six tenths of the history."""
    settings = training_settings(config, int(MAX_REPLAYED_SHARE * len(panel.open_ms)), threads)
    settings = replace(settings, families=families)
    candles = config.horizon_ms[horizon] // config.interval_ms
    trained = train_horizon(panel, config.INTERVAL, horizon, candles, settings)
    return walk_forward_of(panel, trained, config.cost_bps)


def findings(panel, walked, groups=(ALL,)):
    """Return the skill of each group (a symbol, or all together), and how often each symbol's range held."""
    found = {}
    for group in groups:
        is_kept = None if group == ALL else walked.symbols == panel.symbols.index(group)
        found[group] = {**walked.skill(is_kept), "chance_gap": chance_gap(walked, is_kept)}
    inside, ranges = (
        np.bincount(walked.symbols, walked.sums[:, SUMS.index(name)], len(panel.symbols))
        for name in ("inside", "intervals")
    )
    return {"groups": found, "kept_by_symbol": (inside / np.maximum(ranges, 1.0)).tolist()}


def chance_gap(walked, is_kept=None, resamples=200):
    """Return the calibration error that perfect probabilities would show on outcomes that move together like these.

    The gaps of each tenth, freed of their mean, are drawn again by horizon-long spans, two that follow each other at a
    time: what is left is what so few independent horizons leave to chance. The median of the draws.
    """
    kept = np.ones(len(walked), bool) if is_kept is None else is_kept
    chance, ups = walked.probability_up[kept], walked.sums[kept, SUMS.index("ups")]
    _, spans = np.unique(walked.spans[kept], return_inverse=True)
    tenths = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
    shape = (spans.max() + 1, BINS)
    place = np.ravel_multi_index((spans, tenths), shape)
    gaps, counts = (
        np.bincount(place, values, np.prod(shape)).reshape(shape) for values in (chance - ups, chance * 0 + 1)
    )
    free = gaps - counts * (gaps.sum(axis=0) / np.maximum(counts.sum(axis=0), 1.0))
    starts = np.random.default_rng(1).integers(0, shape[0], size=(resamples, -(-shape[0] // 2)))
    picks = ((starts[..., None] + np.arange(2)) % shape[0]).reshape(resamples, -1)
    return float(np.median(np.abs(free[picks].sum(axis=1)).sum(axis=1) / (len(chance) * picks.shape[1] / shape[0])))
