"""All kinds of faults by name, and how orders for them are read."""

import json
from collections.abc import Sequence
from pathlib import Path

from market.errors import ConfigError
from simulator.faults.answer_kinds import ANSWER_KINDS
from simulator.faults.kinds import Fault, read_fault
from simulator.faults.message_kinds import MESSAGE_KINDS
from simulator.faults.scene_kinds import SCENE_KINDS

KINDS = {kind.name: kind for kind in (*ANSWER_KINDS, *MESSAGE_KINDS, *SCENE_KINDS)}
_MOST_ORDERS = 100_000


def read_orders(text: str | bytes) -> list[Fault]:
    """Return the faults that one order, or a list of orders, asks for; ConfigError in one sentence."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the order is not JSON: {error}") from None
    return _faults(found if isinstance(found, list) else [found])


def read_scenario(file: Path) -> list[Fault]:
    """Return the faults of a file with one order a line; ConfigError names the line that cannot be one."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the scenario {str(file)!r} cannot be read: {error}") from error
    faults: list[Fault] = []
    for number, line in enumerate(lines, start=1):
        try:
            faults += read_orders(line) if line.strip() else []
        except ConfigError as error:
            raise ConfigError(f"line {number} of the scenario {str(file)!r}: {error}") from None
    return faults


def _faults(orders: Sequence[object]) -> list[Fault]:
    if len(orders) > _MOST_ORDERS:
        raise ConfigError(f"{len(orders)} faults are too many: at most {_MOST_ORDERS} at once")
    return [read_fault(order, KINDS, f"{number} {order}") for number, order in enumerate(orders)]
