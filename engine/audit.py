"""Check the ledger of every market from its first link to its last, and each outcome against its candle.

`python -m engine.audit [--json]`
"""

import argparse
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import DatabaseError

from config import config_or_exit
from data import ledger_blocks, ledger_chain
from data.candle_store import CandleStore
from data.database import open_database
from data.ledger_tables import predictions
from market.errors import MarketError
from market.intervals import interval_ms
from market.predictions import Verdict, net_bps, return_bps
from utils.shell import Shell

_ROWS = 5_000
_TOLERANCE = 1e-9
_SHOWN = 20  # faults told one by one


@dataclass(slots=True)
class Audit:
    """What was looked at in one database, and what does not hold, in sentences."""

    links: int = 0
    outcomes: int = 0
    unknown: int = 0  # outcomes whose candle is no longer kept
    head: str | None = None
    faults: list[str] = field(default_factory=list)


def audit(engine: Engine) -> Audit:
    """Compute every link and every outcome of one database again."""
    found = Audit()
    with engine.connect() as connection:
        head = ledger_chain.head(connection)
        found.head = head.digest.hex() if head else None
        for link in ledger_chain.verify(connection, ledger_chain.let_go_seq(connection)):
            found.links += 1
            if link.fault is not None:
                found.faults.append(f"link {link.number} (rows {link.first_seq} to {link.last_seq}): {link.fault}")
    for number, is_right in _outcomes(engine):
        found.outcomes += is_right is not None
        found.unknown += is_right is None
        if is_right is False:
            found.faults.append(f"row {number}: its outcome is not what its candles say")
    return found


def _outcomes(engine: Engine) -> Iterator[tuple[int, bool | None]]:
    """Yield the number of each scored row, and whether its outcome is right; None where no candle is kept to tell."""
    stores: dict[str, CandleStore] = {}
    for rows in _scored(engine):
        for interval in sorted({row["interval"] for row in rows}):
            store, length_ms = stores.setdefault(interval, CandleStore(engine, interval)), interval_ms(interval)
            of_interval = [row for row in rows if row["interval"] == interval]
            closes = store.closes([(row["symbol"], row["due_ms"] - length_ms) for row in of_interval])
            for row in of_interval:
                close = closes.get((row["symbol"], row["due_ms"] - length_ms))
                yield row["seq"], None if close is None else _is_right(row, close)


def _scored(engine: Engine) -> Iterator[list[Mapping[Any, Any]]]:
    """Yield all scored rows, thousands at a time: those that were sealed, then the others by number."""
    with engine.connect() as connection:
        for block in ledger_blocks.all_rows(connection):
            yield [row for row in block if row["state"] == "scored"]
    c, last = predictions.c, 0
    while True:
        query = select(predictions).where(c.state == "scored", c.seq > last).order_by(c.seq).limit(_ROWS)
        with engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        if not rows:
            return
        yield list(rows)
        last = rows[-1]["seq"]


def _is_right(row: Mapping[Any, Any], close: float) -> bool:
    returned = return_bps(row["price"], close)
    probability, low, high = row["probability_up"], row["low_bps"], row["high_bps"]
    is_up = returned > 0
    expected = {
        "outcome_return_bps": returned,
        "outcome_up": int(is_up),
        "brier": None if probability is None else (probability - is_up) ** 2,
        "inside_interval": None if low is None or high is None else int(low <= returned <= high),
        "net_bps": net_bps(Verdict(row["verdict"]), returned, row["cost_bps"]),
    }
    return all(_is_equal(row[name], value) for name, value in expected.items())


def _is_equal(kept: float | None, computed: float | None) -> bool:
    if kept is None or computed is None:
        return kept is computed
    return abs(kept - computed) <= _TOLERANCE * max(1.0, abs(computed))


def main(arguments: list[str] | None = None) -> int:
    """Audit every database of the instance; exit code 0 all holds, 1 something does not, 2 nothing to look at.

    A database that cannot be read does not hold.
    """
    parser = argparse.ArgumentParser(
        prog="python -m engine.audit", description="Check the ledger's chain, and each outcome against its candle."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    folder: Path = config_or_exit().INSTANCE_DIR
    shell = Shell(options.json)
    paths = sorted(folder.glob("*.db"))
    if not paths:
        shell.say("error", f"{folder.name} holds no ledger yet; python app.py makes one")
        return 2
    is_whole = True
    for path in paths:
        engine = open_database(path, is_read_only=True)
        try:
            found = audit(engine)
        except MarketError as error:
            shell.say("error", f"{path.name}: {error}", database=path.name)
            return 2
        except (DatabaseError, sqlite3.DatabaseError) as error:
            reason = error.orig if isinstance(error, DatabaseError) else error
            text = (
                f"{path.name} cannot be read: {reason}; if it is damaged, the next start of python app.py sets it aside"
            )
            shell.say("error", text, database=path.name)
            is_whole = False
            continue
        finally:
            engine.dispose()
        is_whole = is_whole and not found.faults
        _tell(shell, path.name, found)
    return 0 if is_whole else 1


def _tell(shell: Shell, name: str, found: Audit) -> None:
    for fault in found.faults[:_SHOWN]:
        shell.say("fault", f"{name}: {fault}", database=name)
    gone = f" ({found.unknown} more have no candle any longer)" if found.unknown else ""
    verdict = f"{len(found.faults)} faults" if found.faults else "all hold"
    shell.say(
        "audit",
        f"{name}: {found.links} links and {found.outcomes} outcomes{gone} looked at, {verdict}; head {found.head}",
        database=name,
        links=found.links,
        outcomes=found.outcomes,
        unknown=found.unknown,
        faults=len(found.faults),
        head=found.head,
    )


if __name__ == "__main__":
    sys.exit(main())
