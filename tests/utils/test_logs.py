import json
import logging
import sys

from utils.logs import JsonFormatter


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
