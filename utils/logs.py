"""One log line an event: words for a person, or JSON for a program."""

import json
import logging
import time


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object; an exception's trace is one of its fields."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "name": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up_logging(level: str, is_json: bool) -> None:
    """Log to the standard error stream from `level` on."""
    handler = logging.StreamHandler()
    words = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonFormatter() if is_json else words)
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("numba").setLevel(logging.WARNING)
