"""What the outcomes in the ledger have taught of each symbol and horizon, as `market.adaptation` has it."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, Engine

from data.database import transaction
from market.adaptation import STATE, Told, taught

_NAMES = ", ".join(STATE)
# By the thousand at each close: plain tuples to the driver, 3x over SQLAlchemy's parameters.
_READ = f"SELECT symbol, horizon, {_NAMES} FROM adaptations WHERE interval = ?"  # noqa: S608  constants only
_INSERT = f"""
    INSERT INTO adaptations (symbol, horizon, interval, {_NAMES})
    VALUES (?, ?, ?, {", ".join("?" for _ in STATE)}) ON CONFLICT (symbol, horizon, interval) DO """  # noqa: S608
_KEEP_KNOWN = f"{_INSERT} NOTHING"
_KEEP = f"{_INSERT} UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in STATE)}"
_TAKE_OVER = f"""
    INSERT INTO adaptations (symbol, horizon, interval, {_NAMES})
    SELECT symbol, horizon, interval, log_width{", 0.0" * (len(STATE) - 1)} FROM range_widths"""  # noqa: S608
_NONE = np.zeros((len(STATE), 0))
Key = tuple[str, str]  # symbol and horizon


class Adaptations:
    """The states of all symbols and horizons at one moment."""

    def __init__(self, keys: Sequence[Key] = (), states: np.ndarray = _NONE) -> None:
        """Hold the state (6, n) of each key."""
        # By horizon, then symbol: whoever asks at a close has no keys to make.
        self._places: dict[str, dict[str, int]] = defaultdict(dict)
        for place, (symbol, horizon) in enumerate(keys):
            self._places[horizon][symbol] = place
        self._states = np.append(states, np.zeros((len(STATE), 1)), axis=1)  # the last stands for all others

    def of(self, horizon: str, symbols: Sequence[str]) -> np.ndarray:
        """Return the state (6, n) of each symbol at a horizon; zeros where nothing was taught yet."""
        places = self._places.get(horizon, {})
        found: np.ndarray = self._states[:, [places.get(symbol, -1) for symbol in symbols]]
        return found


class AdaptationStore:
    """The states of one base interval. Scoring moves them, in the transaction that writes the outcome."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use those of rows made from `interval` candles."""
        self._engine = engine
        self._interval = interval

    def load(self) -> Adaptations:
        """Return the state of each symbol and horizon that has one."""
        with self._engine.connect() as connection:
            return Adaptations(*_load(connection, self._interval))

    def begin(self, horizon: str, symbols: Sequence[str], states: np.ndarray) -> None:
        """Keep the state (6, n) with which a record begins; a symbol and horizon that has one already keeps it."""
        keys = [(symbol, horizon) for symbol in symbols]
        with transaction(self._engine) as connection:
            connection.exec_driver_sql(_KEEP_KNOWN, _records(keys, self._interval, states))


def teach(connection: Connection, interval: str, keys: Sequence[Key], told: Told) -> None:
    """Move what is kept by outcomes, oldest first, of rows that had a probability and a range."""
    known, kept = _load(connection, interval)
    places = {key: place for place, key in enumerate(dict.fromkeys([*known, *keys]))}
    states = np.append(kept, np.zeros((len(STATE), len(places) - len(known))), axis=1)
    turns: dict[int, list[int]] = defaultdict(list)  # rows that can be taken in at once: one of each key
    seen: Counter[Key] = Counter()
    for row, key in enumerate(keys):
        turns[seen[key]].append(row)
        seen[key] += 1
    for rows in turns.values():
        at = [places[keys[row]] for row in rows]
        states[:, at] = taught(states[:, at], told.at(rows))
    connection.exec_driver_sql(_KEEP, _records(list(seen), interval, states[:, [places[key] for key in seen]]))


def _load(connection: Connection, interval: str) -> tuple[list[Key], np.ndarray]:
    rows = [tuple(row) for row in connection.exec_driver_sql(_READ, (interval,))]
    return [row[:2] for row in rows], np.array([row[2:] for row in rows], dtype=float).reshape(-1, len(STATE)).T


def _records(keys: Sequence[Key], interval: str, states: np.ndarray) -> list[tuple[object, ...]]:
    return [(*key, interval, *numbers) for key, numbers in zip(keys, states.T.tolist(), strict=True)]


def take_over_widths(connection: Connection) -> None:
    """Begin with the widths that a database kept before it knew more of a symbol."""
    there = "SELECT count(*) FROM sqlite_master WHERE name = 'range_widths'"
    if connection.exec_driver_sql(there).scalar_one():
        connection.exec_driver_sql(_TAKE_OVER)
        connection.exec_driver_sql("DROP TABLE range_widths")
