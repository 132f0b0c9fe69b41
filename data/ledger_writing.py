"""Write ledger rows in order: first into the journal, later among the rows, each with its number, version and link."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from data import ledger_chain, ledger_journal
from data.ledger_blocks import ends, ledger_blocks
from data.ledger_inputs import InputForm, Inputs, insert_inputs
from data.ledger_journal import Record
from data.ledger_rows import MADE, Key, key_of, record_of
from data.ledger_tables import ledger_state, predictions
from market.predictions import Prediction

ROWS_A_VERSION = 200  # one event tells of so many at most, and has a version of its own
# Rows by the thousand at each close: plain tuples to the driver, 4x over SQLAlchemy's parameters.
_INSERT_PREDICTIONS = f"""
    INSERT INTO predictions ({", ".join(MADE)}) VALUES ({", ".join("?" * len(MADE))}) ON CONFLICT DO NOTHING"""  # noqa: S608  constants only
_KEEP_NEWEST = """
    INSERT INTO newest_predictions (symbol, interval, horizon, candle_open_ms, seq) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (symbol, horizon, interval) DO UPDATE SET candle_open_ms = excluded.candle_open_ms, seq = excluded.seq
    WHERE excluded.candle_open_ms > newest_predictions.candle_open_ms"""
# Asked at every close: built once.
_KEYS_MADE = select(
    predictions.c.symbol, predictions.c.interval, predictions.c.horizon, predictions.c.candle_open_ms
).where(predictions.c.made_ms == bindparam("made_ms"))
_VERSION = select(ledger_state.c.value).where(ledger_state.c.name == "version")
_HIGHEST = select(
    func.max(predictions.c.seq),
    select(func.max(ledger_blocks.c.last_seq)).scalar_subquery(),
    select(ledger_state.c.value).where(ledger_state.c.name == "first_seq").scalar_subquery(),
)
_KEEP_VERSION = insert(ledger_state).values(name="version", value=bindparam("version"))
_KEEP_VERSION = _KEEP_VERSION.on_conflict_do_update(
    index_elements=["name"], set_={"value": _KEEP_VERSION.excluded.value}
)


def note(
    connection: Connection, new: Sequence[Prediction], inputs: Sequence[Inputs], form: InputForm
) -> tuple[list[Record], int]:
    """Add those of the predictions that are new to the journal; return their records and the version they lead to."""
    made = {prediction.made_ms for prediction in new}
    known = _known(connection, made)
    fresh: dict[Key, Prediction] = {}
    for prediction in new:
        key = key_of(prediction)
        if key not in known:
            fresh.setdefault(key, prediction)
    version = max(ledger_journal.ends(connection)[1], version_of(connection))
    records = _numbered(connection, list(fresh.values()))
    if records:
        form.keep_names(connection)
        parts = -(-len(records) // ROWS_A_VERSION)
        version = version + parts
        ledger_journal.note(connection, max(made), records, form.records(inputs), version)
    return records, version


def _known(connection: Connection, made: set[int]) -> set[Key]:
    """Return the keys of the rows made at these times, those that wait in the journal too."""
    there = {tuple(row) for made_ms in made for row in connection.execute(_KEYS_MADE, {"made_ms": made_ms})}
    return there.union(ledger_journal.keys(connection, made))


def settle(connection: Connection) -> None:
    """Give what the journal holds its place; whoever writes rows does this first, so that numbers stay in order."""
    waiting = ledger_journal.entries(connection)
    if not waiting:
        return
    for entry in waiting:
        insert_inputs(connection, entry.body.inputs)
        _insert(connection, [tuple(record) for record in entry.body.records])
    advance(connection, waiting[-1].version)
    ledger_journal.drop(connection, waiting[-1].number)


def add(connection: Connection, new: Sequence[Prediction]) -> None:
    """Write predictions straight among the rows; where old ones were sealed the record is closed."""
    settle(connection)
    closed_ms = {interval: ends(connection, interval)[1] or 0 for interval in {one.interval for one in new}}
    _insert(connection, _numbered(connection, [one for one in new if one.made_ms > closed_ms[one.interval]]))
    advance(connection, version_of(connection) + 1)


def _insert(connection: Connection, records: list[Record]) -> None:
    """Write the records whose symbol, horizon and candle have no row yet, with their link of the chain."""
    if not records:
        return
    written = connection.exec_driver_sql(_INSERT_PREDICTIONS, records).rowcount
    _keep_newest(connection, records)
    if written != len(records):
        there = connection.execute(select(predictions.c.seq).where(predictions.c.seq >= records[0][0])).scalars()
        numbers = set(there)
        records = [record for record in records if record[0] in numbers]
    if records:
        ledger_chain.add_link(connection, records)


def _keep_newest(connection: Connection, records: list[Record]) -> None:
    # Records come oldest first: of each symbol and horizon the last one stays.
    newest = {record[1:4]: (*record[1:5], record[0]) for record in records}
    connection.exec_driver_sql(_KEEP_NEWEST, list(newest.values()))


def _numbered(connection: Connection, new: Sequence[Prediction]) -> list[Record]:
    """Return the predictions as records, with the next free numbers.

    These lie above the numbers of rows that a damaged file may have lost (`data.damage`), and of those that wait.
    """
    highest, sealed, floor = connection.execute(_HIGHEST).one()
    first = max((highest or 0) + 1, (sealed or 0) + 1, floor or 0, ledger_journal.ends(connection)[0] + 1)
    return [record_of(prediction, first + index) for index, prediction in enumerate(new)]


def advance(connection: Connection, version: int) -> None:
    """Have the ledger reach that version."""
    connection.execute(_KEEP_VERSION, {"version": version})


def version_of(connection: Connection) -> int:
    """Return the version the rows have reached; what waits in the journal is beyond it."""
    found: int = connection.execute(_VERSION).scalar() or 0
    return found
