import json
import logging
import sys

import pytest

from utils.logs import JsonFormatter, WordsFormatter


def record(message, *arguments, exc_info=None):
    return logging.LogRecord("engine", logging.WARNING, __file__, 1, message, arguments, exc_info)


def test_a_record_is_one_json_object():
    line = json.loads(JsonFormatter().format(record("feed lost source=%s", "a\nb")))

    assert line["message"] == "feed lost source=a\nb"
    assert line["level"] == "WARNING"
    assert line["time"].endswith("Z")


def test_a_line_break_cannot_make_a_second_line():
    assert "\n" not in JsonFormatter().format(record("one\ntwo"))


def test_a_trace_is_a_field():
    try:
        raise ValueError("why")
    except ValueError:
        line = json.loads(JsonFormatter().format(record("failed", exc_info=sys.exc_info())))

    assert "ValueError: why" in line["trace"]


@pytest.mark.parametrize("formatter", [WordsFormatter, JsonFormatter])
def test_secrets_and_credentials_are_masked_in_the_line_and_its_trace(formatter):
    try:
        raise ValueError("postgresql://me:hunter22@db/x and canary-secret")
    except ValueError:
        record = logging.LogRecord("here", logging.ERROR, "f", 1, "with %s", ("canary-secret",), sys.exc_info())

    line = formatter(["canary-secret"]).format(record)

    assert "canary-secret" not in line
    assert "hunter22" not in line
    assert "postgresql://***@db/x" in line


def test_what_a_visitor_sends_cannot_begin_a_line_of_its_own():
    record = logging.LogRecord(
        "here", logging.INFO, "f", 1, "path=%s", ("/a\r\n2026 ERROR \x1b[31m\u2028all is lost",), None
    )

    line = WordsFormatter().format(record)

    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
