"""Write klines as Binance does: JSON rows of twelve fields, decimals padded to eight digits.

The digits of a whole column are taken from a table at once: a formatted string a number would cost more than
everything else a request needs.
"""

import numpy as np

from simulator.grid import close_times

_QUADS = np.array([f"{number:04d}".encode() for number in range(10_000)], dtype="S4").view(np.uint32)  # four digits
_POWERS = 10 ** np.arange(19, dtype=np.int64)
_UNIT = 100_000_000  # eight decimals


def kline_rows(rows: np.ndarray, interval: str, units_per_ms: int = 1) -> bytes:
    """Return a JSON list of kline rows; with 1,000 units a millisecond its times are microseconds."""
    if len(rows) == 0:
        return b"[]"
    lines = _Lines(len(rows))
    lines.put(b"[")
    lines.put_integers(rows["open_ms"] * units_per_ms)
    for name in ("open", "high", "low", "close", "volume"):
        lines.put_decimals(b',"', rows[name], b'"')
    lines.put(b",")
    lines.put_integers((close_times(interval, rows["open_ms"]) + 1) * units_per_ms - 1)
    lines.put_decimals(b',"', rows["quote_volume"], b'",')
    lines.put_integers(rows["trades"])
    for name in ("taker_base", "taker_quote"):
        lines.put_decimals(b',"', rows[name], b'"')
    lines.put(b',"0"],')
    return b"[" + lines.joined()[:-1] + b"]"


class _Lines:
    """Lines of text written column by column; zeros that lead a number are left out when they are joined."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._columns: list[np.ndarray] = []
        self._zeros: list[tuple[int, np.ndarray]] = []  # where columns begin that hold leading zeros, and which do
        self._width = 0

    def put(self, text: bytes) -> None:
        """Write the same text on every line."""
        self._append(np.broadcast_to(np.frombuffer(text, dtype=np.uint8), (self._count, len(text))))

    def put_integers(self, values: np.ndarray) -> None:
        """Write integers that are not negative."""
        length = len(str(int(values.max())))
        quads = -(-length // 4)
        digits = [_quads(values // _POWERS[4 * place] % 10_000) for place in range(quads - 1, -1, -1)]
        if int(values.min()) < _POWERS[length - 1]:
            is_zero = values[:, None] < _POWERS[length - 1 :: -1]
            is_zero[:, -1] = False
            self._zeros.append((self._width, is_zero))
        self._append(np.concatenate(digits, axis=1)[:, 4 * quads - length :])

    def put_decimals(self, before: bytes, values: np.ndarray, after: bytes) -> None:
        """Write numbers that are not negative with eight decimals, between two texts."""
        whole = np.floor(values)
        units = np.rint((values - whole) * _UNIT).astype(np.int64)
        self.put(before)
        self.put_integers(whole.astype(np.int64) + units // _UNIT)
        units %= _UNIT
        self.put(b".")
        self._append(_quads(units // 10_000))
        self._append(_quads(units % 10_000))
        self.put(after)

    def joined(self) -> bytes:
        """Return all lines, one after the other."""
        text = np.concatenate(self._columns, axis=1)
        if not self._zeros:
            return text.tobytes()
        is_kept = np.ones(text.shape, dtype=bool)
        for first, is_zero in self._zeros:
            is_kept[:, first : first + is_zero.shape[1]] = ~is_zero
        return text[is_kept].tobytes()

    def _append(self, column: np.ndarray) -> None:
        self._columns.append(column)
        self._width += column.shape[1]


def _quads(values: np.ndarray) -> np.ndarray:
    """Return numbers below 10,000 as four digits each."""
    return np.asarray(_QUADS[values].view(np.uint8).reshape(-1, 4))
