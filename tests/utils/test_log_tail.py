"""What processes log is kept in bounded files and found again: by level, by a word, the newest first."""

import logging

import pytest

from utils.log_tail import newest_lines
from utils.logs import KEPT_BYTES, KeptLog


class Process:
    """A process that logs into its own file."""

    def __init__(self, folder, name, secrets=()):
        self.log = KeptLog(folder / f"{name}.log", secrets)
        self.logger = logging.Logger(name)
        self.logger.addHandler(self.log)

    def close(self):
        self.log.close()


@pytest.fixture
def processes(tmp_path):
    made = [Process(tmp_path, "engine"), Process(tmp_path, "web", ["canary-secret"])]
    yield made
    for process in made:
        process.close()


def lines(folder, least="INFO", word="", limit=100):
    return [line.message for line in newest_lines(folder, least, word, limit)]


def test_lines_of_all_processes_come_newest_first(tmp_path, processes):
    engine, web = processes
    for at in range(3):
        for process in (engine, web):
            record = logging.LogRecord("x", logging.INFO, "f", 1, f"{process.logger.name} {at}", (), None)
            record.created, record.msecs = 1_000.0 + at + (process is web) / 2, 500.0 * (process is web)
            process.log.handle(record)

    assert lines(tmp_path) == ["web 2", "engine 2", "web 1", "engine 1", "web 0", "engine 0"]
    assert lines(tmp_path, limit=2) == ["web 2", "engine 2"]
    assert {line.process for line in newest_lines(tmp_path, "INFO", "", 9)} == {"engine", "web"}


def test_a_level_leaves_out_what_is_below_it(tmp_path, processes):
    logger = processes[0].logger
    logger.info("read")
    logger.warning("mended")
    logger.error("broken")

    assert lines(tmp_path, "WARNING") == ["broken", "mended"]
    assert lines(tmp_path, "ERROR") == ["broken"]


def test_a_word_finds_lines_and_traces_in_any_case(tmp_path, processes):
    logger = processes[1].logger
    logger.info("request refused id=0a1b2c3d")
    try:
        raise ValueError("No Room")
    except ValueError:
        logger.exception("request failed")

    found = newest_lines(tmp_path, "INFO", "no room", 9)

    assert lines(tmp_path, word="0A1B2C3D") == ["request refused id=0a1b2c3d"]
    assert [(line.message, line.why) for line in found] == [("request failed", "ValueError: No Room")]
    assert lines(tmp_path, word="nothing of the kind") == []


def test_secrets_never_reach_the_file(tmp_path, processes):
    processes[1].logger.warning("password is canary-secret")

    assert lines(tmp_path) == ["password is ***"]
    assert b"canary-secret" not in (tmp_path / "web.log").read_bytes()


def test_the_files_are_bounded_and_the_older_one_is_read_too(tmp_path, processes):
    logger = processes[0].logger
    for at in range(2 * KEPT_BYTES // 1_000):
        logger.info("%05d %s", at, "x" * 1_000)

    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= KEPT_BYTES
    newest = lines(tmp_path, limit=1_500)
    assert [text[:5] for text in newest[:2]] == ["01999", "01998"]
    assert len(newest) > KEPT_BYTES / 1_200


def test_what_is_no_line_is_left_out(tmp_path, processes):
    processes[0].logger.info("whole")
    (tmp_path / "half.log").write_bytes(b'{"time": "2026-01-0\n\xff\xfe\n[]\n{"time": "soon", "level": "INFO"}\n')
    (tmp_path / "folder.log").mkdir()

    assert lines(tmp_path) == ["whole"]
    assert lines(tmp_path / "nowhere") == []


def test_a_disk_that_takes_nothing_breaks_nothing(tmp_path, capfd):
    (tmp_path / "logs").write_text("a file where a folder should be")
    process = Process(tmp_path / "logs", "engine")

    process.logger.warning("goes on")

    process.close()
    assert capfd.readouterr().err == ""
