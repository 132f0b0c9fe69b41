"""A hole in what a stream brought, and how it ended."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Closed candles of a symbol that did not come over its stream: those that open in [from_ms, to_ms)."""

    symbol: str
    from_ms: int
    to_ms: int
    found_ms: int  # market time
    ended_ms: int  # market time at which the last of them was in, or was known not to exist
    is_repaired: bool  # False: the exchange itself has none of some
