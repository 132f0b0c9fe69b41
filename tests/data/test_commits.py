"""A commit by anybody is seen at the next look."""

from data.commits import Commits
from data.database import open_database, transaction


def commit(engine):
    with transaction(engine) as connection:
        connection.exec_driver_sql("PRAGMA application_id = 7")
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS notes (text)")
        connection.exec_driver_sql("INSERT INTO notes VALUES ('one')")


def test_a_commit_makes_another_mark(tmp_path):
    engine = open_database(tmp_path / "market.db")
    commits = Commits(tmp_path / "market.db")
    before = commits.mark()

    commit(engine)

    after = commits.mark()
    assert before is not None
    assert before != after
    assert commits.mark() == after
    engine.dispose()
    commits.close()


def test_a_file_that_is_not_there_has_no_mark_until_it_is(tmp_path):
    commits = Commits(tmp_path / "market.db")
    before = commits.mark()

    engine = open_database(tmp_path / "market.db")

    assert before is None
    assert commits.mark() is not None
    engine.dispose()
    commits.close()


def test_another_file_in_its_place_is_another_mark(tmp_path):
    first = open_database(tmp_path / "market.db")
    commits = Commits(tmp_path / "market.db")
    before = commits.mark()
    first.dispose()

    (tmp_path / "market.db").rename(tmp_path / "aside.db")
    second = open_database(tmp_path / "market.db")

    assert commits.mark() not in (None, before)
    second.dispose()
    commits.close()
