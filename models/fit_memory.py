"""What was fitted before, found again under a key made of everything that decided it."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np

from models.panel import Panel

_LIBRARIES = ("numpy", "scikit-learn")
_CANDLES_A_PIECE = 128
_DIGEST_BYTES = 16

Arrays = Mapping[str, np.ndarray]


class Shelf(Protocol):
    """Where arrays lie between two trainings."""

    def load(self, key: str) -> Arrays | None:
        """Return what was kept under `key`, or None."""
        ...

    def keep(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under `key`, as long as there is room."""
        ...


class FitMemory:
    """Fits of one panel. A key is a hash of the rows a fit looks at, its parameters, our code and the libraries.

    So nothing is ever out of date: who changes one of them asks for another key. The definition of the features needs
    no place of its own, for it shows in the rows.
    """

    def __init__(self, panel: Panel, shelf: Shelf | None = None) -> None:
        """Find fits of `panel` on `shelf`; without one nothing is remembered, and no key is made."""
        self._panel = panel
        self._shelf = shelf

    def key(self, modules: tuple[str, ...], spans: tuple[range, ...], *parameters: object) -> str:
        """Return the key of what `modules` (their names) make of the candles in `spans`."""
        if self._shelf is None:
            return ""
        panel = self._panel
        facts = (panel.symbols, panel.columns, panel.scale_column, tuple(map(_code_of, modules)), _versions())
        digest = hashlib.sha256(repr((facts, parameters)).encode())
        for span in spans:
            digest.update(f"{len(span)} candles".encode())
            digest.update(self._candles[span.start : span.stop].tobytes())
        return digest.hexdigest()

    def recall(self, key: str, make: Callable[[], Arrays | None]) -> Arrays | None:
        """Return the arrays of `key` from the shelf, or make and keep them; None when they cannot be made."""
        known = self._shelf.load(key) if self._shelf else None
        if known is None and (known := make()) is not None and self._shelf:
            self._shelf.keep(key, known)
        return known

    @cached_property
    def _candles(self) -> np.ndarray:
        """Return the digest of each candle of all symbols (T, bytes): any span is known by those of its candles."""
        panel = self._panel
        digests = np.empty((len(panel.open_ms), _DIGEST_BYTES), np.uint8)
        for first in range(0, len(digests), _CANDLES_A_PIECE):
            piece = slice(first, first + _CANDLES_A_PIECE)
            features = np.ascontiguousarray(panel.features[:, piece].swapaxes(0, 1))
            closes = np.ascontiguousarray(panel.close[:, piece].T)
            for at, (row, close) in enumerate(zip(features, closes, strict=True), start=first):
                digest = hashlib.blake2b(row.data, digest_size=_DIGEST_BYTES)
                digest.update(close.data)
                digests[at] = np.frombuffer(digest.digest(), np.uint8)
        return digests


@cache
def _code_of(module: str) -> str:
    """Return a hash of the source of a module."""
    return hashlib.sha256(Path(str(import_module(module).__file__)).read_bytes()).hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    return tuple(version(name) for name in _LIBRARIES)
