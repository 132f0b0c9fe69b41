"""Open the one database file of a market: many readers, one writer, nothing acknowledged is ever lost."""

import importlib
import pkgutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from market.errors import ConfigError, SourceUnavailable

metadata = MetaData()  # every store file files its tables here

SCHEMA_VERSION = 6  # written by the writer when all tables exist; readers wait for it
PATIENCE_SECONDS = 10.0  # how long a lock held by another process is waited for
_READER_KILOBYTES = 256  # of pages for each connection; the others come from the system's own cache in microseconds
_WITHOUT_CHECKSUMS = 1  # the version whose candles had none
_WITH_REGIMES = 5  # the version whose sums of skill know regimes; older ones are made anew from the ledger
_WITH_ADAPTATIONS = 6  # the version that keeps more of a symbol than how wide its ranges are
_WRITES = "writes"
_WORDS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_BUSY": "another program holds the database",
    "SQLITE_READONLY": "the database is read-only",
    "SQLITE_IOERR_WRITE": "the disk takes no more",
}


def open_database(path: Path, *, is_read_only: bool = False, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """Return an engine on the SQLite file at `path`.

    A writer makes the folder, the file and the tables of all stores; its commits survive a power cut (WAL,
    synchronous=FULL), and wait `patience_seconds` for another's lock. A reader never creates anything: while there
    is no file yet, connecting raises SourceUnavailable and works by itself once the writer has been there. Engines
    must not cross a fork.
    """
    if is_read_only:
        engine = _engine(path, lambda: _connect_reader(path))

        @event.listens_for(engine, "connect")
        def note(_: object, record: Any) -> None:
            record.info["file"] = _identity(path)

        @event.listens_for(engine, "checkout")
        def look(_: object, record: Any, proxy: object) -> None:
            if record.info["file"] != _identity(path):
                raise DisconnectionError  # another file has taken its place: connect anew

        return engine
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_tables(path)
    except (OSError, OperationalError) as error:
        reason = error.orig if isinstance(error, OperationalError) else error.strerror
        raise ConfigError(f"{path} cannot be opened for writing: {reason}; choose another INSTANCE_DIR") from error
    return _engine(path, lambda: _connect_writer(path, patience_seconds))


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Hand out a connection that holds the write lock; commit on leaving, roll back on any error.

    A full disk, or a lock held elsewhere for longer than the engine is patient, raises SourceUnavailable, and
    nothing of the transaction is kept.
    """
    try:
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise SourceUnavailable(_refusal(error.orig)) from error
    except sqlite3.OperationalError as error:  # of a cursor of the driver's own
        raise SourceUnavailable(_refusal(error)) from error


def _refusal(error: BaseException | None) -> str:
    """Return in plain words why the database cannot be written; `error` is the driver's."""
    code = getattr(error, "sqlite_errorname", "") or ""
    words = next((words for start, words in _WORDS.items() if code.startswith(start)), None)
    return words or f"the database cannot be written: {error}"


def make_tables(path: Path) -> None:
    """Make the file at `path` and the tables of all stores where they are not there yet."""
    load_stores()
    # Writes nothing where all is there: a restart on a full disk, or beside a lock, must not fail here.
    engine = _engine(path, lambda: _connect_writer(path, PATIENCE_SECONDS))
    try:
        with engine.connect() as connection:
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == SCHEMA_VERSION:
                return
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version == _WITHOUT_CHECKSUMS:
                connection.exec_driver_sql("DROP TABLE candles")  # they are fetched again
            metadata.create_all(connection)
            if 0 < version < _WITH_REGIMES:
                importlib.import_module("data.sums_rebuild").rebuild_sums(connection)
            if 0 < version < _WITH_ADAPTATIONS:
                importlib.import_module("data.adaptation_store").take_over_widths(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    finally:
        engine.dispose()


def load_stores() -> None:
    """Have every store file its tables in `metadata`."""
    # The tables of all stores must exist before the first reader looks, whoever opens the file first.
    folder = importlib.import_module("data")
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.endswith("_store"):
            importlib.import_module(f"data.{module.name}")


def _engine(path: Path, connect: Any) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", creator=connect, poolclass=QueuePool, pool_size=4, max_overflow=-1, pool_use_lifo=True
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: a read lock that must grow later fails without waiting.
        is_writing = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _connect_writer(path: Path, patience_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=patience_seconds, isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _connect_reader(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise SourceUnavailable(f"{path.name} does not exist yet; the engine makes it at its first start")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=PATIENCE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{_READER_KILOBYTES}")
    if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
        connection.close()
        raise SourceUnavailable(f"{path.name} is still being prepared by the engine")
    return connection
