import sqlite3
import threading

import pytest

from data.database import open_database, transaction
from market.errors import ConfigError, SourceUnavailable


def test_makes_the_folder_the_file_and_the_tables(tmp_path):
    engine = open_database(tmp_path / "new" / "market.db")

    with engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()

    assert "candles" in tables


def test_commits_survive_a_power_cut(tmp_path):
    engine = open_database(tmp_path / "market.db")

    with engine.connect() as connection:
        settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 2]


def test_a_reader_waits_for_the_writer_and_then_works(tmp_path):
    path = tmp_path / "market.db"
    reader = open_database(path, is_read_only=True)
    with pytest.raises(SourceUnavailable, match=r"market\.db does not exist yet"):
        reader.connect()

    open_database(path)

    with reader.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM candles").scalar() == 0


def test_a_reader_never_sees_a_half_made_file(tmp_path):
    path = tmp_path / "market.db"
    sqlite3.connect(path).close()
    path.touch()

    with pytest.raises(SourceUnavailable, match="still being prepared"):
        open_database(path, is_read_only=True).connect()

    assert path.stat().st_size == 0


def test_a_database_of_before_sealing_gets_its_tables_and_keeps_its_candles(tmp_path):
    path = tmp_path / "market.db"
    engine = open_database(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO candles VALUES ('A', 1, 1, 1, 1, 1, 1, 1, 1)")
        for name in ("segments", "sealed_candles", "lost_months", "ledger_blocks"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql("PRAGMA user_version = 3")
    engine.dispose()

    engine = open_database(path)

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM candles").scalar() == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM ledger_blocks").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM segments").scalar() == 0


def test_a_reader_cannot_write(tmp_path):
    path = tmp_path / "market.db"
    open_database(path)
    reader = open_database(path, is_read_only=True)

    with pytest.raises(SourceUnavailable, match="read-only"), transaction(reader) as connection:
        connection.exec_driver_sql("DELETE FROM candles")


def test_a_full_disk_is_a_source_that_is_unavailable_for_the_drivers_own_cursors_too(tmp_path):
    engine = open_database(tmp_path / "market.db")
    rows = [("A", 1, open_ms, 1, 1, 1, 1, 1, 1) for open_ms in range(5_000)]

    with pytest.raises(SourceUnavailable, match="the disk is full"), transaction(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page more than there are
        connection.connection.cursor().executemany("INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM candles").scalar() == 0


def test_an_error_takes_the_whole_transaction_back(tmp_path):
    engine = open_database(tmp_path / "market.db")

    with pytest.raises(KeyError), transaction(engine) as connection:
        connection.exec_driver_sql("INSERT INTO candles VALUES ('A', 1, 1, 1, 1, 1, 1, 1, 1)")
        raise KeyError

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM candles").scalar() == 0


def test_two_writers_take_turns(tmp_path):
    engine = open_database(tmp_path / "market.db")
    holds, waits = threading.Event(), threading.Event()

    def second():
        holds.wait()
        waits.set()
        with transaction(engine) as connection:
            connection.exec_driver_sql("UPDATE candles SET volume = volume + 1")

    thread = threading.Thread(target=second)
    thread.start()
    with transaction(engine) as connection:
        holds.set()
        waits.wait()
        connection.exec_driver_sql("INSERT INTO candles VALUES ('A', 1, 1, 1, 1, 1, 1, 1, 1)")
    thread.join()

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT volume FROM candles").scalar() == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(ConfigError, match=r"file.market\.db cannot be opened for writing: .*INSTANCE_DIR"):
        open_database(tmp_path / "file" / "market.db")
