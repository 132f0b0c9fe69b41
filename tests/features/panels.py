"""Feature panels of several symbols, as a training makes them."""

import numpy as np

from features.feature_engineering import COLUMNS, OWN_COLUMNS, OWN_WARMUP, add_market, compute_features
from tests.features.candle_kinds import MINUTE_MS


def panel_of(tables, interval_ms=MINUTE_MS):
    """Return the rows (symbols, candles, COLUMNS) of histories of one length; nan before they are warm."""
    panel = np.full((len(tables), len(tables[0]), len(COLUMNS)), np.nan)
    for index, table in enumerate(tables):
        rows = compute_features(table, interval_ms)
        panel[index, OWN_WARMUP - 1 :, : len(OWN_COLUMNS)] = rows[OWN_WARMUP - 1 :]
    add_market(panel)
    return panel
