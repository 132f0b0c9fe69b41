"""The indicators: one file each, found by their folder.

A file offers one rule and files it with `@indicators.add(name, state=..., warmup=...)`:

    def step(state: Row, k: int, seen: int, close: float, length: int) -> float

The rule takes in one closed candle of one symbol and returns its number, nan while warming up. It asks by name for
what it needs: `open_, high, low, close, volume`, `last_close` (0 at first), `seen` (candles before this one), `length`,
any line of another indicator (`sma_20`, or `sma` for the one of its own length), and its memory, which is
`state[k : k + size]`, zeros at the start. It may call `features.rolling` and `math`.

`state`   numbers of memory, or a function of the length
`warmup`  candles without a number at the start, or a function of the length
`lines`   names of the numbers, when the rule returns a tuple of several; else the line is called like the rule
`lengths` makes one line for each length (`sma_10`, `sma_20`); the rule gets it as `length`, constant once compiled

`features/loop_source.py` calls the rules in one loop, `features/kernels.py` compiles it and keeps it on disk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from utils.registry import Registry

Rule = TypeVar("Rule", bound=Callable[..., Any])
Size = int | Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One way of calling one rule: with one length, or with none (0)."""

    name: str
    rule: Callable[..., Any]
    lines: tuple[str, ...]
    length: int
    state: int
    warmup: int


registry: Registry[tuple[Indicator, ...]] = Registry(__name__)


def add(
    name: str, *, state: Size, warmup: Size, lines: tuple[str, ...] = (), lengths: tuple[int, ...] = ()
) -> Callable[[Rule], Rule]:
    """File a rule under `name`, once for each length."""

    def file(rule: Rule) -> Rule:
        variants = [
            Indicator(name, rule, _names(lines or (name,), length), length, _at(state, length), _at(warmup, length))
            for length in lengths or (0,)
        ]
        registry.file(name, tuple(variants))
        return rule

    return file


def by_line() -> dict[str, Indicator]:
    """Return every line there is, and the indicator that draws it; two of one name are a programming error."""
    found: dict[str, Indicator] = {}
    for name in registry:
        for indicator in registry[name]:
            for line in indicator.lines:
                if line in found:
                    raise KeyError(f"indicators {found[line].name} and {name} both draw a line {line!r}")
                found[line] = indicator
    return found


def _names(lines: tuple[str, ...], length: int) -> tuple[str, ...]:
    return tuple(f"{line}_{length}" if length else line for line in lines)


def _at(size: Size, length: int) -> int:
    return size if isinstance(size, int) else size(length)
