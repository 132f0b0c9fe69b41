"""How much memory a value takes, and what emptying a cache gave back."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_PLAIN = (float, int, str, bytes, type(None))  # hold nothing more, and are nearly all there is in a cache


@dataclass(frozen=True, slots=True)
class Emptied:
    """What went when a cache was emptied last; `mono_s` is this machine's monotonic clock."""

    entries: int
    size_bytes: int
    mono_s: float = field(default_factory=time.monotonic)


def bytes_of(value: object) -> int:
    """Return about how many bytes `value` takes: containers and objects with what they hold, arrays with their data."""
    seen: set[int] = set()
    waiting: list[object] = [value]
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        total += max(sys.getsizeof(one), getattr(one, "nbytes", 0))
        if not isinstance(one, _PLAIN):
            waiting.extend(_parts(one))
    return total


def _parts(value: object) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    slots = [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
    return [*slots, *getattr(value, "__dict__", {}).values()]
