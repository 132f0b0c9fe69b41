"""Give a panel outcomes that its features cannot know: a walk-forward over it must find nothing."""

from dataclasses import replace

import numpy as np

from models.panel import Panel

MIN_BLOCK_CANDLES = 48
GROUPS = 6  # blocks are shuffled within sixths of the history, which stand half a history away from where they were


def shuffled_labels(panel: Panel, horizon_candles: int, seed: int) -> Panel:
    """Return the panel with the moves of all symbols shuffled in blocks of time, features left as they are.

    Blocks keep what is alike within a stretch of two horizons and between symbols. Each lands at least a third of the
    history from where it was, so that no feature looks back on the moves that are its outcome now.
    """
    moves = _moves(panel)
    length = max(2 * horizon_candles, MIN_BLOCK_CANDLES)
    blocks = np.array_split(np.arange(moves.shape[1]), max(1, moves.shape[1] // length))
    order = np.roll(np.arange(len(blocks)), len(blocks) // 2)
    random = np.random.default_rng(seed)
    groups = np.array_split(order, min(GROUPS, len(blocks)))
    shuffled = np.concatenate([random.permutation(group) for group in groups])
    return _with_moves(panel, moves[:, np.concatenate([blocks[number] for number in shuffled])])


def shifted_labels(panel: Panel, share: float) -> Panel:
    """Return the panel with every move taken from a `share` of the history later; the last ones get the first."""
    moves = _moves(panel)
    return _with_moves(panel, np.roll(moves, -round(share * moves.shape[1]), axis=1))


def _moves(panel: Panel) -> np.ndarray:
    """Return the log return of each candle (S, T - 1); a missing candle has none and leaves it to the next one."""
    seen = np.isfinite(panel.close)
    newest = np.maximum.accumulate(np.where(seen, np.arange(panel.close.shape[1]), -1), axis=1)
    filled = np.log(np.take_along_axis(panel.close, np.maximum(newest, 0), axis=1))
    first = filled[np.arange(len(filled)), np.argmax(seen, axis=1)]
    return np.diff(np.where(newest < 0, first[:, None], filled), axis=1)


def _with_moves(panel: Panel, moves: np.ndarray) -> Panel:
    logs = np.concatenate((np.zeros((len(moves), 1)), np.cumsum(moves, axis=1)), axis=1)
    start = panel.close[np.arange(len(moves)), np.argmax(np.isfinite(panel.close), axis=1)]
    return replace(panel, close=np.where(np.isfinite(panel.close), start[:, None] * np.exp(logs), np.nan))
