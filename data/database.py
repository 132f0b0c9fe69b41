"""Open the one database file of a market: many readers, one writer, nothing acknowledged is ever lost."""

import importlib
import pkgutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, QueuePool, create_engine, event
from sqlalchemy.exc import OperationalError

from market.errors import ConfigError, SourceUnavailable

metadata = MetaData()  # every store file files its tables here

SCHEMA_VERSION = 1  # written by the writer when all tables exist; readers wait for it
BUSY_TIMEOUT_MS = 10_000
_WRITES = "writes"


def open_database(path: Path, *, is_read_only: bool = False) -> Engine:
    """Return an engine on the SQLite file at `path`.

    A writer makes the folder, the file and the tables of all stores; its commits survive a power cut
    (WAL, synchronous=FULL). A reader never creates anything: while there is no file yet, connecting
    raises SourceUnavailable and works by itself once the writer has been there. Engines must not cross a fork.
    """
    if is_read_only:
        return _engine(path, lambda: _connect_reader(path))
    _load_stores()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = _engine(path, lambda: _connect_writer(path))
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except (OSError, OperationalError) as error:
        reason = error.orig if isinstance(error, OperationalError) else error.strerror
        raise ConfigError(f"{path} cannot be opened for writing: {reason}; choose another INSTANCE_DIR") from error
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Hand out a connection that holds the write lock; commit on leaving, roll back on any error.

    A lock held elsewhere is waited for up to 10 s; a full disk or a lock held longer raises SourceUnavailable,
    and nothing of the transaction is kept.
    """
    try:
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise SourceUnavailable(f"the database cannot be written now: {error.orig}") from error


def _load_stores() -> None:
    # The tables of all stores must exist before the first reader looks, whoever opens the file first.
    folder = importlib.import_module("data")
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.endswith("_store"):
            importlib.import_module(f"data.{module.name}")


def _engine(path: Path, connect: Any) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=-1, pool_timeout=10
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: a read lock that must grow later fails without waiting.
        is_writing = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _connect_writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1_000, isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise SourceUnavailable(f"{path.name} does not exist yet; the engine makes it at its first start")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1_000,
        isolation_level=None,
        check_same_thread=False,
    )
    if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
        connection.close()
        raise SourceUnavailable(f"{path.name} is still being prepared by the engine")
    return connection
